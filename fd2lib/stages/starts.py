"""What distillation starts from: noise, whole real images, or mosaics of well-recognised crops.

Every start derives from (seed, class, image index), so the images of IPC 1 are the first of IPC 3, and the
random-real control uses exactly the images that optimisation from whole images starts from.
"""

import torch
import torch.nn.functional as F
from torch import Tensor

from fd2lib.data import Dataset, ImageSplit, require_per_class
from fd2lib.ground import DistillSettings, SettingError, make_generator
from fd2lib.models import Teacher
from fd2lib.views import crop_resize, random_resized_crop_boxes, tile_mosaic

_CROPS_PER_IMAGE = 5  # as RDED and the authors' release
_POOL = 5  # mosaics of a class that repeated ones are drawn from: the release's largest set
_GRID = {"pool1": 1, "pool2": 2}  # mosaics are grid × grid


def make_starts(settings: DistillSettings, data: Dataset, teacher: Teacher | None, device: torch.device) -> Tensor:
    """Return the starts as floats in [0, 1], ``[ipc, K, 3, S, S]``, on the CPU.

    Crops of mosaics are scored by the teacher, on the device; other starts need none.
    """
    start, ipc, seed, classes = settings.start, settings.ipc, settings.seed, len(data.classes)
    if start == "noise":
        noise = torch.randn(ipc, classes, 3, data.image_size, data.image_size, generator=make_generator(seed, "noise"))
        mean, std = (torch.tensor(value).view(3, 1, 1) for value in (data.mean, data.std))
        return (noise * std + mean).clamp_(0, 1)
    require_images(settings, data)
    if start == "whole":
        picked = []
        for label in range(classes):
            members = (data.train.labels == label).nonzero().flatten()
            order = torch.randperm(len(members), generator=make_generator(seed, "whole", label))
            picked.append(members[order[:ipc]])
        return _fetch(data.train, torch.stack(picked, dim=1)) / 255
    if teacher is None:
        raise SettingError(f"start {start!r} scores crops with a teacher; name one, or start from whole.")
    grid = _GRID[start]
    if settings.mosaics == "repeated":
        pool = min(_POOL, int(torch.bincount(data.train.labels).min()) // grid**2)
    else:
        pool = ipc
    mosaics = [_class_mosaics(data, teacher, label, grid, pool, seed, device) for label in range(classes)]
    if settings.mosaics == "repeated":  # drawn with replacement (release)
        generators = [make_generator(seed, "mosaic draw", label) for label in range(classes)]
        draws = [torch.randint(pool, (ipc,), generator=generator) for generator in generators]
        mosaics = [own[draw] for own, draw in zip(mosaics, draws, strict=True)]
    return torch.stack(mosaics, dim=1)


def require_images(settings: DistillSettings, data: Dataset) -> None:
    """Check that each class has the real images that the start takes.

    Raises:
        DataError: naming the class with the fewest.
    """
    start, ipc = settings.start, settings.ipc
    if start == "whole":
        require_per_class(data, ipc, f"{ipc} whole real images")
    elif start in _GRID:
        grid = _GRID[start]
        if settings.mosaics == "repeated":
            require_per_class(data, grid * grid, f"one {grid}×{grid} mosaic")
        else:
            require_per_class(data, ipc * grid * grid, f"{ipc} different {grid}×{grid} mosaics")


def _fetch(split: ImageSplit, indices: Tensor) -> Tensor:
    """uint8 images at ``indices`` (any shape) as float, ``[*indices.shape, 3, S, S]``."""
    images = split.take(indices.flatten()).float()
    return images.view(*indices.shape, *images.shape[1:])


@torch.no_grad()
def _class_mosaics(
    data: Dataset, teacher: Teacher, label: int, grid: int, count: int, seed: int, device: torch.device
) -> Tensor:
    """The best crops of one class, tiled: ``[count, 3, S, S]``.

    The crop that the teacher recognises best is kept of each image; images are ranked by it and mosaic i takes
    ranks i·g² to (i+1)·g²: every mosaic is different.
    """
    counts = torch.bincount(data.train.labels, minlength=len(data.classes))
    members = (data.train.labels == label).nonzero().flatten()[: int(counts.min())]
    images = (_fetch(data.train, members) / 255).to(device)
    size, side = data.image_size, data.image_size // grid
    generator = make_generator(seed, "mosaic", label)
    boxes = random_resized_crop_boxes(len(images) * _CROPS_PER_IMAGE, size, generator, ratio=(1.0, 1.0)).to(device)
    crops = crop_resize(images.repeat_interleave(_CROPS_PER_IMAGE, dim=0), boxes, side)  # [5n, 3, s, s]
    loss = _recognition_loss(teacher, crops, label, size).view(-1, _CROPS_PER_IMAGE)  # [n, 5]
    best = loss.argmin(dim=1)  # [n]
    ranked = loss.gather(1, best[:, None]).flatten().argsort(stable=True)
    crops = crops.view(-1, _CROPS_PER_IMAGE, 3, side, side)[torch.arange(len(best), device=device), best][ranked]
    groups = crops[: count * grid * grid].view(count, grid * grid, 3, side, side)
    return torch.stack([tile_mosaic(group, size).squeeze(0) for group in groups]).cpu()


def _recognition_loss(teacher: Teacher, crops: Tensor, label: int, size: int) -> Tensor:
    """Cross-entropy of the teacher's backbone on crops, zero-padded to S×S after normalisation: ``[n]``."""
    margin = size - crops.shape[-1]
    padding = (margin // 2, margin - margin // 2) * 2
    losses = []
    for part in torch.split(crops, 128):
        logits = teacher(F.pad(teacher.normalize(part), padding).contiguous(memory_format=torch.channels_last)).logits
        losses.append(-F.log_softmax(logits.float(), dim=1)[:, label])
    return torch.cat(losses)
