"""The public drawing functions of the embedded set."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from fd2lib.data.plumage.anatomy import bird
from fd2lib.data.plumage.canvas import compose, develop
from fd2lib.data.plumage.families import check_class, telling_parts
from fd2lib.data.plumage.scene import Scene, draw_scene
from fd2lib.ground import SettingError

if TYPE_CHECKING:
    from torch import Tensor  # only whole splits are tensors: who lists sets or draws one bird waits for no PyTorch

MIN_SIZE, MAX_SIZE = 16, 1024


@dataclass(frozen=True)
class PlumageImage:
    """One drawn bird. Where its class has no mark on a part, the mask shows where its siblings have theirs."""

    image: NDArray[np.uint8]  # [S, S, 3]
    label: int
    masks: NDArray[np.bool_]  # [len(PARTS), S, S], visible pixels of each part
    parts: tuple[str, ...]  # that tell the class from its siblings


def draw_class(scene: Scene, class_index: int, num_classes: int, size: int, grain: str = "") -> PlumageImage:
    """Draw class ``class_index`` in a given scene, for experiments that swap the class and keep all else."""
    _check(num_classes, size, class_index, grain=grain)
    canvas = compose(bird(class_index, grain), scene, size)
    parts = telling_parts(class_index, num_classes, grain)
    return PlumageImage(develop(canvas, scene), class_index, canvas.masks(), parts)


def draw(seed: int, split: str, index: int, num_classes: int, size: int, grain: str = "") -> PlumageImage:
    """Draw image ``index`` of a split, 0 or more without upper end; its label is ``index % num_classes``.

    The same arguments give the same pixels; the same seed, split (``"train"`` or ``"test"``, which share no scene) and
    index give the same scene at every size and grain (one of ``GRAINS``). There are 2 to 64 classes, of a grain 2 to 8,
    and sizes of 16 to 1024 pixels.

    Raises:
        SettingError: an argument outside these ranges.
    """
    check_class(num_classes, grain=grain)
    if index < 0:
        raise SettingError(f"plumage image index {index} is negative: expected 0 or more.")
    return draw_class(draw_scene(seed, split, index), index % num_classes, num_classes, size, grain)


def render_split(
    num_classes: int, per_class: int, size: int, split: str, seed: int = 0, grain: str = ""
) -> "tuple[Tensor, Tensor, tuple[str, ...]]":
    """Draw a whole split: ``num_classes * per_class`` images, classes in turn.

    Returns:
        images uint8 ``[N, 3, S, S]``, labels int64 ``[N]`` and names such as ``"plumage/train/00017"``.

    Raises:
        SettingError: see :func:`draw`; also ``per_class`` below 1.
    """
    import torch

    _check(num_classes, size, per_class=per_class, grain=grain)
    count = num_classes * per_class
    images = torch.empty(count, size, size, 3, dtype=torch.uint8)
    for index in range(count):
        scene = draw_scene(seed, split, index)
        images[index] = torch.from_numpy(develop(compose(bird(index % num_classes, grain), scene, size), scene))
    names = tuple(f"plumage/{split}/{index:05d}" for index in range(count))
    return images.permute(0, 3, 1, 2).contiguous(), torch.arange(count) % num_classes, names


def render_masks(
    num_classes: int,
    per_class: int,
    size: int,
    split: str,
    seed: int = 0,
    indices: Sequence[int] | None = None,
    grain: str = "",
) -> "Tensor":
    """Draw the part masks of the images that :func:`render_split` draws for the same arguments, or of ``indices``.

    Returns:
        bool ``[n, len(PARTS), S, S]``, see :class:`PlumageImage`.

    Raises:
        SettingError: see :func:`render_split`; also an index outside the split.
    """
    import torch

    _check(num_classes, size, per_class=per_class, grain=grain)
    count = num_classes * per_class
    chosen = range(count) if indices is None else [int(index) for index in indices]
    if any(not 0 <= index < count for index in chosen):
        raise SettingError(f"indices must lie in 0 to {count - 1} for this split, got {min(chosen)} to {max(chosen)}.")
    canvases = (compose(bird(index % num_classes, grain), draw_scene(seed, split, index), size) for index in chosen)
    return torch.stack([torch.from_numpy(canvas.masks()) for canvas in canvases])


def _check(num_classes: int, size: int, class_index: int = 0, per_class: int = 1, grain: str = "") -> None:
    check_class(num_classes, class_index, grain)
    if per_class < 1:
        raise SettingError(f"plumage needs at least 1 image per class, got per_class={per_class}: set it to 1 or more.")
    if not isinstance(size, int) or not MIN_SIZE <= size <= MAX_SIZE:
        raise SettingError(
            f"plumage cannot be drawn at image size {size!r}: expected a whole number of pixels from {MIN_SIZE} "
            f"to {MAX_SIZE}; set image_size within that range."
        )
