"""A bird as polygons: outlines in body units, in painting order, each with a tone and the part it belongs to.

Body units: the bird faces right, y points down, an average body is about one unit long. Every class of a family
paints the same outlines in the same order, in the surrounding tone where a mark is absent, so that siblings
differ nowhere but on their marks.
"""

from functools import cache
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from fd2lib.data.plumage.families import PARTS, Plumage, all_classes, catalogue

Points = NDArray[np.float64]  # [n, 2]

TONES = ("back", "belly", "wing", "head", "cheek", "tail", "eye", "glint", *PARTS)
NECK, RUMP, SHOULDER, HIP = (0.26, -0.26), (-0.40, 0.02), (0.08, -0.08), (0.0, 0.22)
HEAD_CENTRE = (0.33, -0.40)
_LEG_REACH = 0.54


class Outline(NamedTuple):
    """One filled polygon: points in body units, its rigid segment, its tone, a brightness, its part (-1: no part)."""

    points: Points
    segment: str
    tone: int
    shade: float
    part: int


class Bird(NamedTuple):
    """One class, ready to be posed."""

    outlines: tuple[Outline, ...]  # in painting order; those of a segment follow each other
    colours: NDArray[np.float64]  # [len(TONES), 3], 0 to 255
    foot: float  # how far below the hip it stands, in body units


def smooth(points: list[tuple[float, float]], steps: int = 5) -> Points:
    """Return a closed Catmull-Rom curve ``[len(points) * steps, 2]`` through ``points``."""
    p1 = np.asarray(points, dtype=np.float64)
    p0, p2, p3 = np.roll(p1, 1, 0), np.roll(p1, -1, 0), np.roll(p1, -2, 0)
    t = (np.arange(steps) / steps)[None, :, None]
    a, b, c, d = (v[:, None, :] for v in (p1, p2 - p0, 2 * p0 - 5 * p1 + 4 * p2 - p3, 3 * (p1 - p2) + p3 - p0))
    return (a + 0.5 * t * (b + t * (c + t * d))).reshape(-1, 2)


def ellipse(cx: float, cy: float, rx: float, ry: float, turn: float = 0.0, steps: int = 22) -> Points:
    """Return an ellipse ``[steps, 2]`` around (cx, cy), turned clockwise by ``turn`` degrees."""
    angle = np.linspace(0, 2 * np.pi, steps, endpoint=False)
    x, y = rx * np.cos(angle), ry * np.sin(angle)
    c, s = np.cos(np.radians(turn)), np.sin(np.radians(turn))
    return np.stack([cx + c * x - s * y, cy + s * x + c * y], 1)


def arc(radius: float, start: float, stop: float, steps: int = 12) -> list[tuple[float, float]]:
    """Return points on a circle around the head's centre, from ``start`` to ``stop`` degrees (clockwise)."""
    angle = np.radians(np.linspace(start, stop, steps))
    cx, cy = HEAD_CENTRE
    return [(cx + radius * float(np.cos(a)), cy + radius * float(np.sin(a))) for a in angle]


class _Painter:
    """Collects outlines and knows which tone a mark is painted in."""

    def __init__(self, plumage: Plumage) -> None:
        self.plumage = plumage
        self.build = plumage.family.build
        self.outlines: list[Outline] = []

    def add(self, points: ArrayLike, segment: str, tone: str, shade: float = 1.0, part: str = "") -> None:
        index = PARTS.index(part) if part else -1
        self.outlines.append(Outline(np.asarray(points, float), segment, TONES.index(tone), shade, index))

    def style(self, part: str) -> str:
        return self.plumage.marks[part].partition(" ")[2]

    def tone(self, part: str, otherwise: str) -> str:
        return otherwise if self.plumage.marks[part] == "none" else part


def _legs(p: _Painter) -> None:
    foot = HIP[1] + _LEG_REACH * 0.6 * p.build["leg"]
    for x, shade in ((-0.07, 0.8), (0.07, 1.0)):
        p.add([(x - 0.035, 0.2), (x + 0.035, 0.2), (x + 0.045, foot), (x - 0.015, foot)], "legs", "legs", shade, "legs")
        p.add(ellipse(x + 0.04, foot, 0.105, 0.035), "legs", "legs", shade * 0.95, "legs")


def _tail(p: _Painter) -> None:
    x0, reach, notch = -0.36, 0.58 * p.build["tail"], 0.16 * p.build["fork"]

    def across(share: float, half: float) -> list[tuple[float, float]]:
        x = x0 - reach * share
        return [(x, 0.03 + 0.04 * share - half), (x, 0.03 + 0.04 * share + half)]

    (top0, low0), (top1, low1), (top2, low2) = across(0, 0.1), across(0.66, 0.105), across(1.0, 0.12)
    middle = (top2[0] + notch + 0.02, (top2[1] + low2[1]) / 2)
    p.add([top0, top2, middle, low2, low0], "tail", "tail")
    for k, shade in ((0.25, 0.82), (0.6, 0.82)):
        y0, y1 = top0[1] + k * (low0[1] - top0[1]), top1[1] + k * (low1[1] - top1[1])
        p.add([(low0[0], y0), (low1[0], y1), (low1[0], y1 + 0.025), (low0[0], y0 + 0.02)], "tail", "tail", shade)
    p.add([top1, top2, middle, low2, low1], "tail", p.tone("tail_band", "tail"), 1.0, "tail_band")


def _body(p: _Painter) -> None:
    k = p.build["plump"]
    back = [(0.44, -0.14), (0.45, 0.06), (0.32, 0.24), (0.06, 0.33), (-0.24, 0.23), (-0.46, 0.08)]
    back += [(-0.42, -0.06), (-0.2, -0.22), (0.08, -0.40), (0.3, -0.42)]
    belly = [(0.43, -0.14), (0.44, 0.06), (0.31, 0.235), (0.06, 0.325), (-0.22, 0.22), (-0.36, 0.13)]
    belly += [(-0.1, 0.1), (0.08, 0.02), (0.16, -0.16)]
    p.add(smooth([(x, y * k) for x, y in back]), "body", "back")
    p.add(smooth([(x, y * k) for x, y in belly]), "body", "belly")
    under = [(0.38, 0.15), (0.31, 0.235), (0.06, 0.325), (-0.22, 0.22), (-0.36, 0.13), (-0.1, 0.22), (0.12, 0.25)]
    p.add(smooth([(x, y * k) for x, y in under]), "body", "belly", 0.86)


def _breast(p: _Painter) -> None:
    k = p.build["plump"]
    p.add(ellipse(0.27, 0.03 * k, 0.145, 0.19 * k, 8), "body", "belly", 1.0, "breast")
    tone, style = p.tone("breast", "belly"), p.style("breast")
    if style == "collar":
        points = [(0.15, -0.03), (0.26, 0.04), (0.41, -0.02), (0.41, 0.08), (0.27, 0.14), (0.14, 0.07)]
        p.add(smooth([(x, y * k) for x, y in points]), "body", tone, 1.0, "breast")
        return
    rx, ry = (0.03, 0.034) if style == "spots" else (0.021, 0.055)
    for x, y in ((0.21, -0.06), (0.32, -0.06), (0.18, 0.03), (0.27, 0.02), (0.36, 0.03), (0.22, 0.12), (0.32, 0.11)):
        p.add(ellipse(x, y * k, rx, ry, -12, 12), "body", tone, 1.0, "breast")


def _wing(p: _Painter) -> None:
    outline = [(0.14, -0.12), (0.02, -0.24), (-0.24, -0.2), (-0.52, -0.05), (-0.74, 0.09), (-0.48, 0.12)]
    outline += [(-0.16, 0.16), (0.08, 0.08)]
    p.add(smooth([(x - 0.005, y + 0.022) for x, y in outline]), "wing", "wing", 0.72)
    p.add(smooth(outline), "wing", "wing")
    p.add(smooth([(0.12, -0.12), (0.02, -0.22), (0.0, -0.1), (0.02, 0.06), (0.09, 0.05)]), "wing", "wing", 1.14)
    for y0, y1 in ((-0.1, 0.03), (-0.03, 0.065), (0.04, 0.095)):
        p.add([(-0.34, y0), (-0.64, y1), (-0.64, y1 + 0.012), (-0.34, y0 + 0.03)], "wing", "wing", 0.68)
    tone, double = p.tone("wing_bar", "wing"), p.style("wing_bar") == "double"
    centres, half = ((-0.06, -0.22), 0.032) if double else ((-0.12,), 0.052)
    for x in centres:
        bar = [(x - half, -0.2), (x + half, -0.215), (x + half + 0.05, 0.115), (x - half + 0.05, 0.13)]
        p.add(bar, "wing", tone, 1.0, "wing_bar")


def _head(p: _Painter) -> None:
    (cx, cy), r = HEAD_CENTRE, 0.255 * p.build["head"]
    p.add(ellipse(cx, cy, r, r, 0, 30), "head", "head")
    p.add(ellipse(cx - 0.2 * r, cy + 0.32 * r, 0.42 * r, 0.3 * r, 15), "head", "cheek")
    throat = [*arc(1.06 * r, 24, 112), (cx - 0.2 * r, cy + 0.62 * r), (cx + 0.45 * r, cy + 0.4 * r)]
    p.add(throat, "head", p.tone("throat", "head"), 1.0, "throat")
    cap = [*arc(1.02 * r, -8, -172, 16), (cx - 0.4 * r, cy - 0.42 * r), (cx + 0.4 * r, cy - 0.42 * r)]
    crown = p.tone("crown", "head")
    if p.style("crown") == "crest":
        crest = [(0.45, -0.9), (0.0, -1.25), (-0.95, -1.75), (-0.72, -1.2), (-1.2, -1.1), (-0.92, -0.4), (0, -0.7)]
        p.add(smooth([(cx + x * r, cy + y * r) for x, y in crest], 4), "head", crown, 1.0, "crown")
    p.add(cap, "head", crown, 1.0, "crown")
    _beak(p, cx, cy, r)
    x, y = cx + 0.34 * r, cy - 0.08 * r
    p.add(ellipse(x, y, 0.43 * r, 0.41 * r), "head", p.tone("eye_ring", "head"), 1.0, "eye_ring")
    p.add(ellipse(x, y, 0.26 * r, 0.26 * r, 0, 16), "head", "eye", 1.0, "eye_ring")
    p.add(ellipse(x + 0.09 * r, y - 0.1 * r, 0.085 * r, 0.085 * r, 0, 8), "head", "glint", 1.0, "eye_ring")


def _beak(p: _Painter, cx: float, cy: float, r: float) -> None:
    reach, deep = 0.27 * p.build["beak"], 0.3 * r * p.build["beak_depth"]
    x, y = cx + 0.86 * r, cy + 0.14 * r
    tip = (x + reach, y + 0.3 * deep)
    upper = [(x, y - deep), (x + 0.45 * reach, y - 0.62 * deep), tip, (x, y + 0.12 * deep)]
    p.add([(x, y), tip, (x + 0.4 * reach, y + 0.75 * deep), (x, y + 0.95 * deep)], "head", "beak", 0.78, "beak")
    p.add(upper, "head", "beak", 1.0, "beak")


@cache
def bird(class_index: int, grain: str = "") -> Bird:
    """Return the outlines of class ``class_index`` (0 to 63, of a grain 0 to 7)."""
    plumage = all_classes(grain)[class_index]
    painter = _Painter(plumage)
    for paint in (_tail, _legs, _body, _breast, _wing, _head):
        paint(painter)
    names = dict(zip(TONES[:6], plumage.family.plumage, strict=True)) | {"eye": "black", "glint": "white"}
    names |= {part: mark.partition(" ")[0] for part, mark in plumage.marks.items()}
    colours = np.array([catalogue()["colours"].get(names[tone], (0, 0, 0)) for tone in TONES], dtype=np.float64)
    return Bird(tuple(painter.outlines), colours, _LEG_REACH * 0.6 * plumage.family.build["leg"])
