"""How similar vectors that stand for classes are."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from fd2lib.data import display_name


def cosine_matrix(vectors: Tensor, centred: bool = False) -> np.ndarray:
    """Return the cosine similarity of every two rows of ``[K, D]``, in [−1, 1]; a zero row is like nothing (0).

    Args:
        vectors: one row for each class.
        centred: take the mean row off first, which shows differences that a large common part hides.
    """
    rows = vectors.detach().float().cpu()
    rows = rows - rows.mean(0) if centred else rows
    rows = torch.nn.functional.normalize(rows, dim=1)
    return (rows @ rows.T).clamp(-1, 1).numpy()


def closest_pairs(matrix: np.ndarray, classes: Sequence[str], count: int = 3) -> pd.DataFrame:
    """Return the most similar pairs of classes, most similar first.

    Returns:
        Columns ``first, second`` (class indices), ``first_name, second_name`` and ``similarity``.
    """
    first, second = np.triu_indices(len(matrix), 1)
    best = np.argsort(-matrix[first, second], kind="stable")[:count]
    names = [display_name(name) for name in classes]
    return pd.DataFrame(
        {
            "first": first[best],
            "second": second[best],
            "first_name": [names[i] for i in first[best]],
            "second_name": [names[i] for i in second[best]],
            "similarity": matrix[first[best], second[best]].astype(float),
        }
    )
