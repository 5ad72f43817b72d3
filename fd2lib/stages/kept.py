"""Which pixels of an image distillation may change: all of them, or all but those that the teacher looks at."""

import torch
import torch.nn.functional as F
from torch import Tensor

from fd2lib.ground import SettingError
from fd2lib.models import Teacher, class_activation_map

SHARE = 3  # a third of the image stays as it is


@torch.no_grad()
def kept_pixels(teacher: Teacher, images: Tensor, labels: Tensor, optimised: str) -> Tensor | None:
    """Return the pixels that stay as in the start, bool ``[N, 1, S, S]``; none for ``all``.

    Of normalised images ``[N, 3, S, S]`` with labels ``[N]`` these are, for ``unattended``, the third that the teacher
    attends to most: by the mean of its head's maps, or for a teacher without head by the class activation map of the
    image's class, enlarged bilinearly; exactly ``S² // 3`` pixels of each image, of equal ones the upper left. For
    ``shifted`` they are the same mask moved by half the side, down and right, around the edges.

    Raises:
        SettingError: the teacher has neither a head nor a feature map.
    """
    if optimised == "all":
        return None
    side = images.shape[-1]
    looks = F.interpolate(_looks(teacher, images, labels), (side, side), mode="bilinear", align_corners=False)
    most = looks.flatten(1).argsort(dim=1, descending=True, stable=True)[:, : side * side // SHARE]
    kept = torch.zeros(len(images), side * side, dtype=torch.bool, device=images.device)
    kept = kept.scatter(1, most, True).view(-1, 1, side, side)
    return kept.roll((side // 2, side // 2), dims=(2, 3)) if optimised == "shifted" else kept


def _looks(teacher: Teacher, images: Tensor, labels: Tensor) -> Tensor:
    """Where a teacher looks, not negative, float32 ``[N, 1, h, w]``."""
    output = teacher(images.contiguous(memory_format=torch.channels_last), effect=False)
    if output.attention is not None:
        return output.attention.mean_attention.float()
    if output.features is None:
        raise SettingError("this teacher has no feature map to tell where it looks; set distill.optimised to all.")
    weights = teacher.backbone.classifier.get_parameter("weight").flatten(1)  # 1 × 1 convolutions too
    return class_activation_map(output.features, weights, labels)[:, None].float()
