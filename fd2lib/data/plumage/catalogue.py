"""The sixteen families of the embedded set: build, plumage, and the three parts in which siblings differ.

A mark is written as ``"colour"``, ``"colour style"`` or ``"none"``; the styles of a part are those that
:mod:`fd2lib.data.plumage.anatomy` can draw. A family that does not mention a part has the default mark.
"""

from dataclasses import dataclass, field

PARTS: tuple[str, ...] = ("crown", "eye_ring", "beak", "throat", "breast", "wing_bar", "tail_band", "legs")

COLOURS: dict[str, tuple[int, int, int]] = {
    "black": (28, 28, 34),
    "charcoal": (62, 62, 70),
    "grey": (134, 138, 146),
    "white": (246, 245, 238),
    "cream": (240, 222, 178),
    "sand": (212, 184, 138),
    "tan": (176, 142, 102),
    "brown": (118, 84, 58),
    "umber": (84, 62, 48),
    "rufous": (178, 84, 40),
    "orange": (240, 136, 36),
    "yellow": (248, 208, 48),
    "red": (208, 42, 44),
    "rose": (226, 128, 140),
    "pink": (240, 158, 150),
    "olive": (126, 128, 66),
    "moss": (84, 104, 58),
    "green": (70, 142, 74),
    "teal": (44, 126, 134),
    "sky": (112, 172, 216),
    "blue": (52, 96, 178),
    "slate": (84, 100, 122),
    "violet": (116, 84, 150),
}

DEFAULT_MARKS: dict[str, str] = {part: "none" for part in PARTS} | {"beak": "charcoal", "legs": "umber"}


@dataclass(frozen=True)
class Build:
    """Proportions of a family's body, as factors of an average songbird's."""

    plump: float = 1.0
    head: float = 1.0
    beak: float = 1.0
    beak_depth: float = 1.0
    tail: float = 1.0
    fork: float = 0.0
    leg: float = 1.0


@dataclass(frozen=True)
class Family:
    """One family: a name, a build, the colours all siblings share, and two marks for each of three parts.

    ``plumage`` names the colours of back, belly, wing, head, cheek and tail, in this order.
    """

    name: str
    plumage: tuple[str, str, str, str, str, str]
    varying: dict[str, tuple[str, str]]
    build: Build = field(default_factory=Build)
    shared: dict[str, str] = field(default_factory=dict)


FAMILIES: tuple[Family, ...] = (
    Family(
        "Alderfinch",
        ("brown", "cream", "umber", "tan", "sand", "umber"),
        {"crown": ("none", "red"), "breast": ("none", "umber spots"), "tail_band": ("none", "white")},
        Build(plump=1.05, beak=0.85, beak_depth=1.25),
    ),
    Family(
        "Birchtit",
        ("slate", "cream", "charcoal", "slate", "white", "charcoal"),
        {"beak": ("charcoal", "orange"), "throat": ("none", "black"), "wing_bar": ("none", "white")},
        Build(plump=1.1, head=1.1, tail=0.95),
    ),
    Family(
        "Cloudwren",
        ("tan", "white", "brown", "tan", "cream", "brown"),
        {"crown": ("none", "black"), "eye_ring": ("none", "white"), "legs": ("umber", "orange")},
        Build(plump=1.12, beak=1.15, beak_depth=0.75, tail=0.75, leg=1.1),
    ),
    Family(
        "Dunethrush",
        ("olive", "cream", "moss", "olive", "olive", "moss"),
        {"throat": ("none", "orange"), "breast": ("none", "umber streaks"), "wing_bar": ("none", "yellow")},
        Build(plump=1.0, beak=1.05, tail=1.05, leg=1.1),
        {"eye_ring": "white"},
    ),
    Family(
        "Embertail",
        ("charcoal", "orange", "charcoal", "grey", "grey", "charcoal"),
        {"beak": ("charcoal", "yellow"), "eye_ring": ("none", "yellow"), "tail_band": ("none", "red")},
        Build(plump=0.95, tail=1.15, beak_depth=0.85),
    ),
    Family(
        "Fenwarbler",
        ("moss", "yellow", "olive", "moss", "olive", "olive"),
        {"crown": ("none", "rufous"), "breast": ("none", "black collar"), "legs": ("charcoal", "pink")},
        Build(plump=0.95, head=0.97, beak_depth=0.75),
    ),
    Family(
        "Glassjay",
        ("blue", "white", "blue", "blue", "sky", "blue"),
        {"crown": ("none", "blue crest"), "throat": ("none", "black"), "wing_bar": ("none", "white double")},
        Build(plump=0.95, beak=1.1, beak_depth=1.1, tail=1.2),
    ),
    Family(
        "Heathlark",
        ("sand", "cream", "tan", "sand", "cream", "brown"),
        {"eye_ring": ("none", "black"), "breast": ("none", "brown streaks"), "legs": ("umber", "red")},
        Build(plump=0.97, beak_depth=0.85, leg=1.15),
        {"crown": "tan"},
    ),
    Family(
        "Islebunting",
        ("rufous", "white", "umber", "black", "white", "umber"),
        {"beak": ("grey", "red"), "wing_bar": ("none", "white"), "tail_band": ("none", "white")},
        Build(plump=1.05, beak=0.8, beak_depth=1.35),
    ),
    Family(
        "Junipersparrow",
        ("grey", "white", "slate", "grey", "white", "slate"),
        {"crown": ("none", "rufous"), "throat": ("none", "yellow"), "tail_band": ("none", "black")},
        Build(plump=1.08, beak=0.85, beak_depth=1.15),
    ),
    Family(
        "Kelpchat",
        ("teal", "sand", "slate", "teal", "teal", "slate"),
        {"beak": ("charcoal", "orange"), "breast": ("none", "black spots"), "legs": ("charcoal", "yellow")},
        Build(plump=1.0, beak=1.2, beak_depth=0.8, tail=0.85),
    ),
    Family(
        "Larchcreeper",
        ("umber", "white", "umber", "umber", "cream", "brown"),
        {"eye_ring": ("none", "white"), "throat": ("none", "rose"), "tail_band": ("none", "cream")},
        Build(plump=0.9, head=0.95, beak=1.3, beak_depth=0.7, tail=1.1),
    ),
    Family(
        "Mistswallow",
        ("violet", "cream", "slate", "violet", "rose", "slate"),
        {"throat": ("none", "red"), "wing_bar": ("none", "white"), "legs": ("umber", "orange")},
        Build(plump=0.88, beak=0.75, tail=1.25, fork=1.0, leg=0.9),
    ),
    Family(
        "Nettlevireo",
        ("green", "cream", "moss", "green", "olive", "moss"),
        {"crown": ("none", "black"), "eye_ring": ("none", "white"), "wing_bar": ("none", "yellow double")},
        Build(plump=1.05, beak=0.95, tail=0.9),
    ),
    Family(
        "Oakwaxwing",
        ("tan", "yellow", "grey", "tan", "brown", "grey"),
        {"crown": ("none", "tan crest"), "beak": ("charcoal", "red"), "tail_band": ("none", "yellow")},
        Build(plump=1.1, beak=0.8, tail=0.95),
    ),
    Family(
        "Pinerobin",
        ("slate", "rufous", "charcoal", "slate", "slate", "charcoal"),
        {"breast": ("none", "white collar"), "eye_ring": ("none", "white"), "legs": ("umber", "yellow")},
        Build(plump=1.12, head=1.05, leg=1.15),
    ),
)
