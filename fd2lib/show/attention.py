"""What a teacher looks at: its attention over images, and which classes it takes for one another."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import torch
from matplotlib import colormaps
from PIL import Image
from torch import Tensor

from fd2lib.data import ImageSplit, display_name
from fd2lib.show.frames import Html, sentences
from fd2lib.show.images import captioned_images, spread, strip, to_pixels
from fd2lib.show.splits import of_class
from fd2lib.show.style import RIGHT, WRONG, BookFigure


@dataclass(frozen=True)
class Look:
    """A teacher's answers on N images, on the CPU.

    ``attention`` [N, h, w] is the head's mean attention; of a teacher without a head it is the mean activation of the
    feature map, and ``has_head`` is ``False``. ``maps`` [N, M, h, w] are the single attention maps, or that mean.
    ``features`` [N, C] are the backbone's pooled features.
    """

    logits: Tensor
    attention: Tensor
    maps: Tensor
    features: Tensor
    has_head: bool

    @property
    def predicted(self) -> Tensor:
        """Predicted classes ``[N]``: the head's where there is one."""
        return self.logits.argmax(1)


@torch.no_grad()
def look(teacher: Any, images: Tensor, batch_size: int = 64) -> Look:
    """Show images to a teacher in evaluation mode.

    Args:
        teacher: a :class:`fd2lib.models.Teacher`.
        images: bytes ``[N, 3, S, S]``.
        batch_size: images at once.
    """
    device = next(teacher.parameters()).device
    was_training = teacher.training
    teacher.eval()
    parts: list[tuple[Tensor, Tensor, Tensor, Tensor]] = []
    for batch in images.split(batch_size) if len(images) else (images,):
        output = teacher(teacher.normalize(batch.to(device).float() / 255))
        if output.attention is None:
            mean = output.features.mean(1, keepdim=True)
            parts.append((output.logits, mean, mean, output.features.mean((2, 3))))
        else:
            maps = output.attention.attention_maps
            parts.append((output.attention.logits, maps.mean(1, keepdim=True), maps, output.features.mean((2, 3))))
    teacher.train(was_training)
    logits, mean, maps, features = (torch.cat(list(part)).float().cpu() for part in zip(*parts, strict=True))
    return Look(logits, mean[:, 0], maps, features, teacher.head is not None)


def overlay(image: np.ndarray, attention: np.ndarray) -> np.ndarray:
    """Return pixels ``[S, S, 3]`` with attention ``[h, w]`` laid over: dark where there is little, glowing where much.

    Each map is scaled to its own range, so colours compare places within an image, not images.
    """
    side = image.shape[0]
    low, high = float(attention.min()), float(attention.max())
    scaled = (attention - low) / max(high - low, 1e-12)
    grown = Image.fromarray(scaled.astype(np.float32)).resize((side, side), Image.Resampling.BICUBIC)
    weight = np.clip(np.asarray(grown), 0, 1)[..., None]
    glow = colormaps["inferno"](weight[..., 0])[..., :3] * 255
    share = 0.25 + 0.35 * weight
    return np.clip((1 - share) * image * (0.35 + 0.65 * weight) + share * glow, 0, 255).astype(np.uint8)


def over_under(image: np.ndarray, attention: np.ndarray) -> np.ndarray:
    """Return the image with, below it, its overlay."""
    gap = np.full((max(1, image.shape[0] // 24), image.shape[1], 3), 255, np.uint8)
    return np.concatenate([image, gap, overlay(image, attention)])


def examples(labels: Tensor, logits: Tensor, *, right: bool, count: int = 3) -> list[int]:
    """Return indices of images classified rightly (spread over the classes) or wrongly (the most confident first).

    Args:
        labels: true classes ``[N]``.
        logits: a network's answers ``[N, K]``.
        right: which kind.
        count: at most how many; fewer, or none, where there are fewer.
    """
    hit = logits.argmax(1) == labels
    chosen = torch.nonzero(hit if right else ~hit)[:, 0]
    if right:
        return spread(chosen[labels[chosen].argsort(stable=True)], count)
    sure = logits.softmax(1).amax(1)[chosen]
    return chosen[sure.argsort(descending=True, stable=True)][:count].tolist()


def attention_figure(images: Tensor, seen: Look, labels: Tensor, classes: Sequence[str]) -> BookFigure | Html:
    """Return images, each above the attention over it, captioned with the true class and, if wrong, the one said.

    Without images the answer is a sentence saying so.

    Args:
        images: bytes ``[N, 3, S, S]``; N may be 0.
        seen: the teacher's :class:`Look` at them.
        labels: true classes ``[N]``.
        classes: class names.
    """
    if not len(images):
        return sentences("There is no such image.")
    blocks = [over_under(pixel, seen.attention[i].numpy()) for i, pixel in enumerate(to_pixels(images))]
    names = [display_name(name) for name in classes]
    pairs = list(zip(labels.tolist(), seen.predicted.tolist(), strict=True))
    captions = [_caption(names[true], names[said]) for true, said in pairs]
    return captioned_images(blocks, captions, [RIGHT if true == said else WRONG for true, said in pairs])


def _caption(true: str, said: str) -> str:
    return f"✓ {true}" if true == said else f"✗ said {said}\nis {true}"


def confused_pairs(labels: Tensor, predicted: Tensor, classes: Sequence[str], count: int = 5) -> pd.DataFrame:
    """Return the pairs of classes most often taken for one another, most often first.

    Returns:
        Columns ``first, second`` (class indices), ``first_name, second_name``, ``confused`` (test images of either
        taken for the other) and ``of`` (test images of both). Fewer rows, or none, if fewer pairs were confused.
    """
    number = len(classes)
    counts = torch.bincount(labels.long() * number + predicted.long(), minlength=number**2).view(number, number)
    both = torch.triu(counts + counts.T, diagonal=1)
    rows = []
    for flat in both.flatten().argsort(descending=True, stable=True)[:count].tolist():
        first, second = divmod(flat, number)
        if both[first, second] == 0:
            break
        rows.append(
            {
                "first": first, "second": second,
                "first_name": display_name(classes[first]), "second_name": display_name(classes[second]),
                "confused": int(both[first, second]), "of": int(counts[first].sum() + counts[second].sum()),
            }
        )  # fmt: skip
    return pd.DataFrame(rows, columns=["first", "second", "first_name", "second_name", "confused", "of"])


def attention_frames(teacher: Any, split: ImageSplit, indices: Sequence[int], count: int = 4) -> list[np.ndarray]:
    """Return one picture for each class of ``indices``: images of it, and below them the teacher's attention."""
    frames = []
    for index in indices:
        images = of_class(split, index, count)
        seen = look(teacher, images)
        frames.append(
            strip([over_under(pixel, seen.attention[i].numpy()) for i, pixel in enumerate(to_pixels(images))])
        )
    return frames
