"""What there is to see of single classes: where a network looks in their images, what these resemble and teach."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol

import torch
from torch import Tensor

from fd2lib.data import Dataset
from fd2lib.ground import SettingError, ShapeError
from fd2lib.measure.classes import load_answers
from fd2lib.measure.features import look
from fd2lib.measure.measured import ExperimentLike, judge_space
from fd2lib.measure.sets import Space, unit_rows
from fd2lib.stages import DistilledImages, EvaluateResult

NEAREST = 3  # training images beside each distilled one


class TestedLike(ExperimentLike, Protocol):
    """An experiment that also trains a student: :class:`fd2lib.drive.Experiment`."""

    def evaluate(self) -> EvaluateResult:
        """Train and test a student, or load what it reached."""


class Explored(NamedTuple):
    """One method's images, N in all, and what two networks make of them: the judge, and a student of these images."""

    method: str
    ipc: int  # images per class
    made: DistilledImages
    attention: Tensor  # the judge's, over the images, [N, h, w]
    nearest: Tensor  # places of the training images nearest in the judge's features, nearest first, [N, C]
    distance: Tensor  # to these; 1 is the mean distance of a training image to its nearest other one, [N, C]
    answers: Tensor  # the student's probabilities for all test images, [T, K]


@dataclass(frozen=True, eq=False)
class ExploredSet:
    """An image set with what methods made of it."""

    dataset: Dataset
    scale: str
    judge: str  # the network that looks and compares, for people
    shown: list[Explored]  # every method at every number of images per class


def explore(experiments: Sequence[TestedLike], judge_seed: int, count: int = NEAREST) -> ExploredSet:
    """Return what experiments on one image set made, as another network sees it; what is missing is made.

    The network that looks and compares is a CAL teacher of ``judge_seed``, which made none of the images; beside each
    image stand its ``count`` nearest training images.

    Raises:
        SettingError: no experiments, of different images, or of the judge's own seed.
    """
    if not experiments or len({one.dataset.fingerprint for one in experiments}) != 1:
        raise SettingError(
            f"explore got {len(experiments)} experiments; expected at least one, all of the same images."
        )
    first = experiments[0]
    if judge_seed in {one.request.seed for one in experiments}:
        raise SettingError(
            f"judge_seed is {judge_seed}, as the images' own; give another, so that it made none of them."
        )
    judge = judge_space(first, judge_seed)
    shown = [_explored(one, judge, count) for one in experiments]
    return ExploredSet(first.dataset, first.recipe.scale, judge.judge, shown)


def _explored(experiment: TestedLike, judge: Space, count: int) -> Explored:
    made, recipe = experiment.distilled(), experiment.recipe
    distance, places = nearest_places(judge.features(made.images), judge.real, count)
    unit = judge.real_nearest.distance.mean().clamp_min(1e-12)
    assert judge.network is not None  # a judge is a network: for the type checker
    seen = look(judge.network, made.images)
    _, logits = load_answers(experiment.evaluate().folder)
    answers = logits.float().softmax(1)
    return Explored(recipe.method, recipe.distill.ipc, made, seen.attention, places, distance / unit, answers)


def nearest_places(queries: Tensor, pool: Tensor, count: int) -> tuple[Tensor, Tensor]:
    """Return the root mean square differences to, and the places of, the ``count`` nearest rows of a pool ``[P, D]``.

    Both are ``[N, count]`` for queries ``[N, D]``, nearest first.

    Raises:
        ShapeError: rows of different length, or a pool smaller than ``count``.
    """
    rows, others = unit_rows(queries), unit_rows(pool)
    if rows.shape[1] != others.shape[1] or not 1 <= count <= len(others):
        raise ShapeError(
            f"cannot find {count} nearest of {tuple(pool.shape)} for {tuple(queries.shape)}; expected [N, D] and "
            "[P, D], and 1 to P nearest."
        )
    # Not by way of products, which round: a copy is at exactly 0.
    distance = torch.cdist(rows, others, compute_mode="donot_use_mm_for_euclid_dist") / rows.shape[1] ** 0.5
    return tuple(distance.topk(count, dim=1, largest=False))


def said_of(labels: Tensor, answers: Tensor, index: int) -> list[tuple[int, int]]:
    """Return the classes that a student took the images of class ``index`` for, with how many, most often first.

    Labels are ``[T]``, answers ``[T, K]``; of equally many the lower index comes first.
    """
    said = Counter(answers[labels == index].argmax(1).tolist())
    return sorted(said.items(), key=lambda pair: (-pair[1], pair[0]))


def brightest(attention: Tensor) -> str:
    """Return where a map ``[h, w]`` is largest, in words, ``top left`` to ``bottom right``.

    Rows and columns are cut in three; of equal places the first counts.
    """
    high, wide = attention.shape
    row, column = divmod(int(attention.flatten().argmax()), wide)
    words = [names[3 * place // size] for names, place, size in ((_ROWS, row, high), (_COLUMNS, column, wide))]
    return " ".join(filter(None, words)) or "centre"


_ROWS, _COLUMNS = ("top", "", "bottom"), ("left", "", "right")
