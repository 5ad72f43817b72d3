"""Jobs: a plan split into what a scheduler runs, each teacher once, then each distilled set with its students.

Jobs meet in run folders alone. Their names hold a digest of what they make, so that a plan that grows keeps the jobs
that it had, and parts that share a teacher or a distilled set share its job.
"""

import hashlib
import json
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fd2lib.data import image_set_name
from fd2lib.drive.asked import asked_images, resolve_recipe
from fd2lib.drive.plans import Plan, planned
from fd2lib.drive.request import GridRequest, Request
from fd2lib.drive.studies import grid_requests, request_identity
from fd2lib.ground import ArtefactError, PretrainSettings, Recipe, SettingError, identity, require, write_json
from fd2lib.ground.paths import require_output
from fd2lib.record import put_rows, read_rows, row_identity

TEACHER, STUDENTS = "teacher", "students"


@dataclass(frozen=True)
class Job:
    """What one job makes: a teacher, or images with their labels and students."""

    name: str
    kind: str  # TEACHER or STUDENTS
    requests: tuple[Request, ...]  # whose rows it makes; of a teacher, one that needs it
    needs: tuple[str, ...]  # the jobs of its teachers
    threads: int  # that every stage of it uses
    teacher: PretrainSettings | None = None


def plan_jobs(plan: Plan) -> dict[str, Job]:
    """Return the jobs of a plan by name, teachers before the sets that need them.

    Requests whose images are made the same way, such as several IPC or several labels, are of one job: it makes the
    images once.

    Raises:
        SettingError: the plan measures runs in place of training students.
    """
    teachers: dict[str, Job] = {}
    sets: dict[str, list[tuple[Request, Recipe]]] = {}  # by what their images are made of
    needs: dict[str, dict[str, None]] = {}
    for part in plan.parts:
        if not isinstance(part, GridRequest):
            raise SettingError(
                f"plan {plan.name!r} measures runs, and jobs are of plans that train students. "
                f"Make its rows with `fd2lib run --plan {plan.name}`."
            )
        for request in grid_requests(part):
            recipe = resolve_recipe(request, strict=False)
            made = {one: _teacher_job(request, recipe, one) for one in _needed(recipe)}
            teachers |= {job.name: teachers.get(job.name, job) for job in made.values()}
            makers = [made[one].name for one in (*recipe.image_teachers, *_scorers(recipe))]
            key = _digest(_images(request, recipe), identity(asked_images(request, recipe)), makers)
            sets.setdefault(key, []).append((request, recipe))
            needs.setdefault(key, {}).update(dict.fromkeys(job.name for job in made.values()))
    students = (_students_job(sets[key], tuple(needs[key])) for key in sets)
    return teachers | {job.name: job for job in students}


def run_job(plan: Plan, name: str, out: str | Path, progress: bool = True) -> None:
    """Run one job of a plan and write what it made: a teacher's folder and accuracy as JSON, or rows as CSV.

    The file is written last and at once: where it is, all of the job is done.

    Raises:
        SettingError: the plan has no such job.
    """
    from fd2lib.drive.runs import experiments_of  # here, as a plan's jobs are told without PyTorch

    jobs = plan_jobs(plan)
    require("job", name, jobs)
    job, out = jobs[name], Path(out)
    require_output(out)
    experiments = experiments_of(job.requests, progress)
    for experiment in experiments:
        experiment.check()
    out.parent.mkdir(parents=True, exist_ok=True)
    if job.teacher:
        made = experiments[0].pretrain(job.teacher)
        told = {"folder": str(made.folder), "backbone_top1": made.backbone_accuracy, "seconds": made.seconds}
        write_json(out, {"job": name, **told})
    else:
        put_rows([one.row() for one in experiments], out)


def gather_rows(plan: Plan, files: Iterable[str | Path], results: str | Path) -> None:
    """Write the rows of a plan's jobs as one file.

    Raises:
        ArtefactError: rows of the plan are missing.
    """
    rows = [row for path in files for row in read_rows(path)]
    found = {row_identity(row) for row in rows}
    missing = [one for one in planned(plan) if one not in found]
    if missing:
        raise ArtefactError(
            f"{len(missing)} of {len(planned(plan))} rows of plan {plan.name!r} are not in the files of its jobs; "
            "expected all. Run the jobs again whose files are damaged or those of another plan."
        )
    put_rows(rows, results)


def _scorers(recipe: Recipe) -> tuple[PretrainSettings, ...]:
    return (recipe.scorer_settings,) if recipe.scorer_settings else ()


def _needed(recipe: Recipe) -> list[PretrainSettings]:
    return list(dict.fromkeys((*recipe.image_teachers, *recipe.label_teachers, *_scorers(recipe))))


def _teacher_job(request: Request, recipe: Recipe, settings: PretrainSettings) -> Job:
    images = _images(request, recipe)
    words = ("teacher", settings.backbone, "head" if settings.attention else "plain", f"seed{settings.seed}")
    name = _name(images[1], *words, _digest(images, identity(settings)))
    return Job(name, TEACHER, (request,), (), settings.threads, settings)


def _students_job(asked: Sequence[tuple[Request, Recipe]], needs: tuple[str, ...]) -> Job:
    """The job of requests that share images; its name changes when rows are added, so that it is run for them."""
    rows = {request_identity(request): request for request, _ in reversed(asked)}
    request, recipe = asked[0]
    settings = recipe.distill
    words = (recipe.method if settings.iterations else "real", settings.start, f"seed{settings.seed}")
    name = _name(_images(request, recipe)[1], *words, _digest(sorted(rows)))
    threads = max(recipe.evaluate.threads for _, recipe in asked)
    return Job(name, STUDENTS, tuple(reversed(rows.values())), needs, threads)


def _images(request: Request, recipe: Recipe) -> tuple[str, str, str, int]:
    name = image_set_name(recipe.dataset, request.data_root, request.image_set)
    return recipe.dataset, name, recipe.classes, recipe.image_size


def _digest(*made_of: Any) -> str:
    return hashlib.sha256(json.dumps(made_of, sort_keys=True).encode()).hexdigest()[:8]


def _name(*words: str) -> str:
    return "-".join(re.sub(r"\W+", "_", word, flags=re.ASCII) for word in words)
