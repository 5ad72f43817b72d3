"""What cannot fit into memory is refused before it is begun."""

import time

import pytest
import torch

from fd2lib.drive import Experiment
from fd2lib.ground import DistillSettings, SettingError, memory
from fd2lib.stages import require_room

CPU = torch.device("cpu")


def settings(**changes):
    return DistillSettings(**{"ipc": 1, "seed": 0, "iterations": 10, "start": "whole"} | changes)


@pytest.fixture(autouse=True)
def machine(monkeypatch):
    """A machine of 16 GiB."""
    monkeypatch.setattr(memory, "total_memory", lambda device=None: 16 * 2**30)


def test_what_fits_is_let_through():
    require_room(settings(ipc=50), 200, 224, CPU)
    require_room(settings(phases="3@200 4@224"), 200, 224, CPU)
    require_room(DistillSettings(ipc=0, seed=0, start="all", iterations=0), 200, 224, CPU)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"ipc": 10**6}, "distilling 1,000,000 images for each of 200 classes .* ask for a lower ipc"),
        ({"phases": "1@32 1@2048"}, "optimising 100 images at 2,048 px needs at least 23 GiB"),
    ],
)
def test_what_cannot_fit_is_refused_at_once(changes, words):
    with pytest.raises(SettingError, match=words):
        require_room(settings(**changes), 200, 32, CPU)


@pytest.mark.parametrize("overrides", ["distill.phases=1@2048", ""])
def test_an_experiment_says_so_before_a_teacher_is_trained(tmp_path, monkeypatch, overrides):
    monkeypatch.setattr(memory, "total_memory", lambda device=None: 2**28)
    asked = {"overrides": overrides} if overrides else {"ipc": 10**6}
    experiment = Experiment(runs_dir=str(tmp_path / "runs"), device="cpu", classes="2", image_size=16, **asked)
    begun = time.perf_counter()
    with pytest.raises(SettingError, match="GiB of memory, and this machine has"):
        experiment.row()
    assert time.perf_counter() - begun < 60 and not (tmp_path / "runs").exists()
