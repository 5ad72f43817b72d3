"""Grids and studies: the experiments of one request or of a study's arms, run, or looked up among rows."""

import dataclasses
import itertools
import logging
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from fd2lib.analyse import Contrast, StudyResults, study_results
from fd2lib.data import image_set_name
from fd2lib.drive.asked import resolve_recipe, settings_text
from fd2lib.drive.request import Common, GridRequest, Request, todays_names
from fd2lib.ground import (
    ArtefactError,
    SettingError,
    join_overrides,
    list_methods,
    load_recipe,
    parse_names,
    parse_numbers,
    read_tables,
    require,
)
from fd2lib.ground.by_stage import stage_settings
from fd2lib.ground.declaration import setting_fields
from fd2lib.record import row_identity

OWN = "recipe"  # among starts: each method's own
logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Arm:
    """One arm of a study: what is asked of an experiment besides scale, data set, IPC and seed."""

    name: str
    title: str
    request: Mapping[str, str]  # fields of Request

    def of(self, common: Mapping[str, Any]) -> dict[str, Any]:
        """Return the fields of a request with this arm laid over ``common``; both may override settings."""
        overrides = join_overrides(common.get("overrides", ""), self.request.get("overrides", ""))
        return {**common, **self.request, "overrides": overrides}


@dataclass(frozen=True)
class Study:
    """Arms that differ in what the study is about; ``reference`` is the one the others are compared with."""

    name: str
    title: str
    reference: str
    arms: Mapping[str, Arm]
    contrasts: tuple[Contrast, ...] = ()  # comparisons that were decided on before the rows were there
    later: tuple[Contrast, ...] = ()  # those that were thought of when rows were known, which decide nothing

    def only(self, names: Sequence[str]) -> "Study":
        """Return the study with some of its arms, and the comparisons of these.

        Raises:
            SettingError: an arm it does not have.
        """
        for name in names:
            require(f"arm of study {self.name!r}", name, self.arms)
        contrasts, later = (
            tuple(one for one in given if {one.arm, one.reference} <= set(names))
            for given in (self.contrasts, self.later)
        )
        arms = {name: self.arms[name] for name in names}
        return dataclasses.replace(self, arms=arms, contrasts=contrasts, later=later)


def list_studies() -> dict[str, str]:
    """Return every study's name and title."""
    return {name: table["title"] for name, table in read_tables("studies").items()}


def load_study(name: str) -> Study:
    """Return a study.

    Raises:
        SettingError: there is none of that name, or a contrast is not of two of its arms.
    """
    tables = read_tables("studies")
    require("study", name, tables)
    table = tables[name]
    arms = {}
    for key, entry in table["arms"].items():
        given = {field: value for field, value in entry.items() if field != "title"}
        arms[key] = Arm(key, entry["title"], todays_names(given, Request))
    contrasts, later = (_contrasts(name, table.get(key, []), arms) for key in ("contrasts", "later"))
    return Study(name, table["title"], table["reference"], arms, contrasts, later)


def _contrasts(study: str, given: Any, arms: Mapping[str, Arm]) -> tuple[Contrast, ...]:
    """A study's contrasts; each must be of two of its arms."""
    for one in given:
        if not isinstance(one, list) or len(one) != 3 or one[0] == one[1]:
            raise SettingError(f"a contrast of study {study!r} is {one!r}; expected two arms that differ, and a title.")
        for arm in one[:2]:
            require(f"arm in a contrast of study {study!r}", arm, arms)
    return tuple(Contrast(*one) for one in given)


def parse_studies(text: str) -> list[Study]:
    """Return studies from ``NAME`` or ``NAME:ARM,ARM``, several separated by blanks.

    Raises:
        SettingError: an unknown study or arm, a study or arm that is there twice, or none.
    """
    items = [item.partition(":") for item in re.sub(r"\s*([:,])\s*", r"\1", text).split()]
    names = parse_names("studies", ",".join(name for name, _, _ in items), list_studies())
    studies = [load_study(name) for name in names]
    return [
        study.only(parse_names(f"arms of {study.name}", arms, study.arms)) if sign else study
        for study, (_, sign, arms) in zip(studies, items, strict=True)
    ]


def study_requests(study: Study, ipcs: Sequence[int], seeds: Sequence[int], **common: Any) -> Iterator[Request]:
    """Yield the requests of a study, arm by arm; all IPC of an arm share one distillation of the largest."""
    for arm, seed, ipc in itertools.product(study.arms.values(), seeds, ipcs):
        yield Request(**{**arm.of(common), "seed": seed, "ipc": ipc, "distill_ipc": max(ipcs)})


def parse_starts(text: str) -> list[str]:
    """Return what optimisation starts from, of names separated by commas; ``recipe`` is each method's own.

    Raises:
        SettingError: an unknown start, one that is there twice, or none.
    """
    known = setting_fields(stage_settings("distill"))["start"].metadata["choices"]
    return parse_names("starts", text, (OWN, *known))


def grid_requests(asked: GridRequest) -> Iterator[Request]:
    """Yield the requests of a grid; all IPC of a method share one distillation of the largest.

    Methods and starts go seed by seed, and a control that is not optimised has no start to cross; studies go arm by
    arm.

    Raises:
        SettingError: nothing is asked for, or an unknown study or arm.
    """
    common, ipcs, seeds = asked.only(Common), parse_numbers("ipc", asked.ipc), parse_numbers("seeds", asked.seeds)
    if asked.study:
        for study in parse_studies(asked.study):
            yield from study_requests(study, ipcs, seeds, **common)
        return
    methods, starts = parse_names("methods", asked.methods, list_methods()), parse_starts(asked.starts)
    for seed, method in itertools.product(seeds, methods):
        optimised = load_recipe(asked.scale, dataset=asked.dataset, method=method).distill.iterations > 0
        for start, ipc in itertools.product(starts if optimised else [""], ipcs):
            overrides = join_overrides(asked.overrides, f"distill.start={start}" if start not in ("", OWN) else "")
            changes = {"method": method, "ipc": ipc, "distill_ipc": max(ipcs), "seed": seed, "overrides": overrides}
            yield Request(**common | changes)


def study_rows(
    study: Study,
    rows: Sequence[Mapping[str, str]],
    ipcs: Sequence[int] = (),
    seeds: Sequence[int] = (),
    *,
    images_fingerprint: str = "",
    **common: Any,
) -> list[dict[str, str]]:
    """Return the rows that belong to a study, each with its ``arm``; arms share rows where their settings are equal.

    A row of :func:`fd2lib.record.read_rows` is found by what it means, not by a label: what was run is what it says.
    Without ``ipcs`` or ``seeds`` all that the rows have count. ``images_fingerprint`` is for rows of several sets under
    one name, and ``common`` are the other fields of :class:`Request` that the rows were made with.

    Raises:
        ArtefactError: two rows are of one experiment.
    """
    known: dict[tuple[str, ...], Mapping[str, str]] = {}
    for row in rows:
        if images_fingerprint and row["images_fingerprint"] not in ("", images_fingerprint):
            continue
        other = known.setdefault(row_identity(row), row)
        if other is not row:
            told = " and ".join(f"{one['date']} ({one['last_top1']} %)" for one in (other, row))
            raise ArtefactError(
                f"two rows are of one experiment, of {told}: {row['method']}, IPC {row['ipc']}, seed {row['seed']} on "
                f"{row['image_set']}. Take one out, or name image sets that differ (--name)."
            )
    ipcs = ipcs or sorted({int(row["ipc"]) for row in rows} - {0}) or [1]
    there = {int(row["seed"]) for row in rows}
    seeds = [seed for seed in seeds or sorted(there) if seed in there]  # of the others no row can be
    found = []
    for arm, seed, ipc in itertools.product(study.arms.values(), seeds, ipcs):
        key = request_identity(Request(**{**arm.of(common), "seed": seed, "ipc": ipc}))
        if key in known:
            # A whole training set has no IPC: its row stands beside each.
            found.append({**known[key], "arm": arm.name, "asked_ipc": str(ipc)})
    return found


def studies_found(
    studies: Iterable[Study], rows: Sequence[Mapping[str, str]], *numbers: Sequence[int], **common: Any
) -> dict[str, StudyResults]:
    """Return what rows tell of some studies, by name; IPC, seeds and ``common`` are those of :func:`study_rows`."""
    return {one.name: study_results(one, study_rows(one, rows, *numbers, **common)) for one in studies}


def request_identity(request: Request) -> tuple[str, ...]:
    """Return the identity that the row of a request has."""
    recipe = resolve_recipe(request, strict=False)
    return row_identity(
        {
            "dataset": recipe.dataset,
            "image_set": image_set_name(recipe.dataset, request.data_root, request.image_set),
            "classes": recipe.classes,
            "image_size": str(recipe.image_size),
            "settings": settings_text(recipe),
        }
    )
