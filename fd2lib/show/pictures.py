"""Pictures of classes and sets: real images, distilled ones beside others, and attention laid over them."""

from collections.abc import Mapping, Sequence

import numpy as np
import torch
from torch import Tensor

from fd2lib.data import ImageSplit, display_name
from fd2lib.measure import Look, Neighbours, of_class, spread
from fd2lib.show.frames import Html, sentences
from fd2lib.show.grids import captioned_images, image_grid, over_under, overlay, strip, to_pixels
from fd2lib.show.style import RIGHT, WRONG, BookFigure


def attention_figure(images: Tensor, seen: Look, labels: Tensor, classes: Sequence[str]) -> BookFigure | Html:
    """Return images, each above the attention over it, captioned with the true class and, if wrong, the one said.

    Images are bytes ``[N, 3, S, S]``, labels ``[N]``; of no images a sentence says so.
    """
    if not len(images):
        return sentences("There is no such image.")
    names = [display_name(name) for name in classes]
    pairs = list(zip(labels.tolist(), seen.predicted.tolist(), strict=True))
    captions = [
        f"✓ {names[true]}" if true == said else f"✗ said {names[said]}\nis {names[true]}" for true, said in pairs
    ]
    colours = [RIGHT if true == said else WRONG for true, said in pairs]
    return captioned_images(over_under(images, seen.attention), captions, colours)


def class_rows(split: ImageSplit, indices: Sequence[int], classes: Sequence[str], count: int = 5) -> BookFigure | Html:
    """Return images of the classes ``indices``, one class a row, ``count`` images each; without classes a sentence."""
    order = list(dict.fromkeys(int(index) for index in indices))
    if not order:
        return sentences("There are no such classes.")
    return image_grid([of_class(split, index, count) for index in order], [display_name(classes[i]) for i in order])


def side_by_side(sets: Mapping[str, Tensor], labels: Tensor, classes: Sequence[str], limit: int = 6) -> BookFigure:
    """Return the first image of each class in every set: one class a row, one set a column.

    Sets are bytes ``[N, 3, S, S]`` by title, all in the order of ``labels`` ``[N]``; at most ``limit`` classes, spread
    over all, are shown.
    """
    shown = spread(range(len(classes)), limit)
    first = [int(torch.nonzero(labels == index)[0, 0]) for index in shown]
    rows = [torch.stack([images[place] for images in sets.values()]) for place in first]
    return image_grid(rows, [display_name(classes[index]) for index in shown], list(sets))


def class_frames(
    sets: Mapping[str, Tensor], labels: Tensor, indices: Sequence[int], attention: Tensor | None = None
) -> list[np.ndarray]:
    """Return one picture for each class of ``indices``: all its images, one set a row (see :func:`side_by_side`).

    Given a teacher's attention over the last set's images, ``[N, h, w]``, a last row shows it.
    """
    frames = []
    for index in indices:
        places = torch.nonzero(labels == index)[:, 0]
        pictures = [picture for images in sets.values() for picture in to_pixels(images[places])]
        if attention is not None:
            pictures += overlay(list(sets.values())[-1][places], attention[places])
        frames.append(strip(pictures, columns=len(places)))
    return frames


def maps_figure(images: Tensor, masks: Tensor, maps: Mapping[str, Tensor]) -> BookFigure:
    """Return images ``[N, 3, S, S]``, bytes, one a column, and maps ``[N, h, w]`` over them, one a row by title.

    In between are their parts: pixels outside the masks, bool ``[N, S, S]``, are paled.
    """
    paled = torch.where(masks[:, None], images, 255 - (255 - images) // 4)
    over = [np.stack(overlay(images, values)).transpose(0, 3, 1, 2) for values in maps.values()]
    return image_grid([images, paled, *over], ["image", "parts", *maps])


def copies_figure(found: Neighbours, classes: Sequence[str]) -> BookFigure:
    """Return distilled images beside their starts and the nearest training images, by pixels and by features.

    These are such as :meth:`fd2lib.measure.Space.neighbours` gives. Numbers are root mean square differences of pixels
    to the distilled image, in % of the range.
    """
    names = [
        f"{display_name(classes[label])}\n{' · '.join(f'{100 * value:.1f}' for value in values)}"
        for label, values in zip(found.labels.tolist(), found.distances.tolist(), strict=True)
    ]
    columns = ["distilled", "its start", "nearest by pixels", "nearest by features"]
    return image_grid(list(found.pictures), names, columns)
