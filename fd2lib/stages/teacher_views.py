"""What chance decides in each step of a teacher's training, and the further views that it leads to."""

from collections.abc import Iterator
from functools import partial
from typing import NamedTuple

import torch
from torch import Tensor

from fd2lib.ground import PretrainSettings, batch_sizes, make_generator, widest_float
from fd2lib.models import Teacher, pick_maps
from fd2lib.views import attention_crop, attention_drop, crop_resize, random_resized_crop_boxes

_RANDOM_CROP_SCALE = 0.25  # smallest area, ours: about what attention crops keep


class Draws(NamedTuple):
    """What chance decides in one step of B images; empty where the settings ask for no such draw."""

    views: Tensor  # [6, B], of training_views
    counterfactual: Tensor  # attention for the head on the images, [B, M, h, w]
    maps: Tensor  # of pick_maps, [B, 2]
    thresholds: Tensor  # of attention crops and drops, [2, B]
    further: Tensor  # attention for the head on further views, [2B, M, h, w]
    boxes: Tensor  # of random crops, [2B, 4]

    def of(self, own: slice) -> "Draws":
        """Return those of some of the images."""
        further, boxes = (torch.cat([half[own] for half in both.chunk(2)]) for both in (self.further, self.boxes))
        thresholds = self.thresholds[:, own]
        return Draws(self.views[:, own], self.counterfactual[own], self.maps[own], thresholds, further, boxes)


def draw_epoch(teacher: Teacher, settings: PretrainSettings, epoch: int, images: int) -> Iterator[Draws]:
    """Draw an epoch's steps, on the CPU."""
    grid = (teacher.head.num_maps, *teacher.backbone.feature_size) if teacher.head is not None else (0, 0, 0)
    for step, count in enumerate(batch_sizes(images, settings.batch_size)):
        led = count if settings.views == "release" and teacher.head is not None else 0
        random = count if settings.views == "random" else 0
        address = (settings.seed, "pretrain", epoch, step)
        draw = partial(torch.rand, generator=make_generator(*address))  # in the order in which they are used
        yield Draws(
            views=draw(6, count),
            counterfactual=2 * draw(count, *grid),
            maps=draw(led, 2, dtype=torch.float64).to(widest_float(teacher.mean.device)),
            thresholds=draw(2, led),
            further=2 * draw(2 * (led + random), *grid),
            boxes=random_resized_crop_boxes(
                2 * random, teacher.image_size, make_generator(*address, "crops"), _RANDOM_CROP_SCALE
            ),
        )


def random_views(images: Tensor, boxes: Tensor) -> Tensor:
    """Two random crops of each image, [2B, 3, S, S]: as many passes as attention crops and drops take."""
    views = crop_resize(images.repeat(2, 1, 1, 1), boxes, images.shape[-1])
    return views.contiguous(memory_format=torch.channels_last)


@torch.no_grad()
def attention_views(images: Tensor, maps: Tensor, draws: Draws) -> Tensor:
    """Crops, then drops: [2B, 3, S, S], each led by one attention map per image."""
    crop_map, drop_map = pick_maps(maps.detach().float(), draws.maps)
    crops = attention_crop(images, crop_map, 0.4 + 0.2 * draws.thresholds[0])
    drops = attention_drop(images, drop_map, 0.2 + 0.3 * draws.thresholds[1])
    return torch.cat([crops, drops]).contiguous(memory_format=torch.channels_last)
