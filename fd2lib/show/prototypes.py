"""How alike the classes are to a teacher."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from matplotlib.axes import Axes
from scipy.cluster.hierarchy import leaves_list, linkage
from scipy.spatial.distance import squareform
from torch import Tensor

from fd2lib.data import ImageSplit, display_name
from fd2lib.show.attention import look
from fd2lib.show.images import spread
from fd2lib.show.style import INK, NORMAL, BookFigure, bare, new_figure


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
    """Return the similarity matrix as a heat map, look-alikes beside each other, its names below up to 20 classes."""
    order = lookalike_order(matrix)
    shown = matrix[np.ix_(order, order)].astype(float)
    off = shown[~np.eye(len(shown), dtype=bool)] if len(shown) > 1 else shown.ravel()
    low, high = float(off.min()), float(off.max())
    np.fill_diagonal(shown, np.nan)  # 1 by definition; it would hide the rest of the range
    names = [f"{place}  {display_name(classes[i])}" for place, i in enumerate(order, 1)] if len(classes) <= 20 else []
    figure = new_figure(4.3 + 0.2 * len(names), rows=2, height_ratios=[4.3, 0.2 * len(names) + 0.01])
    axes, legend = figure.axes
    legend.axis("off")
    legend.text(0, 1, "\n".join(names), va="top", size=NORMAL, color=INK, linespacing=1.3)
    bare(axes)
    axes.set_facecolor("#eef1f3")
    picture = axes.imshow(shown, cmap="viridis", interpolation="nearest", vmin=low, vmax=max(high, low + 1e-6))
    marks = range(len(names))
    size = NORMAL if len(names) <= 12 else 9
    axes.set_yticks(marks, [str(mark + 1) for mark in marks], size=size, color=INK)
    axes.set_xticks(marks, [str(mark + 1) for mark in marks], size=size, color=INK)
    if len(classes) <= 12:
        _write_values(axes, shown, (low + high) / 2, 2 if high - low > 0.05 else 3)
    bar = figure.colorbar(picture, ax=axes, shrink=0.9)
    bar.set_label("cosine similarity", color=INK, size=NORMAL)
    bar.outline.set_visible(False)
    return figure


def _write_values(axes: Axes, values: np.ndarray, middle: float, digits: int) -> None:
    """Write each value into its field, light on dark fields."""
    size = NORMAL if len(values) <= 8 else 8.5
    for row, column in zip(*np.where(~np.isnan(values)), strict=True):
        colour = "white" if values[row, column] < middle else INK
        axes.text(column, row, f"{values[row, column]:.{digits}f}", ha="center", va="center", size=size, color=colour)
