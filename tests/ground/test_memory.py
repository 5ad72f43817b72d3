"""Memory that is kept while a stage runs, and what cannot fit into it."""

from types import SimpleNamespace

import pytest
import torch

from fd2lib.ground import SettingError, TrainingError, kept_memory, memory, require_memory, total_memory


def test_results_are_the_same_and_an_error_passes_through() -> None:
    x = torch.randn(64, 3, 64, 64, generator=torch.Generator().manual_seed(0))
    expected = (x @ x.transpose(2, 3)).relu().sum()
    with kept_memory():
        found = (x @ x.transpose(2, 3)).relu().sum()
    assert torch.equal(found, expected)
    with pytest.raises(ZeroDivisionError), kept_memory():
        raise ZeroDivisionError


@pytest.mark.parametrize("sizes", [(10**13,), (2**62, 2**62)])
def test_a_shortage_is_said_in_one_line(sizes: tuple[int, ...]) -> None:
    with pytest.raises(TrainingError, match=r"memory ran out.* Lower image_size") as error, kept_memory():
        torch.empty(sizes)
    assert "\n" not in str(error.value) and len(str(error.value)) < 250
    assert len(sizes) > 1 or "40000000000000 bytes were asked for" in str(error.value)


def test_a_devices_shortage_is_said_too_and_other_errors_are_left_alone() -> None:
    with pytest.raises(TrainingError, match=r"where 2\.50 GiB were asked for"), kept_memory():
        raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.50 GiB. GPU 0 has a total capacity of 1")
    with pytest.raises(RuntimeError, match="mat1 and mat2"), kept_memory():
        torch.ones(2, 3) @ torch.ones(2, 3)


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


def test_a_device_has_its_own_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    seen = SimpleNamespace(total_memory=4 * 2**30)
    monkeypatch.setattr(torch.cuda, "get_device_properties", lambda device: seen)
    gpu = torch.device("cuda", 1)
    assert total_memory(gpu) == 4 * 2**30 and total_memory(torch.device("cpu")) == total_memory()
    with pytest.raises(SettingError, match="5 GiB of memory, and cuda:1 has 4;"):
        require_memory(5 * 2**30, "this", "do that", gpu)
