"""How alike the classes are to a teacher."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from scipy.cluster.hierarchy import leaves_list, linkage
from scipy.spatial.distance import squareform
from torch import Tensor

from fd2lib.data import ImageSplit, display_name
from fd2lib.show.attention import look
from fd2lib.show.images import spread, wrap
from fd2lib.show.style import INK, SMALL, BookFigure, bare, new_figure


def class_centres(features: Tensor, labels: Tensor, num_classes: int) -> Tensor:
    """Return the mean of the features ``[N, D]`` of each class ``[K, D]``; 0 for a class without images."""
    sums = torch.zeros(num_classes, features.shape[1]).index_add_(0, labels, features.float())
    return sums / torch.bincount(labels, minlength=num_classes).clamp_min(1)[:, None]


def class_vectors(teacher: Any, split: ImageSplit, num_classes: int) -> Tensor:
    """Return what stands for each class in a teacher: its unit prototypes, or mean features.

    Args:
        teacher: a :class:`fd2lib.models.Teacher`.
        split: images whose features are averaged, for a teacher without prototypes.
        num_classes: K.
    """
    if teacher.prototypes is not None:
        return teacher.prototypes.unit().detach().cpu()
    places = spread(range(len(split)), 2000)  # enough for a mean, few enough for a laptop
    return class_centres(look(teacher, split.take(places).cpu()).features, split.labels[places].cpu(), num_classes)


def lookalike_order(matrix: np.ndarray) -> list[int]:
    """Return an order of the classes that puts similar ones beside each other (average-linkage leaves)."""
    if len(matrix) < 3:
        return list(range(len(matrix)))
    distance = np.clip(1 - (matrix + matrix.T) / 2, 0, None)
    np.fill_diagonal(distance, 0)
    return leaves_list(linkage(squareform(distance, checks=False), "average", optimal_ordering=True)).tolist()


def similarity_figure(matrix: np.ndarray, classes: Sequence[str]) -> BookFigure:
    """Return the similarity matrix as a heat map, look-alikes beside each other; class names up to 30 classes.

    Rows carry names and numbers, columns the same numbers.
    """
    order = lookalike_order(matrix)
    shown = matrix[np.ix_(order, order)]
    off = shown[~np.eye(len(shown), dtype=bool)] if len(shown) > 1 else shown.ravel()
    low, high = float(off.min()), float(off.max())
    named = len(classes) <= 30
    figure = new_figure(4.1 if named else 5.0)
    figure.set_layout_engine("compressed")  # the matrix stays square
    axes = figure.axes[0]
    bare(axes)
    values = shown.copy()
    np.fill_diagonal(values, np.nan)  # 1 by definition; it would hide the rest of the range
    axes.set_facecolor("#eef1f3")
    picture = axes.imshow(values, cmap="viridis", interpolation="nearest", vmin=low, vmax=max(high, low + 1e-6))
    names = [f"{display_name(classes[i])}  {place}" for place, i in enumerate(order, 1)] if named else []
    size = SMALL if len(classes) <= 12 else 9 if len(classes) <= 20 else 7.5
    axes.set_yticks(
        range(len(names)), [wrap(name, 22 if len(classes) <= 12 else 40) for name in names], size=size, color=INK
    )
    axes.set_xticks(range(len(names)), range(1, len(names) + 1), size=size, color=INK)
    digits = 2 if high - low > 0.05 else 3
    if len(names) <= 12:
        for row, column in zip(*np.where(~np.isnan(values)), strict=True):
            dark = values[row, column] < (low + high) / 2
            text = f"{values[row, column]:.{digits}f}"
            axes.text(
                column,
                row,
                text,
                ha="center",
                va="center",
                size=SMALL if len(names) <= 6 else 9,
                color="white" if dark else INK,
            )
    bar = figure.colorbar(picture, ax=axes, shrink=0.8)
    bar.set_label("cosine similarity", color=INK, size=SMALL)
    bar.outline.set_visible(False)
    return figure
