"""Memory that is kept while a stage runs."""

import pytest
import torch

from fd2lib.ground import kept_memory


def test_results_are_the_same_and_an_error_passes_through() -> None:
    x = torch.randn(64, 3, 64, 64, generator=torch.Generator().manual_seed(0))
    expected = (x @ x.transpose(2, 3)).relu().sum()
    with kept_memory():
        found = (x @ x.transpose(2, 3)).relu().sum()
    assert torch.equal(found, expected)
    with pytest.raises(ZeroDivisionError), kept_memory():
        raise ZeroDivisionError
