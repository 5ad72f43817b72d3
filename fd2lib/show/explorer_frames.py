"""What the explorer shows for one choice: the pictures of a class, and what a student calls its test images."""

import base64
import functools
import io
from dataclasses import dataclass
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
    pictures: list[Picture]


class Called(NamedTuple):
    """What a student called images of a class."""

    name: str
    number: int
    share: float  # of the longest bar, %
    mark: str


class Frame(NamedTuple):
    """What one choice shows."""

    summary: str
    rows: list[Row]
    heading: str
    called: list[Called]
    tests: list[Picture]


@dataclass(eq=False)
class Frames:
    """Makes the frames of one image set."""

    whole: ExploredSet
    album: Album  # where pictures go

    @functools.cached_property
    def names(self) -> list[str]:
        """The classes, for people."""
        return [display_name(name) for name in self.whole.dataset.classes]

    def frame(self, shown: Explored, index: int) -> Frame:
        """Return what there is to see of class ``index`` with one method at one number of images per class."""
        labels = self.whole.dataset.test.labels.cpu()
        own = torch.nonzero(labels == index)[:, 0]
        said, total = dict(said_of(labels, shown.answers, index)), len(own)
        right = said.pop(index, 0)
        known = binomial_interval(100 * right / total, total).text(digits=0) if total else "–"
        title = f"{self.names[index]}, {method_title(shown.method)}, {per_class(shown.ipc)}"
        return Frame(
            summary=f"{title}: {right} of {total} test images right",
            rows=self._rows(shown, index),
            heading=f"What a student of these images calls the test images of this class: {known} % right, n = {total}",
            called=self._called(index, right, said),
            tests=[self._tested(shown, place) for place in spread(own, TESTS)],
        )

    def _keep(self, image: Tensor) -> int:
        return self.album.add(to_pixels(image[None])[0])

    def _rows(self, shown: Explored, index: int) -> list[Row]:
        """The first images of a class: start, image, where the judge looks, and the nearest training images."""
        places = torch.nonzero(shown.made.labels == index)[:, 0].tolist()
        rows = []
        for number, place in enumerate(places[:ROWS], 1):
            start, image, attention = (of[place] for of in (shown.made.starts, shown.made.images, shown.attention))
            of_class, where = f"{number} of {self.names[index]}", brightest(attention)
            moved = "image" if (image != start).any() else "image: its start"
            glowing = self.album.add(overlay(image[None], attention[None])[0])
            pictures = [
                Picture(self._keep(start), "start", f"Start of image {of_class}"),
                Picture(self._keep(image), moved, f"Image {of_class}, {method_title(shown.method)}"),
                Picture(glowing, f"looked at: {where}", f"Where the judge looks in image {of_class}: {where}"),
                *self._nearest(shown, place, index),
            ]
            rows.append(Row(f"Image {number} of {len(places)}, and the training images nearest to it", pictures))
        return rows

    def _nearest(self, shown: Explored, place: int, index: int) -> list[Picture]:
        """The training images nearest to the image at a place; one of another class than ``index`` is marked."""
        train, near = self.whole.dataset.train, shown.nearest[place]
        labels, distances = train.labels.cpu()[near].tolist(), shown.distance[place].tolist()
        pictures = []
        for number, (image, label, away) in enumerate(zip(train.take(near).cpu(), labels, distances, strict=True), 1):
            words = ["this class" if label == index else self.names[label], f"{away:.2f}"]
            words += ["its start"] if (image == shown.made.starts[place]).all() else []
            alt = f"Training image of {self.names[label]}, number {number} of the nearest"
            pictures.append(Picture(self._keep(image), ", ".join(words), alt, "" if label == index else WRONG))
        return pictures

    def _called(self, index: int, right: int, wrong: dict[int, int]) -> list[Called]:
        """The class itself first, then what it was taken for, most often first, and the rest in one line."""
        named = [(self.names[label], number) for label, number in wrong.items()]
        rest = sum(number for _, number in named[CALLED:])
        lines = [(self.names[index], right), *named[:CALLED], *([("other classes", rest)] if rest else [])]
        most = max(number for _, number in lines) or 1
        return [
            Called(name, number, round(100 * number / most, 1), WRONG if place else RIGHT)
            for place, (name, number) in enumerate(lines)
        ]

    def _tested(self, shown: Explored, place: int) -> Picture:
        """A test image with what the student says of it, and how sure it is."""
        test, answers = self.whole.dataset.test, shown.answers[place]
        true, said = int(test.labels[place]), int(answers.argmax())
        sure = f"{100 * float(answers[said]):.0f}\N{NO-BREAK SPACE}%"
        caption = f"✓ {sure}" if said == true else f"✗ {self.names[said]}, {sure}"
        alt = f"Test image of {self.names[true]}, called {self.names[said]}, {sure}"
        return Picture(self._keep(test.take([place]).cpu()[0]), caption, alt, RIGHT if said == true else WRONG)
