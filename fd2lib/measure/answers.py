"""What networks answered: the stored logits of teachers and students, and soft labels."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from fd2lib.ground import ArtefactError
from fd2lib.measure.classes import spread, with_names


def load_labels(folder: str | Path) -> np.ndarray:
    """Return the stored soft labels of a relabel run, float16 ``[epochs, N, K]``, mapped rather than read.

    Raises:
        ArtefactError: the run stored none.
    """
    path = Path(folder) / "teacher_logits.npy"
    if not path.is_file():
        raise ArtefactError(f"{folder} holds no stored labels; relabel with relabel.store=true to look at them.")
    return np.load(path, mmap_mode="r")


def load_answers(folder: str | Path) -> tuple[Tensor, Tensor]:
    """Return the true classes ``[N]`` and the logits ``[N, K]`` on the test images that a run stored.

    Of a teacher with an attention head these are the head's logits.

    Raises:
        ArtefactError: the folder holds no predictions.
    """
    path = Path(folder) / "predictions.npz"
    if not path.is_file():
        raise ArtefactError(f"{folder} holds no predictions; expected a complete pretrain or evaluate run.")
    with np.load(path) as stored:
        name = next(name for name in ("head_logits", "backbone_logits", "logits") if name in stored)
        return torch.from_numpy(stored["labels"]), torch.from_numpy(stored[name])


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


def confused_pairs(labels: Tensor, predicted: Tensor, classes: Sequence[str], count: int = 5) -> pd.DataFrame:
    """Return the pairs of classes most often taken for one another, most often first.

    Returns:
        Columns ``first, second`` (class indices), ``first_name, second_name``, ``confused`` (test images of either
        taken for the other) and ``of`` (test images of both). Fewer rows, or none, if fewer pairs were confused.
    """
    number = len(classes)
    counts = torch.bincount(labels.long() * number + predicted.long(), minlength=number**2).view(number, number)
    both = torch.triu(counts + counts.T, diagonal=1).flatten()
    best = [flat for flat in both.argsort(descending=True, stable=True)[:count].tolist() if both[flat]]
    pairs = with_names([flat // number for flat in best], [flat % number for flat in best], classes)
    images = counts.sum(1)
    return pairs.assign(
        confused=both[best].tolist(), of=[int(images[flat // number] + images[flat % number]) for flat in best]
    )


def label_entropy(teacher_logits: np.ndarray, temperature: float = 1.0) -> np.ndarray:
    """Return the entropy in bits of labels ``softmax(logits / temperature)``: logits ``[..., K]``, result ``[...]``."""
    scaled = np.asarray(teacher_logits, np.float64) / temperature
    scaled = scaled - scaled.max(axis=-1, keepdims=True)
    weights = np.exp(scaled)
    total = weights.sum(axis=-1)
    # H = log Z − Σ p·z, which stays exact where a probability underflows
    return (np.log(total) - (weights * scaled).sum(axis=-1) / total) / np.log(2)


def top_labels(logits: np.ndarray, classes: Sequence[str], count: int = 3) -> list[str]:
    """Return for each logit row the ``count`` most probable classes and their percentages, one to a line."""
    shares = torch.from_numpy(np.asarray(logits, np.float64)).softmax(-1)
    best = shares.topk(min(count, len(classes)))
    return [
        "\n".join(f"{100 * share:.0f} % {classes[index]}" for share, index in zip(*pair, strict=True))
        for pair in zip(best.values.tolist(), best.indices.tolist(), strict=True)
    ]
