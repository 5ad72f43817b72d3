"""What images are compared in: a network's pooled features, its attention maps, and the plane that shows most."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from fd2lib.ground import SettingError, ShapeError
from fd2lib.models import Teacher, TeacherOutput, create_backbone
from fd2lib.stages import to_unit

_IMAGENET_CLASSES = 1000


def imagenet_network(backbone: str, image_size: int) -> Teacher:
    """Return a network with its ImageNet weights as they are, to look at images with that no teacher made for it.

    Args:
        backbone: a name for which :func:`fd2lib.models.create_backbone` has ImageNet weights.
        image_size: side of the images, pixels.

    Raises:
        SettingError: there are no such weights.
    """
    body = create_backbone(backbone, _IMAGENET_CLASSES, image_size=image_size, init="imagenet")
    classes = tuple(str(index) for index in range(_IMAGENET_CLASSES))
    if body.mean is None or body.std is None:
        raise SettingError(f"the ImageNet weights of {backbone!r} say no mean and deviation of their pixels.")
    network = Teacher(body, None, None, attention_ratio=0.0, mean=body.mean, std=body.std, classes=classes)
    return network.eval().requires_grad_(False)


@torch.no_grad()
def outputs(teacher: Teacher, images: Tensor, batch_size: int = 64) -> Iterator[TeacherOutput]:
    """Yield what a teacher in evaluation mode gives for bytes ``[N, 3, S, S]``, batch by batch."""
    device = teacher.mean.device
    teacher.eval()
    for batch in torch.split(images, batch_size):
        yield teacher(teacher.normalize(to_unit(batch.to(device))))


def feature_map(out: TeacherOutput) -> Tensor:
    """Return the last feature map of an output, ``[B, C, h, w]``.

    Raises:
        ShapeError: the network has none.
    """
    if out.features is None:
        raise ShapeError("this network gives no feature map; expected one whose last layers are convolutions.")
    return out.features


def classifier(teacher: Teacher) -> nn.Module:
    """Return the layer of a teacher's backbone that gives the logits."""
    network: Any = teacher.backbone.network  # timm's networks all say which it is
    return network.get_classifier()


def embed(teacher: Teacher, images: Tensor, batch_size: int = 64) -> Tensor:
    """Return the features of each image that the backbone's classifier reads: its last feature map, pooled.

    Args:
        teacher: any network; only its backbone is used.
        images: bytes ``[N, 3, S, S]``.
        batch_size: images at once.

    Returns:
        float32 ``[N, C]`` on the CPU.
    """
    read: list[Tensor] = []
    handle = classifier(teacher).register_forward_pre_hook(
        lambda _, given: read.append(given[0].flatten(1).float().cpu())
    )
    try:
        for _ in outputs(teacher, images, batch_size):
            pass
    finally:
        handle.remove()
    return torch.cat(read)


def part_attention(teacher: Teacher, images: Tensor, batch_size: int = 64) -> Tensor:
    """Return all attention maps of each image as one vector, which is what FD²'s similarity constraint compares.

    Args:
        teacher: a network with an attention head.
        images: bytes ``[N, 3, S, S]``.
        batch_size: images at once.

    Returns:
        float32 ``[N, M·h·w]`` on the CPU.

    Raises:
        SettingError: the teacher has no head.
    """
    if teacher.head is None:
        raise SettingError("this teacher has no attention head; give one that was pretrained with attention = true.")
    parts = outputs(teacher, images, batch_size)
    found = [out.attention.attention_maps for out in parts if out.attention is not None]
    return torch.cat([maps.flatten(1).float().cpu() for maps in found])


@dataclass(frozen=True, eq=False)
class Plane:
    """The directions in which features vary most.

    Attributes:
        centre: mean of the features, ``[D]``.
        axes: orthonormal directions, ``[count, D]``; the largest entry of each is positive.
        share: of the variance along each, in [0, 1], ``[count]``.
    """

    centre: Tensor
    axes: Tensor
    share: Tensor

    def project(self, features: Tensor) -> Tensor:
        """Return the coordinates ``[N, count]`` of features ``[N, D]``."""
        return (features - self.centre) @ self.axes.T


def principal_plane(features: Tensor, count: int = 2) -> Plane:
    """Return the principal components of features ``[N, D]``.

    Args:
        features: one row for each image.
        count: directions, at most min(N, D).

    Raises:
        ShapeError: fewer rows or columns than directions.
    """
    if features.ndim != 2 or min(features.shape) < count:
        raise ShapeError(f"features have shape {tuple(features.shape)}; expected [N, D], both at least {count}.")
    centre = features.mean(0)
    _, lengths, axes = torch.linalg.svd(features - centre, full_matrices=False)
    axes = axes[:count]
    largest = axes.gather(1, axes.abs().argmax(1, keepdim=True))
    variance = lengths.square()
    return Plane(centre, axes * largest.sign(), variance[:count] / variance.sum().clamp_min(1e-12))
