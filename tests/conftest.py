"""The authors' values that every piece is compared with."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import settings
from torch import Tensor

GOLDEN = Path(__file__).resolve().parents[0] / "golden" / "fd2_golden.npz"

# The same examples on every run, and no time limit: machines that run the tests may be busy.
settings.register_profile("fd2lib", deadline=None, derandomize=True, max_examples=50)
settings.load_profile("fd2lib")


@pytest.fixture(scope="session")
def golden() -> Callable[[str], dict[str, Tensor]]:
    """All tensors of one piece, by name."""
    content = {key: torch.from_numpy(value) for key, value in np.load(GOLDEN).items()}

    def piece(name: str) -> dict[str, Tensor]:
        return {key.partition("/")[2]: value.clone() for key, value in content.items() if key.startswith(f"{name}/")}

    return piece
