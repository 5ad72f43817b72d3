"""Every stage that is interrupted and run again ends as if nothing had happened, to the last bit."""

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from fd2lib.record import RunFolder
from fd2lib.stages import (
    DistillInputs,
    EvaluateInputs,
    PretrainInputs,
    RelabelInputs,
    run_distill,
    run_evaluate,
    run_pretrain,
    run_relabel,
)
from fd2lib.stages.label_store import LabelWriter


class _PowerCutError(BaseException):
    """Nothing catches it, as nothing catches a killed process."""


@pytest.fixture
def cut_power_after(monkeypatch):
    """Let the process die right after its n-th checkpoint."""

    def arrange(saves):
        original, count = RunFolder.save_checkpoint, []

        def save(self, state):
            original(self, state)
            count.append(1)
            if len(count) == saves:
                raise _PowerCutError

        monkeypatch.setattr(RunFolder, "save_checkpoint", save)
        return lambda: monkeypatch.setattr(RunFolder, "save_checkpoint", original)

    return arrange


def _interrupted(run, arrange, saves=1):
    restore = arrange(saves)
    with pytest.raises(_PowerCutError):
        run()
    restore()
    return run()


def test_pretrain_resumes_bit_identical(tmp_path, data, recipe, cut_power_after):
    settings, inputs = recipe().pretrain, PretrainInputs(data)
    whole = run_pretrain(settings, inputs, tmp_path / "whole", progress=False)
    cut = _interrupted(lambda: run_pretrain(settings, inputs, tmp_path / "cut", progress=False), cut_power_after)
    first, second = (load_file(result.folder / "teacher.safetensors") for result in (whole, cut))
    assert all(torch.equal(first[name], second[name]) for name in first)
    assert not list(cut.folder.glob("checkpoint*"))


@pytest.mark.parametrize("method", ["sre2lpp", "sre2lpp_fd2"])
def test_distill_resumes_bit_identical(tmp_path, data, recipe, teachers, cut_power_after, method):
    settings = recipe(method, ipc=3, **{"distill.chunk_classes": 3}).distill
    inputs = DistillInputs(data, [teachers["cal" if method.endswith("fd2") else "plain"]])
    whole = run_distill(settings, inputs, tmp_path / "whole", progress=False)
    cut = _interrupted(lambda: run_distill(settings, inputs, tmp_path / "cut", progress=False), cut_power_after, 4)
    first, second = (load_file(result.folder / "images.safetensors") for result in (whole, cut))
    assert torch.equal(first["images"], second["images"])
    assert not torch.equal(first["images"], first["starts"])
    assert (whole.folder / "history.csv").read_text() == (cut.folder / "history.csv").read_text()


@pytest.mark.parametrize("changes", [{}, {"bits": 8}, {"epochs": 4, "kept_epochs": 3, "bits": 8}, {"regime": "fixed"}])
def test_relabel_and_evaluate_resume_bit_identical(tmp_path, data, recipe, teachers, cut_power_after, changes):
    made = recipe(**{f"relabel.{name}": value for name, value in changes.items()})
    images = run_distill(made.distill, DistillInputs(data, [teachers["cal"]]), tmp_path / "images", progress=False)
    inputs = RelabelInputs(images.folder, [teachers["cal"]])
    whole = run_relabel(made.relabel, inputs, tmp_path / "whole", progress=False)
    cut = _interrupted(lambda: run_relabel(made.relabel, inputs, tmp_path / "cut", progress=False), cut_power_after)
    names = {path.name for path in whole.folder.glob("*.npy")}
    assert names and names == {path.name for path in cut.folder.glob("*.npy")}
    assert all((whole.folder / name).read_bytes() == (cut.folder / name).read_bytes() for name in names)

    test = EvaluateInputs(data, whole.folder)
    whole_student = run_evaluate(made.evaluate, test, tmp_path / "student", progress=False)
    cut_student = _interrupted(
        lambda: run_evaluate(made.evaluate, test, tmp_path / "cut_student", progress=False), cut_power_after
    )
    logits = [np.load(result.folder / "predictions.npz")["logits"] for result in (whole_student, cut_student)]
    assert np.array_equal(*logits)


@pytest.mark.parametrize("bits", [16, 8])
def test_a_process_killed_within_an_epoch_of_labels(tmp_path, data, recipe, teachers, monkeypatch, bits):
    """The second epoch's rows are half written, and its checkpoint is not."""
    made = recipe(**{"relabel.bits": bits, "relabel.epochs": 3})
    images = run_distill(made.distill, DistillInputs(data, [teachers["cal"]]), tmp_path / "images", progress=False)
    inputs = RelabelInputs(images.folder, [teachers["cal"]])
    whole = run_relabel(made.relabel, inputs, tmp_path / "whole", progress=False)
    write = LabelWriter.write

    def die(self, epoch, logits):
        if epoch == 1:
            write(self, epoch, torch.where(torch.arange(len(logits))[:, None] % 2 == 0, logits, 0 * logits))
            raise _PowerCutError
        write(self, epoch, logits)

    monkeypatch.setattr(LabelWriter, "write", die)
    with pytest.raises(_PowerCutError):
        run_relabel(made.relabel, inputs, tmp_path / "cut", progress=False)
    monkeypatch.setattr(LabelWriter, "write", write)
    cut = run_relabel(made.relabel, inputs, tmp_path / "cut", progress=False)
    for path in whole.folder.glob("*.npy"):
        assert path.read_bytes() == (cut.folder / path.name).read_bytes()


def test_a_finished_run_is_loaded_not_repeated(tmp_path, data, recipe, monkeypatch):
    settings, inputs = recipe("sre2lpp").pretrain, PretrainInputs(data)
    first = run_pretrain(settings, inputs, tmp_path / "run", progress=False)
    monkeypatch.setattr("fd2lib.stages.pretrain._train", lambda *_: pytest.fail("trained again"))
    second = run_pretrain(settings, inputs, tmp_path / "run", progress=False)
    assert (first.reused, second.reused) == (False, True)
    assert first.backbone_accuracy == second.backbone_accuracy
