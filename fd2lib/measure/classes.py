"""Classes: images of one, how alike they are, and what networks answered for them."""

import hashlib
import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from scipy.cluster.hierarchy import leaves_list, linkage
from scipy.spatial.distance import squareform
from torch import Tensor

from fd2lib.data import Dataset, ImageSplit, batches, display_name
from fd2lib.ground import ArtefactError, build_settings
from fd2lib.measure.features import look
from fd2lib.models import Teacher
from fd2lib.record import intact, read_manifest
from fd2lib.stages.label_store import StoredLabels


def spread(indices: Any, count: int) -> list[int]:
    """Return at most ``count`` of ``indices``, evenly spread, so that a long list is shown from end to end."""
    values = [int(index) for index in indices]
    if len(values) <= count:
        return values
    places = torch.linspace(0, len(values) - 1, count).round().long().tolist()
    return [values[place] for place in places]


def of_class(split: ImageSplit, index: int, count: int) -> Tensor:
    """Return at most ``count`` images of class ``index``, bytes ``[n, 3, S, S]``, spread over the split."""
    return split.take(spread(torch.nonzero(split.labels == index)[:, 0], count)).cpu()


def class_means(values: Tensor, labels: Tensor, num_classes: int) -> Tensor:
    """Return the mean of the values ``[N, …]`` of each class ``[K, …]``; 0 for a class without images."""
    sums = torch.zeros(num_classes, *values.shape[1:]).index_add_(0, labels, values.float())
    counts = torch.bincount(labels, minlength=num_classes).clamp_min(1)
    return sums / counts.view(-1, *[1] * (values.ndim - 1))


def class_vectors(teacher: Teacher, split: ImageSplit, num_classes: int) -> Tensor:
    """Return what stands for each class in a teacher ``[K, D]``: its unit prototypes, or a split's mean features."""
    if teacher.prototypes is not None:
        return teacher.prototypes.unit().detach().cpu()
    places = spread(range(len(split)), 2000)  # enough for a mean, few enough for a laptop
    return class_means(look(teacher, split.take(places).cpu()).features, split.labels[places].cpu(), num_classes)


def cosine_matrix(vectors: Tensor, centred: bool = False) -> np.ndarray:
    """Return the cosine similarity of every two rows of ``[K, D]``, in [−1, 1]; a zero row is like nothing (0).

    ``centred`` takes the mean row off first, which shows differences that a large common part hides.
    """
    rows = vectors.detach().float().cpu()
    rows = rows - rows.mean(0) if centred else rows
    rows = torch.nn.functional.normalize(rows, dim=1)
    return (rows @ rows.T).clamp(-1, 1).numpy()


def closest_pairs(matrix: np.ndarray, classes: Sequence[str], count: int = 3) -> pd.DataFrame:
    """Return the most similar pairs of classes, most similar first, as :func:`with_names` and ``similarity``."""
    first, second = np.triu_indices(len(matrix), 1)
    best = np.argsort(-matrix[first, second], kind="stable")[:count]
    return with_names(first[best].tolist(), second[best].tolist(), classes).assign(
        similarity=matrix[first[best], second[best]]
    )


def with_names(first: Iterable[int], second: Iterable[int], classes: Sequence[str]) -> pd.DataFrame:
    """Return pairs of class indices as ``first, second`` and, for people, ``first_name, second_name``."""
    pairs = [(a, b, display_name(classes[a]), display_name(classes[b])) for a, b in zip(first, second, strict=True)]
    return pd.DataFrame(pairs, columns=["first", "second", "first_name", "second_name"])


def members(pairs: pd.DataFrame, count: int = 2) -> list[int]:
    """Return the classes of the first ``count`` pairs (columns ``first``, ``second``), pair after pair, each once."""
    return list(dict.fromkeys(pairs[["first", "second"]].head(count).to_numpy().flatten().tolist()))


def lookalike_order(matrix: np.ndarray) -> list[int]:
    """Return an order of the classes that puts similar ones beside each other (average-linkage leaves)."""
    if len(matrix) < 3:
        return list(range(len(matrix)))
    distance = np.clip(1 - (matrix + matrix.T) / 2, 0, None)
    np.fill_diagonal(distance, 0)
    return leaves_list(linkage(squareform(distance, checks=False), "average", optimal_ordering=True)).tolist()


def related_classes(data: Dataset, count: int = 4) -> list[int]:
    """Return classes that are probably easy to confuse, as found without any network.

    Those that share the most common word of the class names, such as Warbler; where no two names share a word, those
    of the most similar mean images.
    """
    words = [set(display_name(name).split()) for name in data.classes]
    shared = Counter(word for name in data.classes for word in dict.fromkeys(display_name(name).split()))
    word, number = shared.most_common(1)[0]
    if number > 1:
        return spread([index for index, own in enumerate(words) if word in own], count)
    alike = cosine_matrix(mean_thumbnails(data.train, data.num_classes), centred=True)
    return members(closest_pairs(alike, data.classes, count), count)[:count]


def mean_thumbnails(split: ImageSplit, num_classes: int, side: int = 16) -> Tensor:
    """Return the mean image of each class, ``[K, 3 · side²]`` in [0, 1], from thumbnails of ``side`` pixels."""
    small = [
        torch.nn.functional.adaptive_avg_pool2d(images.float() / 255, side).flatten(1)
        for images, _, _ in batches(split, 256, "cpu")
    ]
    return class_means(torch.cat(small), split.labels.cpu(), num_classes)


def pixel_twins(first: ImageSplit, second: ImageSplit) -> int:
    """Return how many images of ``second`` are, pixel for pixel, also in ``first``."""

    def digests(split: ImageSplit) -> list[bytes]:
        return [
            hashlib.sha256(image.contiguous().numpy().tobytes()).digest()
            for images, _, _ in batches(split, 256, "cpu")
            for image in images
        ]

    seen = set(digests(first))
    return sum(digest in seen for digest in digests(second))


def pixel_changes(starts: Tensor, images: Tensor, labels: Tensor, num_classes: int) -> Tensor:
    """Return, for each class, the mean absolute change from start to image as a share of the pixel range ``[K]``."""
    change = (images.float() - starts.float()).abs().flatten(1).mean(1) / 255
    return class_means(change, labels, num_classes)


def load_labels(folder: str | Path) -> np.ndarray:
    """Return the stored logits of a relabel run ``[epochs, N, K]``: float16, mapped rather than read, or decoded.

    Raises:
        ArtefactError: the run stored none.
    """
    return StoredLabels.read(folder).array()


def compare_formats(runs: Mapping[str, str | Path], temperature: float) -> pd.DataFrame:
    """Return what labels of the same images take and keep in several formats: folders of relabel runs, by title.

    Returns:
        ``labels`` (title), ``kib`` (size), ``fewer`` (times fewer bytes than the first), ``error`` (largest difference
        of a logit from the first's of the same view) and ``lost`` (mean divergence of the labels at a temperature from
        the first's, millionths of a bit); NaN where a label is of a whole image, not of a view.
    """
    found, first = [], StoredLabels.read(next(iter(runs.values()))).array().astype(np.float64)
    for title, folder in runs.items():
        manifest, logits = read_manifest(folder, "relabel"), StoredLabels.read(folder).array().astype(np.float64)
        kib, error, lost = manifest["result"]["label_bytes"] / 1024, math.nan, math.nan
        if build_settings("relabel", manifest["settings"], as_before=True).regime == "per_view":
            error = float(np.abs(logits - first[: len(logits)]).max())
            logs = [torch.from_numpy(one / temperature).log_softmax(-1) for one in (first[: len(logits)], logits)]
            lost = float((logs[0].exp() * (logs[0] - logs[1])).sum(-1).mean()) / math.log(2)
        found.append({"labels": title, "kib": kib, "fewer": 0.0, "error": error, "lost": 1e6 * lost})
    table = pd.DataFrame(found)
    return table.assign(fewer=table["kib"].iloc[0] / table["kib"])


def load_answers(folder: str | Path) -> tuple[Tensor, Tensor]:
    """Return the true classes ``[N]`` and the logits ``[N, K]`` on the test images that a run stored.

    Of a teacher with an attention head these are the head's logits.

    Raises:
        ArtefactError: the folder holds no predictions, or they changed since.
    """
    path = Path(folder) / "predictions.npz"
    if not path.is_file():
        raise ArtefactError(f"{folder} holds no predictions; expected a complete pretrain or evaluate run.")
    intact(folder, "", path.name)
    with np.load(path) as stored:
        name = next(name for name in ("head_logits", "backbone_logits", "logits") if name in stored)
        return torch.from_numpy(stored["labels"]), torch.from_numpy(stored[name])


def examples(labels: Tensor, logits: Tensor, *, right: bool, count: int = 3) -> list[int]:
    """Return at most ``count`` images that logits ``[N, K]`` classify rightly or wrongly, as their indices.

    The right ones are spread over the classes ``[N]``, of the wrong ones the most confident come first.
    """
    hit = logits.argmax(1) == labels
    chosen = torch.nonzero(hit if right else ~hit)[:, 0]
    if right:
        return spread(chosen[labels[chosen].argsort(stable=True)], count)
    sure = logits.softmax(1).amax(1)[chosen]
    return chosen[sure.argsort(descending=True, stable=True)][:count].tolist()


def confused_pairs(labels: Tensor, predicted: Tensor, classes: Sequence[str], count: int = 5) -> pd.DataFrame:
    """Return the pairs of classes most often taken for one another, most often first, as :func:`with_names`.

    And ``confused`` (test images of either taken for the other) ``of`` how many of both. Fewer rows, or none, if fewer
    pairs were confused.
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
    logs = torch.from_numpy(np.asarray(teacher_logits, np.float64) / temperature).log_softmax(-1)
    return -(logs.exp() * logs).sum(-1).numpy() / np.log(2)


def top_labels(logits: np.ndarray, classes: Sequence[str], count: int = 3) -> list[str]:
    """Return for each logit row the ``count`` most probable classes and their percentages, one to a line."""
    shares = torch.from_numpy(np.asarray(logits, np.float64)).softmax(-1)
    best = shares.topk(min(count, len(classes)))
    return [
        "\n".join(f"{100 * share:.0f} % {classes[index]}" for share, index in zip(*pair, strict=True))
        for pair in zip(best.values.tolist(), best.indices.tolist(), strict=True)
    ]
