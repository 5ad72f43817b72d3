"""What networks make of images: answers, features, attention, and the plane in which features vary most."""

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from fd2lib.ground import SettingError, ShapeError
from fd2lib.models import Teacher, TeacherOutput, create_backbone
from fd2lib.stages import to_unit


def imagenet_network(backbone: str, image_size: int) -> Teacher:
    """Return a network with its ImageNet weights as they are, for images of ``image_size`` pixels that it did not make.

    Raises:
        SettingError: there are no such weights.
    """
    classes = tuple(map(str, range(1000)))
    body = create_backbone(backbone, len(classes), image_size=image_size, init="imagenet")
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


def embed(teacher: Teacher, images: Tensor, batch_size: int = 64) -> Tensor:
    """Return what the backbone's classifier reads of bytes ``[N, 3, S, S]``: the last feature map, pooled.

    float32 ``[N, C]``, on the CPU.
    """
    read: list[Tensor] = []
    handle = teacher.backbone.classifier.register_forward_pre_hook(
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

    Of bytes ``[N, 3, S, S]`` float32 ``[N, M·h·w]``, on the CPU.

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
    """The directions in which features vary most."""

    centre: Tensor  # mean of the features, [D]
    axes: Tensor  # orthonormal directions, [count, D]; the largest entry of each is positive
    share: Tensor  # of the variance along each, in [0, 1], [count]

    def project(self, features: Tensor) -> Tensor:
        """Return the coordinates ``[N, count]`` of features ``[N, D]``."""
        return (features - self.centre) @ self.axes.T


def principal_plane(features: Tensor, count: int = 2) -> Plane:
    """Return the first ``count`` principal components of features ``[N, D]``.

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
    """Show bytes ``[N, 3, S, S]`` to a teacher in evaluation mode."""
    was_training = teacher.training
    logits, maps, features = [], [], []
    for out in outputs(teacher, images, batch_size):
        head, last = out.attention, feature_map(out)
        logits.append((out.logits if head is None else head.logits).float().cpu())
        maps.append((last if head is None else head.attention_maps).mean(1).float().cpu())
        features.append(last.mean((2, 3)).float().cpu())
    teacher.train(was_training)
    return Look(torch.cat(logits), torch.cat(maps), torch.cat(features), teacher.head is not None)
