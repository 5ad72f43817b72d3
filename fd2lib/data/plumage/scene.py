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


def _choose(rng: np.random.Generator, choices: list[Any]) -> Any:
    return choices[rng.integers(len(choices))]


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
    backdrop = _choose(rng, list(catalogue()["backdrops"].values()))
    palette = np.array(backdrop["colours"], dtype=np.float64)
    ends = palette[:2]
    if rng.random() < 0.3:
        ends = ends[::-1]
    count = int(rng.integers(6, 22))
    boxes = np.stack([rng.uniform(-0.1, 1.1, count), rng.uniform(-0.1, 1.1, count), rng.uniform(0.03, 0.16, count)], 1)
    colours = palette[2:][rng.integers(3, size=count)]
    return {
        "backdrop": np.clip(ends * rng.uniform(0.6, 1.4) * rng.uniform(0.75, 1.25, (2, 3)), 0, 255),
        "scatter": backdrop["scatter"],
        "scatter_colours": np.clip(colours * rng.uniform(0.8, 1.2, (count, 3)), 0, 255),
        "scatter_boxes": boxes,
        "backdrop_blur": rng.uniform(0.008, 0.045),
        "perch": _choose(rng, catalogue()["scene"]["perches"]),
        "perch_colour": catalogue()["colours"][_choose(rng, catalogue()["scene"]["perch_colours"])],
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
        "leaf_colour": catalogue()["colours"][_choose(rng, catalogue()["scene"]["leaf_colours"])],
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
    """Return the scene of image ``index`` of ``split``, ``"train"`` or ``"test"``; it knows neither class nor size."""
    if split not in SPLITS:
        raise SettingError(unknown("plumage split", split, SPLITS))
    rng = np.random.default_rng(derive_seed(seed, "plumage", split, index))
    return Scene(**_pose(rng), **_backdrop(rng), **_occluder(rng), **_light(rng))
