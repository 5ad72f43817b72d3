"""What the jobs of the paper's whole table take, by counting: no run at that scale was made.

    python benchmarks/paper_grid.py results/cluster/paper_table.csv

Operations are those of fd2lib.analyse.stage_operations. *Alone* is the sum of the table's rows, each with teachers and
images of its own; *in the grid* each teacher and each set of images is made once, as the jobs of the plan do.
"""

import csv
import dataclasses
import io
import sys
from collections.abc import Iterable
from pathlib import Path

from fd2lib.analyse.estimates import PEAKS, USED, stage_operations
from fd2lib.drive import load_plan, plan_jobs
from fd2lib.drive.experiment import asked_images, resolve_recipe
from fd2lib.drive.jobs import Job
from fd2lib.ground import atomic_path

ROOT = Path(__file__).parents[1]
PLAN = ROOT / "examples" / "cluster" / "paper_table.toml"
GPU = "H100"
PRICE = 3.0  # $ for an hour of that GPU: an assumption, put in your own
STAGES = ("pretrain", "distill", "relabel", "evaluate")


def job_operations(job: Job) -> dict[str, float]:
    """Operations of each stage of one job."""
    made = [(request, resolve_recipe(request, strict=False)) for request in job.requests]
    if job.teacher:
        (_, recipe), one = made[0], (job.teacher,)
        alone = dataclasses.replace(recipe, teacher_settings=one, label_teacher_settings=one)
        return {**dict.fromkeys(STAGES, 0.0), "pretrain": stage_operations(alone)["pretrain"]}
    request, recipe = made[0]
    images = stage_operations(dataclasses.replace(recipe, distill=asked_images(request, recipe)))["distill"]
    labels = {(one.relabel, one.label_teacher_settings): one for _, one in made}
    return {
        "pretrain": 0.0,
        "distill": images,
        "relabel": sum(stage_operations(one)["relabel"] for one in labels.values()),
        "evaluate": sum(stage_operations(one)["evaluate"] for _, one in made),
    }


def table() -> list[dict[str, str]]:
    """A row for each stage, one for all, and one for the longest chain of jobs, which no number of GPUs shortens."""
    jobs = plan_jobs(load_plan(str(PLAN)))
    work = {name: job_operations(job) for name, job in jobs.items()}
    recipes = [resolve_recipe(one) for job in jobs.values() if not job.teacher for one in job.requests]
    alone = [stage_operations(recipe) for recipe in recipes]
    rows = [_row(stage, (one[stage] for one in alone), (one[stage] for one in work.values())) for stage in STAGES]
    whole = {name: sum(one.values()) for name, one in work.items()}
    chains = [whole[name] + max((whole[need] for need in job.needs), default=0.0) for name, job in jobs.items()]
    everything = _row("all", (sum(one.values()) for one in alone), whole.values())
    return [*rows, everything, {**_row("longest chain of jobs", (), [max(chains)]), "PFLOP, each row alone": ""}]


def _row(name: str, alone: Iterable[float], grid: Iterable[float]) -> dict[str, str]:
    operations = sum(grid)
    hours = operations / (USED * PEAKS[GPU]) / 3600
    return {
        "stage": name,
        "PFLOP, each row alone": f"{sum(alone) / 1e15:,.0f}",
        "PFLOP, in the grid": f"{operations / 1e15:,.0f}",
        f"{GPU} hours": f"{hours:.1f}",
        f"at {PRICE:.2f} $ an hour": f"{hours * PRICE:.0f} $",
    }


if __name__ == "__main__":
    rows = table()
    stream = io.StringIO()
    writer = csv.DictWriter(stream, list(rows[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    print(stream.getvalue())
    if len(sys.argv) > 1:
        with atomic_path(Path(sys.argv[1])) as path:
            path.write_text(stream.getvalue(), encoding="utf-8")
