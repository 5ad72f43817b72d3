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
from fd2lib.drive.experiment import asked_images, resolve_recipe
from fd2lib.drive.plans import Plan, planned
from fd2lib.drive.request import GridRequest, Request
from fd2lib.drive.studies import experiments_of, grid_requests
from fd2lib.ground import ArtefactError, PretrainSettings, Recipe, SettingError, identity, require, write_json
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
    sets: dict[str, list[Request]] = {}
    needs: dict[str, dict[str, None]] = {}
    threads: dict[str, int] = {}
    for part in plan.parts:
        if not isinstance(part, GridRequest):
            raise SettingError(
                f"plan {plan.name!r} measures runs, and jobs are of plans that train students. "
                f"Make its rows with `fd2lib run --plan {plan.name}`."
            )
        for request in dict.fromkeys(grid_requests(part)):
            recipe = resolve_recipe(request, strict=False)
            made = {one: _teacher_job(request, recipe, one) for one in _needed(recipe)}
            teachers |= {job.name: teachers.get(job.name, job) for job in made.values()}
            makers = [made[one].name for one in recipe.teacher_settings] if recipe.needs_image_teachers else []
            name = _set_name(request, recipe, makers)
            if request not in sets.setdefault(name, []):
                sets[name].append(request)
            needs.setdefault(name, {}).update(dict.fromkeys(job.name for job in made.values()))
            threads[name] = max(threads.get(name, 1), recipe.evaluate.threads)
    students = {
        name: Job(name, STUDENTS, tuple(requests), tuple(needs[name]), threads[name]) for name, requests in sets.items()
    }
    return teachers | students


def run_job(plan: Plan, name: str, out: str | Path, progress: bool = True) -> None:
    """Run one job of a plan and write what it made: a teacher's folder and accuracy as JSON, or rows as CSV.

    The file is written last and at once: where it is, all of the job is done.

    Raises:
        SettingError: the plan has no such job.
    """
    jobs = plan_jobs(plan)
    require("job", name, jobs)
    job, out = jobs[name], Path(out)
    experiments = experiments_of(job.requests, progress)
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
            "remove the files of jobs that were written before the plan changed, and run it again."
        )
    put_rows(rows, results)


def _needed(recipe: Recipe) -> list[PretrainSettings]:
    makers = recipe.teacher_settings if recipe.needs_image_teachers else ()
    labellers = recipe.label_teacher_settings if recipe.needs_label_teachers else ()
    return list(dict.fromkeys((*makers, *labellers)))


def _teacher_job(request: Request, recipe: Recipe, settings: PretrainSettings) -> Job:
    kind = "head" if settings.attention else "plain"
    words = ("teacher", settings.backbone, kind, f"seed{settings.seed}")
    name = _name(request, recipe, words, [identity(settings)])
    return Job(name, TEACHER, (request,), (), settings.threads, settings)


def _set_name(request: Request, recipe: Recipe, makers: Sequence[str]) -> str:
    settings = asked_images(request, recipe)
    words = (recipe.method if settings.iterations else "real", settings.start, f"seed{settings.seed}")
    return _name(request, recipe, words, [identity(settings), list(makers)])


def _name(request: Request, recipe: Recipe, words: Iterable[str], made_of: Sequence[Any]) -> str:
    """A name of letters, digits, hyphens and underscores, with a digest of images and settings."""
    images = image_set_name(recipe.dataset, request.data_root, request.image_set)
    place = [recipe.dataset, images, recipe.classes, recipe.image_size]
    digest = hashlib.sha256(json.dumps([place, *made_of], sort_keys=True).encode()).hexdigest()[:8]
    return "-".join(re.sub(r"\W+", "_", word, flags=re.ASCII) for word in (images, *words, digest))
