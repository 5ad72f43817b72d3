"""What was measured about teachers and distilled sets, as figures."""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
import torch
from matplotlib.axes import Axes
from torch import Tensor

from fd2lib.data import Dataset, display_name
from fd2lib.measure import attention_maps, nearest_images, occlusion_maps, principal_plane, rms_distance
from fd2lib.models import Teacher
from fd2lib.show.attention import overlay
from fd2lib.show.frames import Html, sentences
from fd2lib.show.images import image_grid, spread, to_pixels, wrap
from fd2lib.show.learned import MAP_TITLES, TEACHER_TITLES, by_set
from fd2lib.show.statistics import interval
from fd2lib.show.style import INK, MUTED, SMALL, BookFigure, method_style, new_figure

_TEACHER_METHODS = {"plain": "sre2lpp", "cal": "sre2lpp_fd2"}  # whose colours and markers they take
# Okabe and Ito's colours for classes; markers differ too.
_CLASS_STYLES = (("#0072b2", "o"), ("#d55e00", "^"), ("#009e73", "s"), ("#b8528f", "D"))


def mass_figure(rows: pd.DataFrame) -> BookFigure | Html:
    """Return the mass of each kind of map on the parts, with 95 % t-intervals over seeds; one panel for each set.

    A filled mark is the maps', the hollow one beside it that of their average over all images. Vertical lines are
    chance (dashed) and the centre prior (dotted).

    Args:
        rows: of ``attention.csv``, as :func:`fd2lib.show.load_measured` returns them.
    """
    if rows.empty:
        return sentences("There is no such row.")
    parts = by_set(rows)
    counts = [part["map"].nunique() for _, part in parts]
    figure = new_figure(0.7 + sum(0.62 * count + 0.85 for count in counts), rows=len(parts), height_ratios=counts)
    for axes, (title, part) in zip(figure.axes, parts, strict=True):
        _mass_panel(axes, part)
        axes.set_title(wrap(title, 48), loc="left")
    figure.axes[-1].set_xlabel("mass on the parts, %")
    entries = dict(zip(*reversed(figure.axes[0].get_legend_handles_labels()), strict=True))
    figure.legend(entries.values(), entries.keys(), loc="outside upper left", ncols=2, frameon=False, fontsize=SMALL)
    return figure


def _mass_panel(axes: Axes, part: pd.DataFrame) -> None:
    kinds = [kind for kind in MAP_TITLES if kind in set(part["map"])]
    for teacher, shift in (("plain", -0.16), ("cal", 0.16)):
        style = method_style(_TEACHER_METHODS[teacher])
        for (kind,), group in part[part["teacher"] == teacher].groupby(["map"]):
            y = kinds.index(kind) + shift
            mean, low, high, number = interval(group["mass"])
            if number > 1:
                axes.hlines(y, low, high, color=style["color"], linewidth=2)
            axes.plot(mean, y, linestyle="none", markersize=7, label=f"{TEACHER_TITLES[teacher]} teacher", **style)
            axes.plot(group["average_map"].mean(), y, linestyle="none", markersize=6, markerfacecolor="white", **style,
                      label=f"{TEACHER_TITLES[teacher]}, average map")  # fmt: skip
    axes.axvline(part["chance"].mean(), color=INK, linestyle="--", linewidth=1.2, label="chance")
    axes.axvline(part["centre"].mean(), color=INK, linestyle=":", linewidth=1.6, label="centre prior")
    axes.grid(False, axis="y")
    axes.set_yticks(range(len(kinds)), [wrap(MAP_TITLES[kind], 18) for kind in kinds])
    axes.set_ylim(len(kinds) - 0.5, -0.5)
    axes.set_xlim(left=0)


def maps_of_both(plain: Teacher, cal: Teacher, images: Tensor, labels: Tensor) -> dict[str, Tensor]:
    """Return maps ``[N, h, w]`` of a plain and of a CAL teacher under titles, for :func:`maps_figure`.

    Args:
        plain: without attention head.
        cal: with one.
        images: bytes ``[N, 3, S, S]``.
        labels: true classes ``[N]``.
    """
    base, own = (attention_maps(one, images, labels) | occlusion_maps(one, images, labels) for one in (plain, cal))
    return {
        "plain: class activation": base["class_activation"],
        "CAL: class activation": own["class_activation"],
        "CAL: attention of the head": own["head_attention"],
        "plain: occlusion": base["occlusion"],
        "CAL: occlusion of the head": own["head_occlusion"],
    }


def maps_figure(images: Tensor, masks: Tensor, maps: Mapping[str, Tensor]) -> BookFigure:
    """Return images, their parts, and maps over them: one image a column, one map a row.

    Args:
        images: bytes ``[N, 3, S, S]``.
        masks: bool ``[N, S, S]``; pixels outside are paled.
        maps: row title to ``[N, h, w]``; colours compare places within an image only.
    """
    pixels = to_pixels(images)
    paled = np.where(masks.numpy()[..., None], pixels, 255 - (255 - pixels) // 4)
    over = [np.stack([overlay(*pair) for pair in zip(pixels, values.numpy(), strict=True)]) for values in maps.values()]
    rows = [torch.from_numpy(row.transpose(0, 3, 1, 2).astype(np.uint8)) for row in (pixels, paled, *over)]
    return image_grid(rows, ["image", "parts", *maps])


def plane_figure(
    real: Tensor, labels: Tensor, sets: Mapping[str, tuple[Tensor, Tensor]], classes: Sequence[str]
) -> BookFigure:
    """Return real and distilled images of the first four classes, in the plane in which these real images vary most.

    Small pale marks are real images, large dark ones distilled.

    Args:
        real: features of real images ``[N, D]``.
        labels: their classes ``[N]``.
        sets: title to features and labels of a distilled set; one panel each.
        classes: class names.
    """
    classes = classes[: len(_CLASS_STYLES)]
    plane = principal_plane(real[labels < len(classes)])
    rows = -(-(len(sets) + 1) // 2)
    figure = new_figure(2.75 * rows + 0.2, rows=rows, columns=2, sharex=True, sharey=True)
    behind = plane.project(real)
    for axes, (title, (features, own)) in zip(figure.axes, sets.items(), strict=False):
        points = plane.project(features)
        for label, (colour, marker) in enumerate(_CLASS_STYLES[: len(classes)]):
            pale, dark = behind[labels == label], points[own == label]
            axes.plot(pale[:, 0], pale[:, 1], marker, color=colour, alpha=0.3, markersize=4, markeredgewidth=0)
            axes.plot(dark[:, 0], dark[:, 1], marker, color=colour, markersize=9, markeredgecolor=INK,
                      label=wrap(display_name(classes[label]), 24))  # fmt: skip
        axes.set_title(title, loc="left")
        axes.tick_params(labelbottom=False, labelleft=False, length=0)
    for axes in figure.axes[len(sets) :]:
        axes.axis("off")
    handles, words = figure.axes[0].get_legend_handles_labels()
    figure.axes[len(sets)].legend(handles, words, loc="center", frameon=False, fontsize=SMALL, labelcolor=INK)
    share = [f"{100 * value:.0f} %" for value in plane.share.tolist()]
    figure.supxlabel(f"first direction ({share[0]} of the variance)", size=SMALL, color=MUTED)
    figure.supylabel(f"second ({share[1]})", size=SMALL, color=MUTED)
    return figure


def copies_figure(
    images: Tensor, starts: Tensor, labels: Tensor, data: Dataset, features: Tensor, real: Tensor, limit: int = 4
) -> BookFigure:
    """Return distilled images beside their starts and the nearest training images, by pixels and by features.

    Numbers are root mean square differences of pixels to the distilled image, in % of the range.

    Args:
        images: distilled, bytes ``[N, 3, S, S]``.
        starts: what they were before optimisation, likewise.
        labels: classes ``[N]``.
        data: whose training images are searched.
        features: of the images, ``[N, D]``.
        real: of the training images, ``[P, D]``, by the same network.
        limit: at most this many images, the first of as many classes, spread over all.
    """
    shown = [int(torch.nonzero(labels == label)[0, 0]) for label in spread(labels.unique(), limit)]
    pool = data.train.take(range(len(data.train))).cpu()
    picked = images[shown]
    found = [nearest_images(picked, pool).index, nearest_images(features[shown], real).index]
    columns = [picked, starts[shown], *(pool[index] for index in found)]
    rows = [torch.stack([column[place] for column in columns]) for place in range(len(shown))]
    apart = [100 * rms_distance(picked, column) for column in columns[1:]]
    names = [
        f"{display_name(data.classes[int(labels[place])])}\n{' · '.join(f'{values[row]:.1f}' for values in apart)}"
        for row, place in enumerate(shown)
    ]
    return image_grid(rows, names, ["distilled", "its start", "nearest by pixels", "nearest by features"])
