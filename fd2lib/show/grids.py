"""Pictures: grids of images, images with captions, and single frames for a viewer."""

import base64
import io
import textwrap
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from matplotlib import colormaps
from PIL import Image

from fd2lib.ground import ShapeError
from fd2lib.show.style import INK, SMALL, WIDTH, BookFigure, bare, new_figure

if TYPE_CHECKING:
    from torch import Tensor

GAP = 0.06  # between pictures, as a fraction of a picture's side
LETTER = 0.091  # inches, an average letter of a caption


def to_pixels(images: "Tensor | np.ndarray") -> np.ndarray:
    """Return images ``[N, 3, S, S]`` (bytes, or floats in [0, 1]) as bytes ``[N, S, S, 3]``.

    Raises:
        ShapeError: not a batch of images with three channels.
    """
    array = images.detach().cpu().numpy() if not isinstance(images, np.ndarray) else np.asarray(images)
    if array.ndim != 4 or array.shape[1] != 3:
        raise ShapeError(f"images have the shape {tuple(array.shape)}; expected [N, 3, S, S].")
    if array.dtype != np.uint8:
        array = (np.clip(array, 0, 1) * 255).round().astype(np.uint8)
    return array.transpose(0, 2, 3, 1)


def _canvas(rows: Sequence[np.ndarray], columns: int) -> tuple[np.ndarray, int, int]:
    """Lay pixel rows ``[n, H, W, 3]`` out on one white canvas; also returns the steps down and across."""
    high, wide = rows[0].shape[1:3]
    gap = max(1, round(wide * GAP))
    down, across = high + gap, wide + gap
    canvas = np.full((down * len(rows) - gap, across * columns - gap, 3), 255, np.uint8)
    for row, pictures in enumerate(rows):
        for column, picture in enumerate(pictures):
            canvas[row * down : row * down + high, column * across : column * across + wide] = picture
    return canvas, down, across


def image_grid(
    rows: "Sequence[Tensor | np.ndarray]", row_labels: Sequence[str] = (), column_labels: Sequence[str] = ()
) -> BookFigure:
    """Return rows of images, batches ``[n, 3, S, S]`` of one size, with labels at their left and above.

    Rows may differ in length.

    Raises:
        ShapeError: no row, or one that is no batch of images.
    """
    if not rows:
        raise ShapeError("image_grid got no rows; expected at least one batch of images.")
    pixels = [to_pixels(row) for row in rows]
    columns = max(len(row) for row in pixels)
    canvas, down, across = _canvas(pixels, columns)
    side = pixels[0].shape[1]
    margin = 1.6 if any(row_labels) else 0.1
    shown = min(WIDTH - margin, columns * 1.6)  # a picture is at most 1.6 inches wide
    upright = all(len(word) * LETTER <= shown / columns for label in column_labels for word in label.split())
    above = (0.5 if upright else 0.3 + 0.064 * max(map(len, column_labels))) if column_labels else 0.1
    height = shown * canvas.shape[0] / canvas.shape[1] + above
    figure = new_figure(height, photo=True)
    axes = figure.axes[0]
    bare(axes)
    axes.imshow(canvas)
    axes.set_yticks([row * down + side / 2 for row in range(len(row_labels))], [wrap(t, 17) for t in row_labels])
    axes.xaxis.tick_top()
    axes.tick_params(length=0, labelsize=SMALL, labelcolor=INK)
    places = [column * across + side / 2 for column in range(len(column_labels))]
    if upright:
        axes.set_xticks(places, [wrap(label, int(shown / columns / LETTER)) for label in column_labels])
    else:
        axes.set_xticks(places, column_labels, rotation=38, ha="left", rotation_mode="anchor")
    return figure


def captioned_images(
    images: "Tensor | np.ndarray | Sequence[np.ndarray]", captions: Sequence[str], colours: Sequence[str] = ()
) -> BookFigure:
    """Return images with a caption below each, three a row.

    Images are ``[N, 3, S, S]``, or a list of pixel blocks ``[H, W, 3]`` of one size (an image above its overlay, say).
    Captions' lines that are too long are broken; without ``colours``, one for each, they are in ink.
    """
    blocks = list(images) if isinstance(images, Sequence) else list(to_pixels(images))
    if not blocks:
        raise ShapeError("captioned_images got no images; expected at least one.")
    high, wide = blocks[0].shape[:2]
    columns = min(3, len(blocks))
    rows = -(-len(blocks) // columns)
    picture = min(WIDTH / columns, 1.95)  # inches
    words = [wrap(caption, int(picture / LETTER)) for caption in captions]
    lines = max(text.count("\n") + 1 for text in words)
    each = 0.955 * picture * high / wide + 0.185 * lines + 0.15
    figure = new_figure(rows * each, rows=rows, columns=columns, photo=True)
    for position, axes in enumerate(figure.axes):
        bare(axes)
        axes.set(xticks=[], yticks=[])
        if position < len(blocks):
            axes.imshow(blocks[position])
            axes.set_xlabel(words[position], color=colours[position] if colours else INK, size=SMALL, labelpad=3)
    return figure


def wrap(text: str, width: int) -> str:
    """Return ``text`` broken into lines of at most ``width`` characters where there are blanks."""
    return "\n".join(textwrap.fill(line, width, break_long_words=False) for line in text.splitlines())


def encode_picture(pixels: np.ndarray) -> str:
    """Return pixels ``[H, W, 3]`` as a JPEG data address for plain HTML."""
    stream = io.BytesIO()
    Image.fromarray(np.ascontiguousarray(pixels)).save(stream, format="JPEG", quality=85, optimize=True)
    return "data:image/jpeg;base64," + base64.b64encode(stream.getvalue()).decode()


def strip(pictures: Sequence[np.ndarray], columns: int = 0) -> np.ndarray:
    """Return pixel blocks ``[H, W, 3]`` beside one another, in rows of ``columns``, as one picture for a viewer."""
    columns = columns or len(pictures)
    rows = [np.stack(list(pictures[i : i + columns])) for i in range(0, len(pictures), columns)]
    return _canvas(rows, columns)[0]


def overlay(images: "Tensor", attention: "Tensor") -> list[np.ndarray]:
    """Return images ``[N, 3, S, S]``, bytes, as pixels ``[S, S, 3]`` under their attention ``[N, h, w]``.

    It is dark where there is little, glowing where much. Each map is scaled to its own range, so colours compare
    places within an image, not images.
    """
    mixed = []
    for image, values in zip(to_pixels(images), attention.float().cpu().numpy(), strict=True):
        scaled = (values - values.min()) / max(float(values.max() - values.min()), 1e-12)
        grown = Image.fromarray(scaled.astype(np.float32)).resize(image.shape[:2], Image.Resampling.BICUBIC)
        weight = np.clip(np.asarray(grown), 0, 1)[..., None]
        glow = colormaps["inferno"](weight[..., 0])[..., :3] * 255
        share = 0.25 + 0.35 * weight
        mixed.append(np.clip((1 - share) * image * (0.35 + 0.65 * weight) + share * glow, 0, 255).astype(np.uint8))
    return mixed


def over_under(images: "Tensor", attention: "Tensor") -> list[np.ndarray]:
    """Return each image with, below it, its overlay (see :func:`overlay`)."""
    gap = np.full((max(1, images.shape[-2] // 24), images.shape[-1], 3), 255, np.uint8)
    pairs = zip(to_pixels(images), overlay(images, attention), strict=True)
    return [np.concatenate([image, gap, over]) for image, over in pairs]
