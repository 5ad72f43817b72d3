"""What a teacher says and where it looks, image by image."""

from dataclasses import dataclass

import torch
from torch import Tensor

from fd2lib.measure.features import feature_map, outputs
from fd2lib.measure.maps import attention_maps
from fd2lib.measure.places import occlusion_maps
from fd2lib.models import Teacher


@dataclass(frozen=True)
class Look:
    """A teacher's answers on N images, on the CPU.

    ``attention`` [N, h, w] is the head's mean attention; of a teacher without a head it is the mean activation of the
    feature map, and ``has_head`` is ``False``. ``features`` [N, C] are the backbone's pooled features.
    """

    logits: Tensor
    attention: Tensor
    features: Tensor
    has_head: bool

    @property
    def predicted(self) -> Tensor:
        """Predicted classes ``[N]``: the head's where there is one."""
        return self.logits.argmax(1)


@torch.no_grad()
def look(teacher: Teacher, images: Tensor, batch_size: int = 64) -> Look:
    """Show images to a teacher in evaluation mode.

    Args:
        teacher: any teacher.
        images: bytes ``[N, 3, S, S]``.
        batch_size: images at once.
    """
    was_training = teacher.training
    logits, maps, features = [], [], []
    for out in outputs(teacher, images, batch_size):
        head, last = out.attention, feature_map(out)
        logits.append((out.logits if head is None else head.logits).float().cpu())
        maps.append((last if head is None else head.attention_maps).mean(1).float().cpu())
        features.append(last.mean((2, 3)).float().cpu())
    teacher.train(was_training)
    return Look(torch.cat(logits), torch.cat(maps), torch.cat(features), teacher.head is not None)


def maps_of_both(plain: Teacher, cal: Teacher, images: Tensor, labels: Tensor) -> dict[str, Tensor]:
    """Return maps ``[N, h, w]`` of a plain and of a CAL teacher under titles, to be laid over the images.

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
