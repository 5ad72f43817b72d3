"""Students whose classifier learns at another rate than the rest."""

import dataclasses

import numpy as np
import pandas as pd
import pytest
import torch

from fd2lib.ground import identity
from fd2lib.models import create_backbone
from fd2lib.stages import (
    DistillInputs,
    EvaluateInputs,
    RelabelInputs,
    load_student,
    run_distill,
    run_evaluate,
    run_relabel,
)


@pytest.fixture(scope="module")
def labels(tmp_path_factory, data, recipe, teachers):
    """Labels of random real images, by a plain teacher."""
    root, asked = tmp_path_factory.mktemp("rates"), recipe("random", ipc=2)
    images = run_distill(asked.distill, DistillInputs(data, []), root / "images", progress=False).folder
    return run_relabel(asked.relabel, RelabelInputs(images, [teachers["plain"]]), root / "labels").folder


def student(recipe, data, labels, out, **changes):
    settings = dataclasses.replace(recipe("random").evaluate, **changes)
    return run_evaluate(settings, EvaluateInputs(data, labels), out, progress=False).folder


def weights(folder):
    return load_student(folder).state


def test_with_a_tiny_rate_only_the_classifier_learns(tmp_path, data, recipe, labels):
    settings = recipe("random").evaluate
    made = student(recipe, data, labels, tmp_path / "run", backbone_rate=1e-12, weight_decay=0.0)
    asked = {"init": settings.student_init, "stem": settings.stem, "seed": settings.seed}
    before = create_backbone(settings.student, len(data.classes), image_size=32, features=False, **asked)
    after, classifier = weights(made), dict(before.classifier.named_parameters())
    own = {name for name, p in before.named_parameters() if any(p is one for one in classifier.values())}
    assert 0 < len(own) < len(dict(before.named_parameters()))
    for name, parameter in before.named_parameters():
        moved = (after[name] - parameter.detach()).abs().max().item()
        assert moved > 1e-5 if name in own else moved < 1e-8, name
    rates = pd.read_csv(made / "history.csv")["learning_rate"]
    assert rates[0] == settings.learning_rate > rates[1]


def test_one_rate_is_the_same_student_however_it_is_asked_for(tmp_path, data, recipe, labels):
    settings = recipe("random").evaluate
    same = dataclasses.replace(settings, backbone_rate=settings.learning_rate)
    assert same == settings and "backbone_rate" not in identity(settings)
    assert identity(dataclasses.replace(settings, backbone_rate=1e-4))["backbone_rate"] == 1e-4
    one, two = (
        student(recipe, data, labels, tmp_path / name, backbone_rate=rate) for name, rate in (("a", 0.0), ("b", 1e-4))
    )
    logits = [np.load(folder / "predictions.npz")["logits"] for folder in (one, two)]
    assert not np.allclose(*logits)


def test_a_student_with_two_rates_is_resumed_to_the_bit(tmp_path, data, recipe, labels, monkeypatch):
    whole = student(recipe, data, labels, tmp_path / "whole", backbone_rate=1e-4)
    monkeypatch.setattr("fd2lib.stages.evaluate.predict_student", lambda *_: 1 / 0)
    with pytest.raises(ZeroDivisionError):  # in its last epoch
        student(recipe, data, labels, tmp_path / "halted", backbone_rate=1e-4, test_every=2)
    monkeypatch.undo()
    student(recipe, data, labels, tmp_path / "halted", backbone_rate=1e-4, test_every=2)
    first, second = weights(whole), weights(tmp_path / "halted")
    assert all(torch.equal(value, second[name]) for name, value in first.items())
