"""What the committed rows say: verdicts on each plan's contrasts, and the state of the evidence for each claim."""

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from fd2lib.analyse import (
    DECIDED,
    NOT_MEASURED,
    NUMBERS,
    Interval,
    Ladder,
    contrast_differences,
    factor_effects,
    geometry_differences,
    load_attention,
    load_geometry,
    load_rows,
    mass_differences,
    paired_difference,
    records,
    study_results,
    trends,
    verdicts,
)
from fd2lib.analyse.verdicts import NONE
from fd2lib.drive.committed import committed_studies, committed_study
from fd2lib.drive.plans import load_plan
from fd2lib.drive.request import Common
from fd2lib.drive.studies import load_study, parse_studies, studies_found
from fd2lib.ground import SettingError, read_tables
from fd2lib.record import read_rows

_SHOWN = ("how", "points", "page")  # of a measure
_TOLD = (*_SHOWN, "source", "claimed")  # the rest are columns of its source's differences
SOURCES = ("plan", "later", "study", "factors", "trends", "trial", "attention", "geometry")  # of evidence
LADDERS = {"grain": "toy scale: drawn birds", "grain_photos": "reduced scale: photographs"}  # plans, coarse to fine
AS_CLAIMED, AGAINST = "as claimed", "against the claim"


def planned_verdicts(name: str, folder: str | Path) -> pd.DataFrame:
    """Return :func:`fd2lib.analyse.verdicts` of a plan: each contrast of its study, at each IPC, on each of its sets.

    Arms that no contrast uses do not decide which seeds count. Without rows every verdict is *not measured*.

    Args:
        name: the plan, whose parts are sets of images of one study.
        folder: the project, below which the plan's file lies.

    Raises:
        SettingError: there is no such plan, or its study has no contrasts.
    """
    found = committed_studies(name, folder)
    contrasts = found[0].study.contrasts if found else ()
    if not contrasts:
        raise SettingError(f"plan {name!r} has no contrasts; expected a study that declares some.")
    used = [arm for arm in found[0].study.arms if any(arm in one[:2] for one in contrasts)]
    question = [dataclasses.replace(one, study=one.study.only(used)).results for one in found]
    ipcs = sorted({ipc for one in found for ipc in one.ipcs})
    return verdicts(question, contrasts, ipcs, sorted({seed for one in found for seed in one.seeds}))


def planned_ladders(folder: str | Path) -> list[Ladder]:
    """Return the planned sets of images from coarse to fine, with the contrasts whose slopes are tested.

    Args:
        folder: the project, below which the plans' files lie.
    """
    tested, made = load_study("answer").only(["base", "rival", "fd2"]).contrasts, []
    for plan, title in LADDERS.items():
        parts = committed_studies(plan, folder)
        made.append(Ladder(title, [one.results for one in parts], tested, parts[0].ipcs, parts[0].seeds))
    return made


def evidence(folder: str | Path) -> pd.DataFrame:
    """Return the state of the evidence: a row for each measure of each claim that ``claims.toml`` declares.

    Columns are ``name`` (such as ``helps_1``), ``by`` (who says it), ``claim``, ``how`` (it was measured), ``points``
    (whether that is the unit), ``mean, low, high, n``, ``verdict`` and ``page``. Planned contrasts have the verdicts of
    their plan. Other measures are as claimed or against the claim where their 95 % interval excludes zero, without
    correction, and no difference of 2 points where it lies within the band. A claim that nothing measures yet is *not
    measured*.

    Args:
        folder: the project, below which ``results`` lies.
    """
    known, found = dict[str, pd.DataFrame](), []
    for key, claim in read_tables("claims").items():
        said = {name: claim[name] for name in ("by", "claim")}
        for place, one in enumerate(measures(claim), 1):
            source = one.get("source", "")
            if source not in known:
                known[source] = differences(source, folder)
            told = {"name": f"{key}_{place}", "points": True} | {name: one[name] for name in _SHOWN if name in one}
            found.append(said | told | _found(known[source], one))
    return pd.DataFrame(found, columns=["name", "by", "claim", "how", "points", *NUMBERS, "verdict", "page"])


def measures(claim: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return the measures of a claim, each with what the claim says of all."""
    shared = {name: value for name, value in claim.items() if name not in ("by", "claim", "measures")}
    return [shared | one for one in claim["measures"]]


def differences(source: str, folder: str | Path) -> pd.DataFrame:
    """Return the differences that a source of evidence holds, with ``mean, low, high, n`` and ``verdict``.

    Args:
        source: ``plan NAME`` (:func:`planned_verdicts`); ``later NAME``, comparisons of the arms of a plan's study that
            nobody had planned; ``study NAME`` or ``NAME:ARM,ARM`` (its contrasts) and
            ``factors NAME`` (its main effects), both of the early studies in ``results/studies.csv``; ``trends`` (the
            slopes of :func:`planned_ladders`); ``trial``, FD² and its base in the first trial, ``results/runs.csv``;
            ``attention`` or ``geometry``; or nothing: none.
        folder: the project.

    Raises:
        SettingError: another source.
    """
    kind, _, name = source.partition(" ")
    results = Path(folder) / "results"
    if not kind:
        return pd.DataFrame(columns=[*NUMBERS, "verdict"])
    if kind == "plan":
        return planned_verdicts(name, folder)
    if kind == "later":
        asked, rows = committed_study(name, folder)
        return contrast_differences(study_results(asked, rows), asked.later)
    if kind == "trends":
        slopes = trends(planned_ladders(folder))
        return slopes.assign(verdict=slopes["trend"])
    if kind == "trial":
        return paired_difference(load_rows(results / "runs.csv", missing_ok=True), "sre2lpp_fd2", "sre2lpp")
    if kind == "attention":
        return mass_differences(load_attention(results / "attention.csv", missing_ok=True))
    if kind == "geometry":
        return geometry_differences(load_geometry(results / "geometry.csv", missing_ok=True), "sre2lpp_fd2", "sre2lpp")
    if kind not in SOURCES:
        raise SettingError(f"a source of evidence is {source!r}; expected {', '.join(SOURCES)}.")
    (study,), there = parse_studies(name), load_plan("studies").parts[0].only(Common)
    found = studies_found([study], read_rows(results / "studies.csv", missing_ok=True), **there)[study.name]
    return factor_effects(found) if kind == "factors" else contrast_differences(found, study.contrasts)


def _found(table: pd.DataFrame, measure: Mapping[str, Any]) -> dict[str, Any]:
    """Mean, interval, n and verdict of the one difference of a source that a measure means."""
    where = {key: value for key, value in measure.items() if key not in _TOLD}
    for column, value in where.items() if len(table) else ():
        table = table[table[column] == value]
    if len(table) > 1:
        raise SettingError(f"{len(table)} differences fit the measure {dict(measure)}; expected one.")
    if table.empty or not table["n"].iloc[0]:
        return dict.fromkeys(NUMBERS, float("nan")) | {"n": 0, "verdict": NOT_MEASURED}
    (row,) = records(table)
    gap = Interval.of(row)
    return gap._asdict() | {"verdict": row["verdict"] if "adjusted" in row else _says(gap, measure)}


def _says(gap: Interval, measure: Mapping[str, Any]) -> str:
    """What a difference that was not planned says of a claim that it lies ``above`` or ``below`` zero."""
    if gap.verdict in DECIDED:
        return AS_CLAIMED if gap.verdict == f"{measure['claimed']} zero" else AGAINST
    return NONE if measure.get("points", True) and gap.small else gap.verdict
