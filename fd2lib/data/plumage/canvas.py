"""From a bird and a scene to pixels.

Every polygon is painted once, as its number, on an oversized one-byte canvas. Colours, cover and part masks are
look-ups in that one canvas followed by a box average, so that image and masks agree to the pixel and edges are
antialiased. Background and light are smooth and are made at the final size.
"""

from collections.abc import Iterator, Sequence
from itertools import groupby

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFilter

from fd2lib.data.plumage.anatomy import HIP, NECK, RUMP, SHOULDER, Bird, Points
from fd2lib.data.plumage.families import PARTS
from fd2lib.data.plumage.scene import Scene

Floats = NDArray[np.float64]
_PIVOTS = {"head": NECK, "tail": RUMP, "wing": SHOULDER, "legs": HIP, "body": (0.0, 0.0)}
_CENTRE = np.array([-0.06, -0.05])  # middle of the bird's extent in body units
_SCATTER = {"leaves": (1.1, 0.8), "clouds": (2.2, 0.8), "ripples": (2.6, 0.22), "blades": (0.22, 2.6)}  # stretch
_SMALL = 64  # side of the background before it is enlarged
# A pixel belongs to a part from this share of its area on: legs and eye rings are about two pixels wide at 64.
MASK_COVER = 0.25


class Canvas:
    """Numbered polygons, painted in order, with the colour and the part of each number.

    Coordinates are in half image sides from the centre, x to the right and y down.
    """

    def __init__(self, size: int) -> None:
        self.size = size
        self.factor = 4 if size <= 96 else 3 if size <= 256 else 2
        self.image = Image.new("P", (size * self.factor,) * 2)
        self.pen = ImageDraw.Draw(self.image)
        self.colours: list[tuple[float, float, float]] = [(0.0, 0.0, 0.0)]
        self.parts: list[int] = [-1]

    def paint(self, points: Points, colour: Sequence[float] | Floats, part: int = -1) -> None:
        """Paint one polygon ``[n, 2]`` over what is there."""
        half = self.size * self.factor / 2
        self.pen.polygon((points * half + (half - 0.5)).ravel().tolist(), fill=len(self.colours))
        self.colours.append(tuple(colour))
        self.parts.append(part)

    def pixels(self) -> tuple[np.ndarray, np.ndarray]:
        """Return colours times cover ``[S, S, 3]`` in 0 to 255 and cover ``[S, S, 1]`` in 0 to 1."""
        table = np.clip(np.rint(self.colours), 0, 255).astype(np.uint8)
        self.image.putpalette(table.tobytes())
        colour = self.image.convert("RGB").reduce(self.factor)
        cover = self.image.point([0] + [255] * 255, "L").reduce(self.factor)
        return np.asarray(colour, dtype=np.float32), np.asarray(cover, dtype=np.float32)[..., None] / 255

    def masks(self) -> np.ndarray:
        """Return one mask per part ``[len(PARTS), S, S]``, bool; what is painted over does not count."""
        table = np.full(256, -1, dtype=np.int64)
        table[: len(self.parts)] = self.parts
        masks = []
        for part in range(len(PARTS)):
            chosen = self.image.point(np.where(table == part, 255, 0).tolist(), "L").reduce(self.factor)
            masks.append(np.asarray(chosen) >= MASK_COVER * 255)
        return np.stack(masks)


def _rotation(degrees: float) -> np.ndarray:
    c, s = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
    return np.array([[c, -s], [s, c]])


def _place(points: Points, segment: str, scene: Scene) -> Points:
    """Return points of a segment in canvas coordinates."""
    turn = scene.angles.get(segment, 0.0)
    if segment == "legs":  # they stay nearly upright however the body is tilted
        turn -= 0.8 * scene.angles["bird"]
    pivot = np.asarray(_PIVOTS[segment])
    local = (points - pivot) @ _rotation(turn).T + pivot - _CENTRE
    whole = _rotation(scene.angles["bird"]) * scene.scale
    return (local @ whole.T) * (-scene.squash if scene.flip else scene.squash, 1.0) + scene.shift


def _posed(bird: Bird, scene: Scene) -> Iterator[Points]:
    """Yield the points of each outline in canvas coordinates, a whole segment turned at a time."""
    for segment, outlines in groupby(bird.outlines, key=lambda outline: outline.segment):
        points = [outline.points for outline in outlines]
        yield from np.split(_place(np.concatenate(points), segment, scene), np.cumsum([*map(len, points)])[:-1])


def _paint_perch(canvas: Canvas, scene: Scene, foot: np.ndarray) -> None:
    colour, (x, y), wide = np.array(scene.perch_colour, dtype=np.float64), foot, scene.perch_width
    if scene.perch == "stone":
        angle = np.linspace(0, 2 * np.pi, 24, endpoint=False)
        rim = np.stack([np.cos(angle), np.sin(angle)], 1)
        bumps = 1 + 0.06 * np.sin(3 * angle + 20 * scene.perch_slope)[:, None]
        for size, shade in ((1.0, 0.7), (0.9, 1.0)):
            canvas.paint(rim * bumps * (0.62 * size, 1.2 * size) + (x, y + 1.18), colour * shade)
        return
    if scene.perch == "ground":
        near, far = np.array([[-1.2, 0.0], [1.2, 0.0]]), np.array([[1.2, 1.4], [-1.2, 1.4]])
        near[:, 1] = y - 0.03 + 0.3 * scene.perch_slope * (near[:, 0] - x)
        canvas.paint(np.concatenate([near, far]), colour)
        canvas.paint(np.concatenate([near + np.array([0, 0.16]), far]), colour * 0.86)
        return
    slope = scene.perch_slope if scene.perch == "branch" else 0.1 * scene.perch_slope
    ends = np.array([-1.3, 1.3])
    middle = np.stack([ends, y + slope * (ends - x)], 1)
    taper = np.array([[0, wide * 0.75], [0, wide * 1.2]]) if scene.perch == "branch" else np.array([[0, wide]] * 2)
    canvas.paint(np.concatenate([middle, (middle + taper)[::-1]]), colour * 0.72)
    canvas.paint(np.concatenate([middle, (middle + 0.6 * taper)[::-1]]), colour)


def _paint_twig(canvas: Canvas, scene: Scene) -> None:
    if scene.twig is None:
        return
    start, stop = scene.twig
    along = (stop - start) / np.linalg.norm(stop - start)
    across = np.array([-along[1], along[0]])
    half = across * scene.twig_width
    canvas.paint(np.stack([start - half, stop - half, stop + half, start + half]), (74, 58, 46))
    canvas.paint(np.stack([start - half, stop - half, stop - 0.2 * half, start - 0.2 * half]), (104, 82, 62))
    colour = np.array(scene.leaf_colour, dtype=np.float64)
    outline = np.array([[0, 0], [0.6, 0.34], [1.3, 0.42], [2.0, 0.0], [1.3, -0.42], [0.6, -0.34]])
    for at, size, turn in scene.leaves:
        base = (start + stop) / 2 + along * at
        axes = np.stack([along, across]) if turn > 0 else np.stack([along, -across])
        blade = (outline @ _rotation(abs(turn)).T) * size @ axes + base
        canvas.paint(blade, colour)
        canvas.paint(blade[[0, 1, 2, 3]], colour * 0.84)


def compose(bird: Bird, scene: Scene, size: int) -> Canvas:
    """Paint perch, bird and twig, in this order, on a canvas for images of ``size`` pixels."""
    canvas = Canvas(size)
    foot = _place(np.array([[HIP[0] + 0.02, HIP[1] + bird.foot + 0.01]]), "legs", scene)[0]
    _paint_perch(canvas, scene, foot)
    colours = bird.colours * scene.tone_jitter
    for outline, points in zip(bird.outlines, _posed(bird, scene), strict=True):
        canvas.paint(points, colours[outline.tone] * outline.shade, outline.part)
    _paint_twig(canvas, scene)
    return canvas


def _enlarge(grid: np.ndarray, size: int) -> np.ndarray:
    image = Image.fromarray(grid.astype(np.float32))
    return np.asarray(image.resize((size, size), Image.Resampling.BICUBIC))


def _background(scene: Scene, size: int) -> np.ndarray:
    """Return the blurred scenery behind the bird ``[S, S, 3]``, 0 to 255."""
    share = np.linspace(0, 1, _SMALL)[:, None, None]
    sky = scene.backdrop[0] * (1 - share) + scene.backdrop[1] * share
    image = Image.fromarray(np.broadcast_to(sky, (_SMALL, _SMALL, 3)).astype(np.uint8))
    pen = ImageDraw.Draw(image)
    wide, high = _SCATTER[scene.scatter]
    boxes = scene.scatter_boxes * _SMALL
    for (x, y, r), colour in zip(boxes.tolist(), scene.scatter_colours.astype(int).tolist(), strict=True):
        pen.ellipse((x - wide * r, y - high * r, x + wide * r, y + high * r), fill=tuple(colour))
    image = image.filter(ImageFilter.GaussianBlur(scene.backdrop_blur * _SMALL))
    return np.asarray(image.resize((size, size), Image.Resampling.BICUBIC), dtype=np.float32)


def develop(canvas: Canvas, scene: Scene) -> np.ndarray:
    """Return the finished picture ``[S, S, 3]`` uint8: background, light, colour cast, contrast, blur."""
    colour, cover = canvas.pixels()
    picture = colour + (1 - cover) * _background(scene, canvas.size)
    picture *= (_enlarge(scene.light, canvas.size) * (1 + _enlarge(scene.texture, canvas.size)))[..., None]
    picture *= scene.cast.astype(np.float32)
    grey = picture.mean(2, keepdims=True)
    picture = (grey + scene.saturation * (picture - grey) - 110.0) * scene.contrast + 110.0
    image = Image.fromarray(np.clip(np.rint(picture), 0, 255).astype(np.uint8))
    if scene.blur > 0:
        image = image.filter(ImageFilter.GaussianBlur(scene.blur * canvas.size))
    return np.array(image)
