"""What the jobs of a plan take on one GPU, by counting: no run at that scale was made. By default the paper's table.

    python benchmarks/grid_cost.py --table results/cluster/paper_table.csv
    python benchmarks/grid_cost.py gpu --table results/cluster/gpu_plan.csv

Operations are those of fd2lib.analyse.stage_operations. *Alone* is the sum of the plan's rows, each with teachers and
images of its own; *in the grid* each teacher and each set of images is made once, as the jobs of the plan do. *Steps*
are batches that pass through a network: where they are small a GPU is not busy, and their number counts, not their
operations.
"""

import argparse
import csv
import dataclasses
import io
from collections.abc import Iterable, Iterator
from pathlib import Path

from fd2lib.analyse.costs import STAGES
from fd2lib.analyse.estimates import PEAKS, USED, stage_operations
from fd2lib.data import list_datasets
from fd2lib.drive import load_plan, plan_jobs
from fd2lib.drive.asked import asked_images, resolve_recipe
from fd2lib.drive.jobs import Job
from fd2lib.ground import PretrainSettings, Recipe, atomic_path

ROOT = Path(__file__).parents[1]
PLAN = ROOT / "examples" / "cluster" / "paper_table.toml"
GPU = "H100"
PRICE = 3.0  # $ for an hour of that GPU: an assumption, put in your own
STEP = 0.025  # seconds of a small batch, forwards and backwards, most of them to start kernels: an assumption
Counts = dict[str, float]  # of each stage


def teacher_steps(teacher: PretrainSettings, dataset: str) -> int:
    """Batches that a teacher is trained on; views of a batch pass together."""
    return teacher.epochs * _ceil(list_datasets()[dataset].train_images or 0, teacher.batch_size)


def stage_steps(recipe: Recipe) -> Counts:
    """Batches of each stage of a recipe, teachers aside; labels and students take half batches."""
    classes = list_datasets()[recipe.dataset].num_classes or 0
    images = recipe.distill.ipc * classes
    batches = 2 * _ceil(images, recipe.relabel.batch_size)
    distill = recipe.distill.iterations * recipe.distill.ipc * _ceil(classes, recipe.distill.chunk_classes)
    labelled = recipe.relabel.label_epochs * batches * len(recipe.label_teacher_settings)
    return {"pretrain": 0, "distill": distill, "relabel": labelled, "evaluate": recipe.relabel.epochs * batches}


def job_counts(job: Job) -> tuple[Counts, Counts]:
    """Operations and steps of each stage of one job."""
    made = [(request, resolve_recipe(request, strict=False)) for request in job.requests]
    request, recipe = made[0]
    none = dict.fromkeys(STAGES, 0.0)
    if job.teacher:
        alone = dataclasses.replace(recipe, teacher_settings=(job.teacher,), label_teacher_settings=(job.teacher,))
        counts = stage_operations(alone)["pretrain"], teacher_steps(job.teacher, recipe.dataset)
        return none | {"pretrain": counts[0]}, none | {"pretrain": counts[1]}
    images = dataclasses.replace(recipe, distill=asked_images(request, recipe))
    labels = list({(one.relabel, one.label_teacher_settings): one for _, one in made}.values())
    recipes = [one for _, one in made]

    def summed(of: Counts, labelled: Iterable[Counts], students: Iterable[Counts]) -> Counts:
        made_labels = sum(one["relabel"] for one in labelled)
        return none | {"distill": of["distill"], "relabel": made_labels, "evaluate": _sum(students, "evaluate")}

    operations = summed(stage_operations(images), map(stage_operations, labels), map(stage_operations, recipes))
    return operations, summed(stage_steps(images), map(stage_steps, labels), map(stage_steps, recipes))


def table(name: str = str(PLAN)) -> Iterator[dict[str, str]]:
    """A row for each stage, one for all, and one for the longest chain of jobs, which no number of GPUs shortens."""
    jobs = plan_jobs(load_plan(name))
    counted = {job: job_counts(one) for job, one in jobs.items()}
    recipes = [resolve_recipe(one) for job in jobs.values() if not job.teacher for one in job.requests]
    alone = [stage_operations(recipe) for recipe in recipes]
    work, steps = ([one[place] for one in counted.values()] for place in (0, 1))
    for stage in STAGES:
        yield _row(stage, _sum(work, stage), _sum(steps, stage), _sum(alone, stage))
    totals = {job: [sum(one.values()) for one in both] for job, both in counted.items()}
    everything = [sum(one[place] for one in totals.values()) for place in (0, 1)]
    yield _row("all", *everything, sum(sum(one.values()) for one in alone))
    chains = [
        [own + max((totals[need][place] for need in jobs[job].needs), default=0) for place, own in enumerate(one)]
        for job, one in totals.items()
    ]
    yield _row("longest chain of jobs", *(max(chain[place] for chain in chains) for place in (0, 1)))


def _row(name: str, operations: float, steps: float, alone: float | None = None) -> dict[str, str]:
    hours = operations / (USED * PEAKS[GPU]) / 3600
    return {
        "stage": name,
        "PFLOP, each row alone": "" if alone is None else _count(alone / 1e15),
        "PFLOP, in the grid": _count(operations / 1e15),
        f"{GPU} hours": f"{hours:.1f}",
        f"at {PRICE:.2f} $ an hour": f"{hours * PRICE:.0f} $",
        "thousand steps": f"{steps / 1000:,.0f}",
        f"hours at {1000 * STEP:.0f} ms a step": f"{steps * STEP / 3600:.1f}",
    }


def _count(number: float) -> str:
    return f"{number:,.0f}" if number >= 10 else f"{number:.1f}"


def _sum(counts: Iterable[Counts], stage: str) -> float:
    return sum(one[stage] for one in counts)


def _ceil(count: int, size: int) -> int:
    return -(-count // size)


def main() -> None:
    """Print the table, and write it where a file is named."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("plan", nargs="?", default=str(PLAN), help="a plan's name or TOML file")
    parser.add_argument("--table", type=Path, help="the file to write")
    asked = parser.parse_args()
    rows, stream = list(table(asked.plan)), io.StringIO()
    writer = csv.DictWriter(stream, list(rows[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    print(stream.getvalue())
    if asked.table:
        with atomic_path(asked.table) as path:
            path.write_text(stream.getvalue(), encoding="utf-8")


if __name__ == "__main__":
    main()
