"""Views that can be drawn again: everything random follows from (seed, "relabel", epoch, batch)."""

from collections.abc import Sized
from dataclasses import dataclass

import torch
from torch import Tensor

from fd2lib.ground import RelabelSettings, batch_sizes, make_generator
from fd2lib.views.crops import crop_resize, random_resized_crop_boxes
from fd2lib.views.mixing import Box, cutmix, cutmix_box


@dataclass(frozen=True, eq=False)
class BatchPlan:
    """How one batch is made: which images, how each is cropped, and how they are mixed."""

    indices: Tensor  # int64 [b], into the distilled set
    boxes: Tensor  # float [b, 4], crop of each image
    flip: Tensor  # bool [b]
    permutation: Tensor  # int64 [b], position in the batch that each image's CutMix box comes from
    cutmix_box: Box | None  # None: no mixing
    lam: float  # share of each image's area that is its own, 1 without mixing

    def __len__(self) -> int:
        return len(self.indices)


def plan_epoch(
    settings: RelabelSettings, num_images: int, image_size: int, epoch: int, device: str | torch.device = "cpu"
) -> list[BatchPlan]:
    """Plan every batch of one epoch (from 0) over the shuffled images, of ``image_size`` pixels, of a distilled set.

    Relabelling and evaluation both call this and so see the same views; nothing but logits needs storing. Batches have
    ``settings.batch_size`` images; the last one may be smaller, or larger by one, so that none has a single image. Of
    fewer kept epochs each is replayed in turn. All is drawn on the CPU, and the epoch's tensors go to ``device``
    together.
    """
    epoch %= settings.view_epochs
    order = torch.randperm(num_images, generator=make_generator(settings.seed, "relabel", epoch, "order"))
    drawn, mixing = list[tuple[Tensor, ...]](), list[tuple[Box | None, float]]()
    sizes = batch_sizes(num_images, settings.batch_size)
    for batch, indices in enumerate(torch.split(order, sizes)):
        count, generator = len(indices), make_generator(settings.seed, "relabel", epoch, batch)
        boxes = random_resized_crop_boxes(count, image_size, generator, settings.min_crop_scale)
        flip = torch.rand(count, generator=generator) < 0.5
        drawn.append((indices, boxes, flip, torch.randperm(count, generator=generator)))
        mixing.append(cutmix_box(image_size, generator) if settings.cutmix else (None, 1.0))
    sent = [torch.split(torch.cat(parts).to(device), sizes) for parts in zip(*drawn, strict=True)]
    return [BatchPlan(*tensors, *mixed) for *tensors, mixed in zip(*sent, mixing, strict=True)]


def apply_plan(images01: Tensor, plan: BatchPlan) -> Tensor:
    """Make the planned batch, float ``[b, 3, S, S]``, from the whole distilled set on its device.

    All images are ``[N, 3, S, S]``, float in [0, 1], or uint8 that is then scaled by 1/255.
    """
    chosen = images01[plan.indices.to(images01.device)]
    if not chosen.is_floating_point():
        chosen = chosen.float() / 255
    views = crop_resize(chosen, plan.boxes, chosen.shape[2], plan.flip)
    return views if plan.cutmix_box is None else cutmix(views, plan.permutation, plan.cutmix_box)


def halves(batch: Sized) -> list[slice]:
    """Return the one or two parts of a batch, or of the plan of one, that pass through a network together.

    Batch statistics belong to a part. A batch of fewer than four images stays whole, as BatchNorm needs two.
    """
    count, middle = len(batch), (len(batch) + 1) // 2
    return [slice(0, count)] if count < 4 else [slice(0, middle), slice(middle, count)]
