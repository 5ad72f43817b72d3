"""Everything about an image that says nothing about its class: pose, place, light, background, occlusion.

A scene is drawn from (seed, split, index) alone, in units that do not know the image size, so the same bird
can be drawn at any resolution, and two classes can be drawn in one and the same scene.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fd2lib.data.plumage.anatomy import TONES
from fd2lib.data.plumage.families import catalogue
from fd2lib.ground import SettingError, derive_seed, unknown

SPLITS = ("train", "test")

Floats = NDArray[np.float64]
# Colour of the far background at the top and at the bottom, and of what is scattered over it.
BACKDROPS: dict[str, tuple[str, tuple[tuple[int, int, int], ...]]] = {
    "foliage": ("leaves", ((64, 98, 52), (36, 62, 38), (104, 144, 62), (152, 178, 82), (46, 84, 50))),
    "sky": ("clouds", ((94, 150, 212), (186, 214, 234), (244, 246, 248), (226, 234, 242), (206, 220, 236))),
    "water": ("ripples", ((96, 148, 164), (42, 88, 112), (136, 186, 196), (64, 112, 132), (188, 212, 212))),
    "meadow": ("blades", ((174, 200, 152), (94, 130, 58), (128, 160, 64), (196, 190, 92), (220, 150, 170))),
    "autumn": ("leaves", ((150, 96, 54), (92, 58, 40), (206, 128, 44), (222, 170, 70), (140, 56, 38))),
    "dusk": ("clouds", ((82, 74, 118), (232, 158, 116), (244, 192, 142), (150, 104, 132), (252, 214, 160))),
    "winter": ("leaves", ((198, 208, 220), (150, 164, 182), (236, 240, 246), (120, 134, 150), (214, 222, 234))),
    "thicket": ("blades", ((54, 52, 42), (32, 34, 30), (92, 84, 60), (70, 88, 56), (118, 108, 84))),
    "blossom": ("leaves", ((206, 168, 184), (128, 152, 112), (244, 206, 216), (232, 154, 180), (160, 186, 130))),
}
PERCHES = ("branch", "branch", "branch", "ground", "stone", "rail")
_PERCH_COLOURS = ("umber", "brown", "tan", "grey", "moss", "sand", "charcoal")
_LEAF_COLOURS = ("moss", "green", "olive", "rufous", "yellow", "umber")


@dataclass(frozen=True)
class Scene:
    """One draw of every nuisance; lengths in half image sides, angles in degrees, colours in 0 to 255."""

    flip: bool
    scale: float
    shift: tuple[float, float]
    squash: float
    angles: dict[str, float]
    tone_jitter: Floats
    backdrop: Floats
    scatter: str
    scatter_colours: Floats
    scatter_boxes: Floats
    backdrop_blur: float
    perch: str
    perch_colour: list[int]
    perch_slope: float
    perch_width: float
    twig: Floats | None
    twig_width: float
    leaves: Floats
    leaf_colour: list[int]
    light: Floats
    texture: Floats
    cast: Floats
    contrast: float
    saturation: float
    blur: float


def _pose(rng: np.random.Generator) -> dict[str, Any]:
    angles = {"bird": rng.uniform(-30, 26), "head": rng.uniform(-24, 26), "tail": rng.uniform(-26, 24)}
    angles |= {"wing": rng.uniform(-9, 7), "legs": rng.uniform(-8, 8)}
    scale = rng.uniform(0.62, 1.1)
    # The smaller the bird, the further from the middle it may sit.
    room = 0.1 + 0.5 * (1.1 - scale)
    return {
        "flip": bool(rng.random() < 0.5),
        "scale": scale,
        "shift": (rng.uniform(-room, room), rng.uniform(-room, 0.8 * room)),
        "squash": rng.uniform(0.8, 1.0),
        "angles": angles,
        # Individuals of one class differ in shade and a little in hue.
        "tone_jitter": rng.uniform(0.7, 1.25, (len(TONES), 1)) * rng.uniform(0.88, 1.12, (len(TONES), 3)),
    }


def _backdrop(rng: np.random.Generator) -> dict[str, Any]:
    scatter, palette = BACKDROPS[list(BACKDROPS)[rng.integers(len(BACKDROPS))]]
    ends = np.array(palette[:2], dtype=np.float64)
    if rng.random() < 0.3:
        ends = ends[::-1]
    count = int(rng.integers(6, 22))
    boxes = np.stack([rng.uniform(-0.1, 1.1, count), rng.uniform(-0.1, 1.1, count), rng.uniform(0.03, 0.16, count)], 1)
    colours = np.array(palette[2:], dtype=np.float64)[rng.integers(3, size=count)]
    return {
        "backdrop": np.clip(ends * rng.uniform(0.6, 1.4) * rng.uniform(0.75, 1.25, (2, 3)), 0, 255),
        "scatter": scatter,
        "scatter_colours": np.clip(colours * rng.uniform(0.8, 1.2, (count, 3)), 0, 255),
        "scatter_boxes": boxes,
        "backdrop_blur": rng.uniform(0.008, 0.045),
        "perch": PERCHES[rng.integers(len(PERCHES))],
        "perch_colour": catalogue()["colours"][_PERCH_COLOURS[rng.integers(len(_PERCH_COLOURS))]],
        "perch_slope": rng.uniform(-0.28, 0.28),
        "perch_width": rng.uniform(0.05, 0.13),
    }


def _occluder(rng: np.random.Generator) -> dict[str, Any]:
    """A twig in front of the bird, straight through the picture, with a few leaves: in about half of the images."""
    present = rng.random() < 0.6
    angle, offset = rng.uniform(0, np.pi), rng.uniform(-0.75, 0.75)
    along, across = np.array([np.cos(angle), np.sin(angle)]), np.array([-np.sin(angle), np.cos(angle)])
    count = int(rng.integers(1, 5))
    leaves = np.stack([rng.uniform(-0.9, 0.9, count), rng.uniform(0.08, 0.17, count), rng.uniform(25, 70, count)], 1)
    leaves[:, 2] *= np.where(rng.random(count) < 0.5, -1.0, 1.0)
    return {
        "twig": np.stack([across * offset - 2 * along, across * offset + 2 * along]) if present else None,
        "twig_width": rng.uniform(0.025, 0.065),
        "leaves": leaves,
        "leaf_colour": catalogue()["colours"][_LEAF_COLOURS[rng.integers(len(_LEAF_COLOURS))]],
    }


def _light(rng: np.random.Generator) -> dict[str, Any]:
    turn, strength = rng.uniform(0, 2 * np.pi), rng.uniform(0.0, 0.45)
    row, column = np.mgrid[-1:1:6j, -1:1:6j]
    slope = strength * (np.cos(turn) * column + np.sin(turn) * row)
    return {
        "light": (1 + slope + rng.uniform(-0.14, 0.14, (6, 6))) * rng.uniform(0.58, 1.35),
        "texture": rng.normal(0.0, 1.0, (40, 40)) * rng.uniform(0.015, 0.05),
        "cast": rng.uniform(0.7, 1.3, 3),
        "contrast": rng.uniform(0.7, 1.25),
        "saturation": rng.uniform(0.6, 1.25),
        "blur": max(0.0, rng.uniform(-0.006, 0.015)),
    }


def draw_scene(seed: int, split: str, index: int) -> Scene:
    """Return the scene of image ``index`` of ``split``; it knows neither class nor image size.

    Raises:
        SettingError: ``split`` is neither ``"train"`` nor ``"test"``.
    """
    if split not in SPLITS:
        raise SettingError(unknown("plumage split", split, SPLITS))
    rng = np.random.default_rng(derive_seed(seed, "plumage", split, index))
    return Scene(**_pose(rng), **_backdrop(rng), **_occluder(rng), **_light(rng))
