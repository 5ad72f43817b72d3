"""Studies: named sets of arms, run as a grid or looked up among rows that were run before."""

import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from fd2lib.drive.experiment import Experiment, Request, join_settings, resolve_recipe
from fd2lib.drive.rows import settings_text
from fd2lib.ground import SettingError, read_tables, unknown


@dataclass(frozen=True)
class Arm:
    """One arm of a study: what is asked of an experiment besides scale, data set, IPC and seed."""

    name: str
    title: str
    request: Mapping[str, str]  # fields of Request

    def of(self, common: Mapping[str, Any]) -> dict[str, Any]:
        """Return the fields of a request with this arm laid over ``common``; both may override settings."""
        settings = join_settings(common.get("settings", ""), self.request.get("settings", ""))
        return {**common, **self.request, "settings": settings}


@dataclass(frozen=True)
class Study:
    """Arms that differ in what the study is about; ``reference`` is the one the others are compared with."""

    name: str
    title: str
    reference: str
    arms: Mapping[str, Arm]

    def only(self, names: Sequence[str]) -> "Study":
        """Return the study with some of its arms.

        Raises:
            SettingError: an arm it does not have.
        """
        for name in names:
            if name not in self.arms:
                raise SettingError(unknown(f"arm of study {self.name!r}", name, self.arms))
        return dataclasses.replace(self, arms={name: self.arms[name] for name in names})


def list_studies() -> dict[str, str]:
    """Return every study's name and title."""
    return {name: table["title"] for name, table in read_tables("studies").items()}


def load_study(name: str) -> Study:
    """Return a study.

    Raises:
        SettingError: there is none of that name.
    """
    tables = read_tables("studies")
    if name not in tables:
        raise SettingError(unknown("study", name, tables))
    table = tables[name]
    arms = {
        key: Arm(key, entry["title"], {field: value for field, value in entry.items() if field != "title"})
        for key, entry in table["arms"].items()
    }
    return Study(name, table["title"], table["reference"], arms)


def parse_studies(text: str) -> list[Study]:
    """Return studies from ``NAME`` or ``NAME:ARM,ARM``, several separated by blanks.

    Raises:
        SettingError: an unknown study or arm.
    """
    studies = []
    for item in text.split():
        name, _, arms = item.partition(":")
        studies.append(load_study(name).only(arms.split(",")) if arms else load_study(name))
    return studies


def study_grid(study: Study, ipcs: Sequence[int], seeds: Sequence[int], **common: Any) -> Iterator[Experiment]:
    """Yield a study's experiments, arm by arm; all IPC of an arm share one distillation of the largest."""
    shared: Experiment | None = None
    for arm in study.arms.values():
        for seed in seeds:
            for ipc in ipcs:
                changes = {**arm.of(common), "seed": seed, "ipc": ipc, "distill_ipc": max(ipcs)}
                experiment = shared.with_(**_complete(changes)) if shared else Experiment(**changes)
                shared = shared or experiment
                yield experiment


def _complete(changes: Mapping[str, Any]) -> dict[str, Any]:
    """Every field of a request, so that nothing of an earlier arm stays."""
    return {**dataclasses.asdict(Request()), **changes}


def study_rows(
    study: Study, rows: Sequence[Mapping[str, str]], ipcs: Sequence[int], seeds: Sequence[int], **common: Any
) -> list[dict[str, str]]:
    """Return the rows that belong to a study, each with its ``arm``; arms share rows where their settings are equal.

    A row is found by its settings, not by a label: what was run is what it says.

    Args:
        study: the study.
        rows: of :func:`fd2lib.record.read_results`.
        ipcs: images per class.
        seeds: seeds.
        **common: the other fields of :class:`Request` that the rows were made with.
    """
    by_settings = {(row["dataset"], row["classes"], row["image_size"], row["settings"]): row for row in rows}
    found = []
    for arm in study.arms.values():
        for seed in seeds:
            for ipc in ipcs:
                recipe = resolve_recipe(Request(**{**arm.of(common), "seed": seed, "ipc": ipc}))
                key = (recipe.dataset, recipe.classes, str(recipe.image_size), settings_text(recipe))
                if key in by_settings:
                    # A whole training set has no IPC: its row stands beside each.
                    found.append({**by_settings[key], "arm": arm.name, "asked_ipc": str(ipc)})
    return found
