"""Studies: named sets of arms, run as a grid or looked up among rows that were run before."""

import dataclasses
import itertools
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from fd2lib.data import image_set_name
from fd2lib.drive.experiment import Experiment, resolve_recipe
from fd2lib.drive.request import Request, todays_names
from fd2lib.drive.rows import settings_text
from fd2lib.ground import ArtefactError, SettingError, join_overrides, read_tables, unknown
from fd2lib.record import row_identity


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
    arms = {}
    for key, entry in table["arms"].items():
        given = {field: value for field, value in entry.items() if field != "title"}
        arms[key] = Arm(key, entry["title"], todays_names(given, Request))
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


def study_requests(study: Study, ipcs: Sequence[int], seeds: Sequence[int], **common: Any) -> Iterator[Request]:
    """Yield the requests of a study, arm by arm; all IPC of an arm share one distillation of the largest."""
    for arm, seed, ipc in itertools.product(study.arms.values(), seeds, ipcs):
        yield Request(**{**arm.of(common), "seed": seed, "ipc": ipc, "distill_ipc": max(ipcs)})


def study_grid(study: Study, ipcs: Sequence[int], seeds: Sequence[int], **common: Any) -> Iterator[Experiment]:
    """Yield a study's experiments in the order of :func:`study_requests`; loaded images are shared."""
    first: Experiment | None = None
    for request in study_requests(study, ipcs, seeds, **common):
        fields = {field.name: getattr(request, field.name) for field in dataclasses.fields(request)}
        first = first or Experiment(**fields)
        yield first.derived(**fields)


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

    A row is found by what it means, not by a label: what was run is what it says.

    Args:
        study: the study.
        rows: of :func:`fd2lib.record.read_rows`.
        ipcs: images per class; none for all that the rows have.
        seeds: likewise.
        images_fingerprint: of the images, where rows of several sets under one name may be there.
        **common: the other fields of :class:`Request` that the rows were made with.

    Raises:
        ArtefactError: an experiment is there twice.
    """
    known = by_identity(rows, images_fingerprint)
    ipcs = ipcs or sorted({int(row["ipc"]) for row in rows} - {0}) or [1]
    seeds = seeds or sorted({int(row["seed"]) for row in rows})
    found = []
    for arm, seed, ipc in itertools.product(study.arms.values(), seeds, ipcs):
        key = request_identity(Request(**{**arm.of(common), "seed": seed, "ipc": ipc}))
        if key in known:
            # A whole training set has no IPC: its row stands beside each.
            found.append({**known[key], "arm": arm.name, "asked_ipc": str(ipc)})
    return found


def by_identity(
    rows: Iterable[Mapping[str, str]], images_fingerprint: str = ""
) -> dict[tuple[str, ...], Mapping[str, str]]:
    """Return students' rows by what they are of, of these images where their fingerprint is given.

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
    return known


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
