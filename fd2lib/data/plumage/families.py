"""Classes of the embedded set: which marks a class wears, its name, and what tells it from its relatives."""

import tomllib
from dataclasses import dataclass, field
from functools import cache
from importlib import resources
from typing import Any

from fd2lib.ground import SettingError, require

PARTS = ("crown", "eye_ring", "beak", "throat", "breast", "wing_bar", "tail_band", "legs")
# Two marks for each of three parts, chosen with even parity: any two siblings differ in exactly two parts, and
# any two of the three parts name the class, so that an image with one part hidden can still be told.
SIBLING_CODES = ((0, 0, 0), (0, 1, 1), (1, 0, 1), (1, 1, 0))
MAX_CLASSES = 64  # four in each of the sixteen families
# Sets of eight by how coarse they are: two families of four whose siblings differ in exactly one, two or three parts,
# or eight families of one; "" is the set above. Scenes are the same in all.
GRAINS = ("", "one", "two", "three", "families")


@dataclass(frozen=True)
class Family:
    """One family: its build, the colours all siblings share, and two marks (of a grain: four) for each of three parts.

    ``plumage`` names the colours of back, belly, wing, head, cheek and tail; ``build`` holds factors of the average.
    """

    plumage: tuple[str, ...]
    varying: dict[str, tuple[str, ...]]
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
def all_classes(grain: str = "") -> tuple[Plumage, ...]:
    """Return every class of a grain in label order: families by name, siblings by name within the family.

    Raises:
        SettingError: there is no such grain.
    """
    require("grain", grain, GRAINS)
    if grain == "families":
        return all_classes()[:: len(SIBLING_CODES)][:8]
    classes = []
    for name, table in catalogue()["families"].items():
        varying = catalogue()["grain"].get(name, {}) if grain else table["varying"]
        if not varying:
            continue
        family = Family(**table | {"build": catalogue()["build"] | table["build"], "varying": varying})
        telling = GRAINS.index(grain)
        codes = [[sibling] * telling + [0] * (3 - telling) for sibling in range(4)] if grain else SIBLING_CODES
        for code in codes:
            worn = {part: marks[mark] for (part, marks), mark in zip(varying.items(), code, strict=True)}
            # Two of the three marks make the name unique: parity gives the third, and of a grain the first differs.
            words = " ".join([name, *(_adjective(*mark) for mark in list(worn.items())[:2])])
            classes.append(Plumage(family, words, catalogue()["default"] | family.shared | worn))
    return tuple(sorted(classes, key=lambda plumage: plumage.name))


def _adjective(part: str, mark: str) -> str:
    (colour, _, style), words = mark.partition(" "), catalogue()["adjectives"]
    return f"{'plain' if colour == 'none' else colour}-{words.get(style, words[part])}"


def check_class(num_classes: int, class_index: int = 0, grain: str = "") -> None:
    """Raise SettingError unless a grain can be drawn with ``num_classes`` and ``class_index`` is one of them."""
    most = len(all_classes(grain))
    if not isinstance(num_classes, int) or not 2 <= num_classes <= most:
        raise SettingError(
            f"plumage{grain and f' of grain {grain!r}'} has no set of {num_classes!r} classes: expected a whole number "
            f"from 2 to {most}; ask for fewer classes, or use a data set on disk."
        )
    if not 0 <= class_index < num_classes:
        raise SettingError(
            f"class index {class_index} is outside the {num_classes} classes asked for: "
            f"use 0 to {num_classes - 1}, or raise num_classes."
        )


def class_names(num_classes: int, grain: str = "") -> tuple[str, ...]:
    """Return the names of the first ``num_classes`` classes; their alphabetical order is the label order.

    A name is the family followed by two of the three marks that its siblings share out among themselves,
    such as ``"Birchtit orange-billed black-throated"``. There are 2 to 64 classes, of a grain 2 to 8.
    """
    check_class(num_classes, grain=grain)
    return tuple(plumage.name for plumage in all_classes(grain)[:num_classes])


def siblings(class_index: int, num_classes: int, grain: str = "") -> tuple[int, ...]:
    """Return the other classes of the same family among the first ``num_classes``."""
    check_class(num_classes, class_index, grain)
    classes = all_classes(grain)[:num_classes]
    own = classes[class_index].family
    return tuple(k for k, other in enumerate(classes) if other.family is own and k != class_index)


def telling_parts(class_index: int, num_classes: int, grain: str = "") -> tuple[str, ...]:
    """Return the parts in which a class differs from at least one of its siblings, in the order of ``PARTS``.

    Two parts where the family has two classes in the set, three where it has more; of a grain as many as it says. A
    class whose siblings were all cut off by ``num_classes`` gets the parts in which its family varies. Classes of
    different families have no siblings: theirs are the parts marked otherwise than in any other class, and their bodies
    differ as well.
    """
    relatives, classes = siblings(class_index, num_classes, grain), all_classes(grain)
    own = classes[class_index]
    if not relatives:  # all those that there would be
        relatives = siblings(class_index, len(classes), grain) or tuple(range(num_classes))
    return tuple(part for part in PARTS if any(classes[k].marks[part] != own.marks[part] for k in relatives))
