"""Memory that is kept while a stage runs, and what cannot fit into it."""

import pytest
import torch

from fd2lib.ground import SettingError, kept_memory, memory, require_memory, total_memory


def test_results_are_the_same_and_an_error_passes_through() -> None:
    x = torch.randn(64, 3, 64, 64, generator=torch.Generator().manual_seed(0))
    expected = (x @ x.transpose(2, 3)).relu().sum()
    with kept_memory():
        found = (x @ x.transpose(2, 3)).relu().sum()
    assert torch.equal(found, expected)
    with pytest.raises(ZeroDivisionError), kept_memory():
        raise ZeroDivisionError


def test_what_does_not_fit_is_refused_with_both_sizes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory, "total_memory", lambda device=None: 8 * 2**30)
    require_memory(8 * 2**30, "this", "do that")
    with pytest.raises(SettingError, match=r"^this needs at least 9 GiB of memory, .*machine has 8; do that\.$"):
        require_memory(9 * 2**30, "this", "do that")
    monkeypatch.setattr(memory, "total_memory", lambda device=None: None)  # where the system does not tell
    require_memory(10**30, "this", "do that")


def test_a_container_has_no_more_than_its_limit(tmp_path, monkeypatch: pytest.MonkeyPatch) -> None:
    paths = [tmp_path / "new", tmp_path / "old"]
    monkeypatch.setattr(memory, "_CGROUPS", tuple(map(str, paths)))
    whole = total_memory()
    assert whole is not None and whole > 2**28
    paths[0].write_text("max\n")
    assert total_memory() == whole
    paths[1].write_text("1000000\n")
    assert total_memory() == 1_000_000
