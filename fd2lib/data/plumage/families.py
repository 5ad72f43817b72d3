"""Classes of the embedded set: which marks a class wears, its name, and what tells it from its relatives."""

import tomllib
from dataclasses import dataclass, field
from functools import cache
from importlib import resources
from typing import Any

from fd2lib.ground import SettingError

PARTS = ("crown", "eye_ring", "beak", "throat", "breast", "wing_bar", "tail_band", "legs")
# Two marks for each of three parts, chosen with even parity: any two siblings differ in exactly two parts, and
# any two of the three parts name the class, so that an image with one part hidden can still be told.
SIBLING_CODES = ((0, 0, 0), (0, 1, 1), (1, 0, 1), (1, 1, 0))
MAX_CLASSES = 64  # four in each of the sixteen families


@dataclass(frozen=True)
class Family:
    """One family: its build, the colours all siblings share, and two marks for each of three parts.

    ``plumage`` names the colours of back, belly, wing, head, cheek and tail; ``build`` holds factors of the average.
    """

    plumage: tuple[str, ...]
    varying: dict[str, tuple[str, str]]
    build: dict[str, float]
    shared: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Plumage:
    """One class: its family, its name and the mark it wears on each part: a colour, colour and style, or "none"."""

    family: Family
    name: str
    marks: dict[str, str]


@cache
def catalogue() -> dict[str, Any]:
    """Return the tables of ``plumage.toml``."""
    return tomllib.loads(resources.files(__package__).joinpath("plumage.toml").read_text(encoding="utf-8"))


@cache
def all_classes() -> tuple[Plumage, ...]:
    """Return every class in label order: families by name, siblings by name within the family."""
    classes = []
    for family_name, table in catalogue()["families"].items():
        family = Family(**table | {"build": catalogue()["build"] | table["build"]})
        for code in SIBLING_CODES:
            worn = {part: marks[bit] for (part, marks), bit in zip(family.varying.items(), code, strict=True)}
            # Two of the three marks make the name unique: parity gives the third.
            name = " ".join([family_name, *(_adjective(*mark) for mark in list(worn.items())[:2])])
            classes.append(Plumage(family, name, catalogue()["default"] | family.shared | worn))
    return tuple(sorted(classes, key=lambda plumage: plumage.name))


def _adjective(part: str, mark: str) -> str:
    (colour, _, style), words = mark.partition(" "), catalogue()["adjectives"]
    return f"{'plain' if colour == 'none' else colour}-{words.get(style, words[part])}"


def check_class(num_classes: int, class_index: int = 0) -> None:
    """Raise SettingError unless the set can be drawn with ``num_classes`` and ``class_index`` is one of them."""
    if not isinstance(num_classes, int) or not 2 <= num_classes <= MAX_CLASSES:
        raise SettingError(
            f"plumage has no set of {num_classes!r} classes: expected a whole number from 2 to {MAX_CLASSES}; "
            "ask for fewer classes, or use a data set on disk."
        )
    if not 0 <= class_index < num_classes:
        raise SettingError(
            f"class index {class_index} is outside the {num_classes} classes asked for: "
            f"use 0 to {num_classes - 1}, or raise num_classes."
        )


def class_names(num_classes: int) -> tuple[str, ...]:
    """Return the names of the first ``num_classes`` classes; their alphabetical order is the label order.

    A name is the family followed by two of the three marks that its siblings share out among themselves,
    such as ``"Birchtit orange-billed black-throated"``. There are 2 to 64 classes.
    """
    check_class(num_classes)
    return tuple(plumage.name for plumage in all_classes()[:num_classes])


def siblings(class_index: int, num_classes: int) -> tuple[int, ...]:
    """Return the other classes of the same family among the first ``num_classes``."""
    check_class(num_classes, class_index)
    first = class_index - class_index % len(SIBLING_CODES)
    return tuple(k for k in range(first, min(first + len(SIBLING_CODES), num_classes)) if k != class_index)


def telling_parts(class_index: int, num_classes: int) -> tuple[str, ...]:
    """Return the parts in which a class differs from at least one of its siblings, in the order of ``PARTS``.

    Two parts where the family has two classes in the set, three where it has more. A class whose siblings were
    all cut off by ``num_classes`` gets the three parts in which its family varies.
    """
    relatives, classes = siblings(class_index, num_classes), all_classes()
    own = classes[class_index]
    if not relatives:
        return tuple(part for part in PARTS if part in own.family.varying)
    return tuple(part for part in PARTS if any(classes[k].marks[part] != own.marks[part] for k in relatives))
