"""Classes of the embedded set: which marks a class wears, its name, and what tells it from its relatives."""

from dataclasses import dataclass
from functools import lru_cache

from fd2lib.data.plumage.catalogue import DEFAULT_MARKS, FAMILIES, PARTS, Family
from fd2lib.ground import SettingError

# Two marks for each of three parts, chosen with even parity: any two siblings differ in exactly two parts, and
# any two of the three parts name the class, so that an image with one part hidden can still be told.
SIBLING_CODES: tuple[tuple[int, int, int], ...] = ((0, 0, 0), (0, 1, 1), (1, 0, 1), (1, 1, 0))
MAX_CLASSES = len(FAMILIES) * len(SIBLING_CODES)

_ADJECTIVES = {
    "crown": "{}-capped",
    "eye_ring": "{}-ringed",
    "beak": "{}-billed",
    "throat": "{}-throated",
    "breast": "{}-breasted",
    "wing_bar": "{}-barred",
    "tail_band": "{}-tailed",
    "legs": "{}-legged",
}
_STYLED = {"crest": "{}-crested", "spots": "{}-spotted", "streaks": "{}-streaked", "collar": "{}-collared"}


@dataclass(frozen=True)
class Plumage:
    """One class: its family, its name and the mark it wears on each part."""

    family: Family
    name: str
    marks: tuple[tuple[str, str], ...]

    def mark(self, part: str) -> str:
        """Return the mark on ``part``: ``"colour"``, ``"colour style"`` or ``"none"``."""
        return dict(self.marks)[part]


def check_num_classes(num_classes: int) -> None:
    """Raise SettingError unless the set can be drawn with ``num_classes`` classes."""
    if not isinstance(num_classes, int) or not 2 <= num_classes <= MAX_CLASSES:
        raise SettingError(
            f"plumage has no set of {num_classes!r} classes: expected a whole number from 2 to {MAX_CLASSES}; "
            "ask for fewer classes, or use a data set on disk."
        )


def check_class_index(class_index: int, num_classes: int) -> None:
    """Raise SettingError unless ``class_index`` is one of ``num_classes`` classes."""
    check_num_classes(num_classes)
    if not 0 <= class_index < num_classes:
        raise SettingError(
            f"class index {class_index} is outside the {num_classes} classes asked for: "
            f"use 0 to {num_classes - 1}, or raise num_classes."
        )


def _adjective(part: str, mark: str) -> str:
    colour, _, style = mark.partition(" ")
    return _STYLED.get(style, _ADJECTIVES[part]).format("plain" if colour == "none" else colour)


@lru_cache(maxsize=1)
def all_classes() -> tuple[Plumage, ...]:
    """Return every class in label order: families by name, siblings by name within the family."""
    classes = []
    for family in FAMILIES:
        siblings = []
        for code in SIBLING_CODES:
            worn = {part: marks[bit] for (part, marks), bit in zip(family.varying.items(), code, strict=True)}
            # Two of the three marks make the name unique: parity gives the third.
            adjectives = [_adjective(part, mark) for part, mark in list(worn.items())[:2]]
            marks = DEFAULT_MARKS | family.shared | worn
            name = " ".join([family.name, *adjectives])
            siblings.append(Plumage(family, name, tuple((part, marks[part]) for part in PARTS)))
        classes.extend(sorted(siblings, key=lambda plumage: plumage.name))
    return tuple(classes)


def class_names(num_classes: int) -> tuple[str, ...]:
    """Return the names of the first ``num_classes`` classes; their alphabetical order is the label order.

    A name is the family followed by two of the three marks that its siblings share out among themselves,
    such as ``"Birchtit orange-billed black-throated"``.

    Raises:
        SettingError: fewer than 2 classes, or more than 64.
    """
    check_num_classes(num_classes)
    return tuple(plumage.name for plumage in all_classes()[:num_classes])


def siblings(class_index: int, num_classes: int) -> tuple[int, ...]:
    """Return the other classes of the same family among the first ``num_classes``.

    Raises:
        SettingError: a class index or a number of classes that does not exist.
    """
    check_class_index(class_index, num_classes)
    size = len(SIBLING_CODES)
    first = class_index // size * size
    return tuple(k for k in range(first, min(first + size, num_classes)) if k != class_index)


def telling_parts(class_index: int, num_classes: int) -> tuple[str, ...]:
    """Return the parts in which a class differs from at least one of its siblings, in the order of ``PARTS``.

    Two parts where the family has two classes in the set, three where it has more. A class whose siblings were
    all cut off by ``num_classes`` gets the three parts in which its family varies.

    Raises:
        SettingError: a class index or a number of classes that does not exist.
    """
    relatives = siblings(class_index, num_classes)
    classes = all_classes()
    own = classes[class_index]
    if not relatives:
        return tuple(part for part in PARTS if part in own.family.varying)
    return tuple(part for part in PARTS if any(classes[k].mark(part) != own.mark(part) for k in relatives))
