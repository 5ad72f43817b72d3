"""Committed rows of plans: each study that a plan asks for, with what was planned of it and what is there."""

import dataclasses
from dataclasses import dataclass
from pathlib import Path

from fd2lib.analyse import StudyResults, study_results
from fd2lib.drive.plans import load_plan
from fd2lib.drive.request import Common, GridRequest
from fd2lib.drive.studies import Study, parse_studies, study_rows
from fd2lib.ground import SettingError, parse_numbers
from fd2lib.record import read_rows


@dataclass(frozen=True)
class PlannedStudy:
    """A study that a plan asks for on one set of images, under one set of settings."""

    study: Study
    title: str  # of the plan's part, where it has one, else the study's
    ipcs: tuple[int, ...]  # images per class, as planned
    seeds: tuple[int, ...]  # as planned
    rows: list[dict[str, str]]  # that are there, each with its arm

    @property
    def results(self) -> StudyResults:
        """What was measured, under the title."""
        return study_results(self.study, self.rows, self.title)


def committed_studies(name: str, folder: str | Path) -> list[PlannedStudy]:
    """Return the studies of a plan in its order, with their rows in the plan's file below a folder.

    Parts that differ in seeds or images per class alone are one. Without the file there are no rows.

    Raises:
        SettingError: there is no such plan, or it asks for no studies.
    """
    plan = load_plan(name)
    wanted: dict[tuple[str, GridRequest], tuple[set[int], set[int]]] = {}  # IPC and seeds of parts that are one
    for part, title in zip(plan.parts, plan.titles, strict=True):
        if not isinstance(part, GridRequest) or not part.study:
            raise SettingError(f"plan {name!r} asks for no studies; expected one whose parts do, such as 'answer'.")
        numbers = wanted.setdefault((title, dataclasses.replace(part, ipc="", seeds="")), (set(), set()))
        numbers[0].update(parse_numbers("ipc", part.ipc))
        numbers[1].update(parse_numbers("seeds", part.seeds))
    there, found = read_rows(Path(folder) / plan.file, missing_ok=True), []
    for (title, part), numbers in wanted.items():
        own = [row for row in there if row["dataset"] == part.dataset]
        ipcs, seeds = (tuple(sorted(one)) for one in numbers)
        for study in parse_studies(part.study):
            rows = study_rows(study, own, ipcs, seeds, **part.only(Common))
            found.append(PlannedStudy(study, title or study.title, ipcs, seeds, rows))
    return found


def committed_study(name: str, folder: str | Path) -> tuple[Study, list[dict[str, str]]]:
    """Return the study of a plan of one study on one set of images, and its rows; see :func:`committed_studies`.

    Raises:
        SettingError: there is no such plan, or it is not of one study.
    """
    found = committed_studies(name, folder)
    if len(found) != 1:
        raise SettingError(f"plan {name!r} is of {len(found)} studies; expected one. Take committed_studies.")
    return found[0].study, found[0].rows
