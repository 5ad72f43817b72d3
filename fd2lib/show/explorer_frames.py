"""What the explorer shows for one choice: the pictures of a class, and what a student calls its test images."""

import base64
import io
from typing import NamedTuple

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from fd2lib.analyse import binomial_interval
from fd2lib.data import display_name
from fd2lib.measure import Explored, ExploredSet, brightest, said_of, spread
from fd2lib.show.grids import overlay, to_pixels
from fd2lib.show.titles import method_title, per_class

SIDE = 96  # pixels a picture is kept with at most: a page holds some hundreds
ROWS = 3  # distilled images of a class that are shown
TESTS = 8  # test images of a class that are shown
CALLED = 4  # classes that are named, of those a student took a class for
RIGHT, WRONG = "fd2-right", "fd2-wrong"  # classes of the style sheet


class Album:
    """The pictures of an explorer, each kept once, as WebP data addresses."""

    def __init__(self) -> None:
        self._places: dict[str, int] = {}

    def add(self, pixels: np.ndarray) -> int:
        """Keep pixels ``[H, W, 3]``, made smaller where need be, and return their place."""
        image = Image.fromarray(np.ascontiguousarray(pixels))
        image.thumbnail((SIDE, SIDE), Image.Resampling.LANCZOS)
        stream = io.BytesIO()
        image.save(stream, format="WEBP", quality=86, method=4)
        text = "data:image/webp;base64," + base64.b64encode(stream.getvalue()).decode()
        return self._places.setdefault(text, len(self._places))

    @property
    def addresses(self) -> list[str]:
        """The pictures, in the order of their places."""
        return list(self._places)


class Picture(NamedTuple):
    """A picture of a frame."""

    place: int  # in the album
    caption: str
    alt: str
    mark: str = ""


class Row(NamedTuple):
    """A distilled image of a frame, with what it came from and what it is near to."""

    title: str
    made: list[Picture]
    nearest: list[Picture]


class Called(NamedTuple):
    """What a student called images of a class."""

    name: str
    number: int
    share: float  # of the class's test images, %
    mark: str


class Frame(NamedTuple):
    """What one choice shows."""

    summary: str
    rows: list[Row]
    heading: str
    called: list[Called]
    tests: list[Picture]


def class_frame(whole: ExploredSet, shown: Explored, index: int, album: Album) -> Frame:
    """Return what there is to see of class ``index``, its pictures put into an album."""
    names = [display_name(name) for name in whole.dataset.classes]
    labels = whole.dataset.test.labels.cpu()
    own = torch.nonzero(labels == index)[:, 0]
    called = said_of(labels, shown.answers, index)
    right = dict(called).get(index, 0)
    known = binomial_interval(100 * right / len(own), len(own)).text(digits=0) if len(own) else "–"
    title = f"{names[index]}, {method_title(shown.method)}, {per_class(shown.ipc)}"
    return Frame(
        summary=f"{title}: {right} of {len(own)} test images right",
        rows=_rows(whole, shown, index, names, album),
        heading=f"What a student of these images calls the {len(own)} test images of this class: {known} % right",
        called=_called(called, index, names, len(own)),
        tests=[_tested(whole, shown, place, names, album) for place in spread(own, TESTS)],
    )


def _rows(whole: ExploredSet, shown: Explored, index: int, names: list[str], album: Album) -> list[Row]:
    made, train, rows = shown.made, whole.dataset.train, []
    places = torch.nonzero(made.labels == index)[:, 0].tolist()
    for number, place in enumerate(places[:ROWS], 1):
        image, start, attention = made.images[place], made.starts[place], shown.attention[place]
        near = train.take(shown.nearest[place]).cpu()
        this = f"image {number} of {names[index]}"
        where = brightest(attention)
        own = [
            Picture(_keep(start, album), "start", f"Start of {this}"),
            Picture(
                _keep(image, album),
                "image" if (image != start).any() else "image: the start, unchanged",
                f"{this.capitalize()}, {method_title(shown.method)}",
            ),
            Picture(album.add(overlay(image[None], attention[None])[0]), f"looked at: {where}", f"Attention over {this}: {where}"),
        ]
        classes = train.labels.cpu()[shown.nearest[place]].tolist()
        nearest = [
            Picture(
                _keep(picture, album),
                f"{names[label]} {away:.2f}" + ("" if (picture != start).any() else ", its start"),
                f"Training image of {names[label]}, {rank} nearest to {this}",
                "" if label == index else WRONG,
            )
            for rank, picture, label, away in zip(_RANKS, near, classes, shown.distance[place].tolist(), strict=False)
        ]
        rows.append(Row(f"Image {number} of {len(places)}, and the training images nearest to it", own, nearest))
    return rows


_RANKS = ("the", "second", "third", "fourth", "fifth")


def _keep(image: Tensor, album: Album) -> int:
    return album.add(to_pixels(image[None])[0])


def _called(called: list[tuple[int, int]], index: int, names: list[str], total: int) -> list[Called]:
    """The class itself first, then what it was taken for, most often first, and the rest as one line."""
    right = dict(called).get(index, 0)
    wrong = [(names[label], number) for label, number in called if label != index]
    rest = sum(number for _, number in wrong[CALLED:])
    lines = [(names[index], right), *wrong[:CALLED], *([("other classes", rest)] if rest else [])]
    marks = [RIGHT] + [WRONG] * len(lines)
    return [
        Called(name, number, round(100 * number / max(total, 1), 1), mark)
        for (name, number), mark in zip(lines, marks, strict=False)
    ]


def _tested(whole: ExploredSet, shown: Explored, place: int, names: list[str], album: Album) -> Picture:
    """A test image with what the student says of it, and how sure it is."""
    share, said = shown.answers[place].max(0)
    true = int(whole.dataset.test.labels[place])
    hit = int(said) == true
    word = f"{names[int(said)]}, {100 * float(share):.0f} %"
    picture = _keep(whole.dataset.test.take([place]).cpu()[0], album)
    return Picture(
        picture,
        f"{'✓' if hit else '✗'} {word}",
        f"Test image of {names[true]}, called {word}",
        RIGHT if hit else WRONG,
    )
