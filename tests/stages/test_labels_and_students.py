"""Soft labels and the students that learn from them."""

import dataclasses

import numpy as np
import pytest
import torch

from fd2lib.ground import SettingError, ShapeError
from fd2lib.models import Teacher
from fd2lib.stages import DistillInputs, EvaluateInputs, RelabelInputs, run_distill, run_evaluate, run_relabel
from fd2lib.stages.distilled import load_distilled
from fd2lib.stages.labels import load_teachers, plan_logits, soft_labels
from fd2lib.views import plan_epoch


@pytest.fixture(scope="module")
def images(tmp_path_factory, data, recipe, teachers):
    out = tmp_path_factory.mktemp("images")
    return run_distill(
        recipe(ipc=3).distill, DistillInputs(data, [teachers["cal"]]), out / "run", progress=False
    ).folder


def _relabel(recipe, images, teachers, out, **changes):
    return run_relabel(recipe(ipc=3, **changes).relabel, RelabelInputs(images, teachers), out, progress=False)


def test_stored_logits_are_what_the_teacher_says_of_each_batch(tmp_path, recipe, images, teachers):
    result = _relabel(recipe, images, [teachers["cal"]], tmp_path / "run")
    stored = np.load(result.folder / "teacher_logits.npy")
    assert stored.shape == (2, 12, 4) and stored.dtype == np.float16
    assert result.label_bytes == (result.folder / "teacher_logits.npy").stat().st_size
    settings, distilled = recipe(ipc=3).relabel, load_distilled(images)
    teacher = Teacher.load(teachers["cal"], "cpu").eval()
    pixels = distilled.images.float() / 255
    plans = plan_epoch(settings, 12, 32, 1)
    again = torch.cat([plan_logits([teacher], pixels, plan, "batch", "backbone") for plan in plans])
    np.testing.assert_allclose(stored[1], again.numpy(), rtol=2e-3, atol=2e-3)


def test_modes_sources_and_teachers_give_different_labels(tmp_path, recipe, images, teachers):
    kinds = {
        "batch": (["cal"], {}),
        "evaluation": (["cal"], {"relabel.label_mode": "evaluation"}),
        "head": (["cal"], {"relabel.label_source": "head"}),
        "two": (["cal", "plain"], {}),
    }
    stored = []
    for name, (which, changes) in kinds.items():
        result = _relabel(recipe, images, [teachers[one] for one in which], tmp_path / name, **changes)
        stored.append(np.load(result.folder / "teacher_logits.npy"))
    for i, first in enumerate(stored):
        assert all(not np.allclose(first, other) for other in stored[i + 1 :])


def test_labels_leave_the_teacher_as_it_was(images, recipe, teachers):
    teacher = Teacher.load(teachers["cal"], "cpu").eval()
    before = {name: value.clone() for name, value in teacher.state_dict().items()}
    pixels = load_distilled(images).images.float() / 255
    plan_logits([teacher], pixels, plan_epoch(recipe().relabel, 12, 32, 0)[0], "batch", "head")
    assert all(torch.equal(before[name], value) for name, value in teacher.state_dict().items())
    assert not teacher.training


def test_hard_labels_and_best_epoch(tmp_path, data, recipe, images, teachers):
    labels = _relabel(recipe, images, [teachers["cal"]], tmp_path / "labels")
    inputs = EvaluateInputs(data, labels.folder)
    soft, hard = recipe().evaluate, dataclasses.replace(recipe().evaluate, labels="hard")
    results = [run_evaluate(s, inputs, tmp_path / s.labels, progress=False) for s in (soft, hard)]
    predictions = [np.load(result.folder / "predictions.npz")["logits"] for result in results]
    assert not np.allclose(*predictions)
    assert all(result.best_accuracy >= result.last_accuracy for result in results)
    correct = (predictions[0].argmax(1) == data.test.labels.numpy()).mean() * 100
    assert results[0].last_accuracy == pytest.approx(correct)


def test_labels_of_other_classes_are_refused(tmp_path, data, recipe, images, teachers):
    labels = _relabel(recipe, images, [teachers["cal"]], tmp_path / "labels")
    fewer = dataclasses.replace(data, classes=data.classes[:3])
    with pytest.raises(SettingError, match=r"4 classes.*has 3"):
        run_evaluate(recipe().evaluate, EvaluateInputs(fewer, labels.folder), tmp_path / "student", progress=False)


@pytest.mark.parametrize("kwargs", [{}, {"mode": "evaluation"}, {"source": "head"}, {"halves": False}])
def test_soft_labels_of_a_batch_of_ones_own(images, teachers, kwargs):
    both = load_teachers([teachers["cal"], teachers["cal"]], torch.device("cpu"))
    batch = torch.rand(9, 3, 32, 32, generator=torch.Generator().manual_seed(0))
    labels = soft_labels(both, batch, **kwargs)
    assert labels.shape == (9, 4) and labels.dtype == torch.float32 and not labels.requires_grad
    torch.testing.assert_close(soft_labels(both[0], batch, **kwargs), labels)
    # What a label depends on: the images that share its BatchNorm statistics, and no others.
    other = torch.cat([batch[:1], batch[1:].flip(3).square()])
    tail = torch.cat([batch[:5], batch[5:].square()])
    changed = [not torch.allclose(soft_labels(both, changed, **kwargs)[0], labels[0]) for changed in (other, tail)]
    assert changed == [kwargs.get("mode") != "evaluation", kwargs.get("halves") is False]


def test_soft_labels_refuse_what_they_cannot_label(teachers):
    cal, plain = load_teachers([teachers["cal"], teachers["plain"]], torch.device("cpu"))
    batch = torch.rand(2, 3, 32, 32)
    for words, call in {
        "no teacher": lambda: soft_labels([], batch),
        "label_mode 'bacth'.*'batch'": lambda: soft_labels(cal, batch, mode="bacth"),
        "label_source": lambda: soft_labels(cal, batch, source="neck"),
        "no attention head": lambda: soft_labels(plain, batch, source="head"),
        r"uint8.*expected float \[b, 3, S, S\]": lambda: soft_labels(cal, batch.byte()),
    }.items():
        with pytest.raises((SettingError, ShapeError), match=words):
            call()
