"""Numbers that are no longer finite stop a stage at the iteration where they appear; the last good state is kept."""

import dataclasses
import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from tiny_pipeline import RUN, Pipeline, tiny_data, tiny_recipe

from fd2lib.ground import DataError, TrainingError
from fd2lib.stages import PretrainInputs, pretrain, run_pretrain
from fd2lib.stages.finite import EVERY, Watch
from fd2lib.stages.objective import Objective
from fd2lib.stages.pixel_statistics import pixel_statistics


@given(
    st.integers(0, 3 * EVERY),
    st.integers(0, 2),
    st.sampled_from([math.nan, math.inf, -math.inf]),
    st.integers(0, EVERY),
)
def test_the_first_step_and_its_term_are_named(step, term, value, more):
    names = ["total", "sharpness", "depth"]
    watch = Watch(names, "a run", "Do this.")
    taken = 0
    with pytest.raises(TrainingError) as caught:
        for taken in range(step + more + 1):
            row = [0.0, 1.0, 2.0]
            if taken >= step:
                row[term] = row[0] = value
            watch.see([torch.tensor(one) for one in row])
        watch.check()
    named = f"{names[term]} is {value} at iteration {step} of a run; expected a finite number. Do this."
    assert str(caught.value) == named
    assert taken < step + EVERY  # seen within so many steps


@given(st.integers(1, 3 * EVERY), st.booleans())
def test_what_is_finite_comes_back_as_it_was(steps, holds):
    watch, rows = Watch(["total", "depth"], "a run", ""), torch.randn(steps, 2)
    for row in rows:
        watch.see(list(row))
    watch.promise(torch.tensor(holds))
    assert torch.equal(watch.check(), rows) and watch.kept == holds and watch.steps == steps


def test_the_host_waits_once_in_many_steps(monkeypatch):
    reads, cpu = [], torch.Tensor.cpu
    monkeypatch.setattr(torch.Tensor, "cpu", lambda self: reads.append(1) or cpu(self))
    watch = Watch(["total"], "a run", "")
    for _ in range(3 * EVERY):
        watch.see([torch.zeros(())])
    assert len(reads) == 3


def test_training_that_diverges_keeps_the_epoch_before(tmp_path, monkeypatch):
    settings, losses = tiny_recipe(**{"pretrain.epochs": 3}).pretrain, pretrain._losses
    calls = []

    def diverging(*arguments):
        calls.append(1)
        terms = losses(*arguments)
        return terms | {"center": terms["center"] * (math.nan if len(calls) == 4 else 1)}

    monkeypatch.setattr(pretrain, "_losses", diverging)  # two steps an epoch
    with pytest.raises(TrainingError, match=r"^center is nan at iteration 1 of epoch 1 of .*learning_rate; the last"):
        run_pretrain(settings, PretrainInputs(tiny_data()), tmp_path / "run", progress=False)
    assert [path.name[:17] for path in (tmp_path / "run").glob("checkpoint*")] == ["checkpoint-000001"]
    monkeypatch.setattr(pretrain, "_losses", losses)
    made = [
        run_pretrain(settings, PretrainInputs(tiny_data()), tmp_path / name, progress=False) for name in ("run", "x")
    ]
    one, two = ((result.folder / "teacher.safetensors").read_bytes() for result in made)
    assert one == two


def test_a_rate_that_is_too_high_is_named_with_its_iteration(tmp_path):
    settings = tiny_recipe(**{"pretrain.optimizer": "sgd"}).pretrain
    object.__setattr__(settings, "learning_rate", 1e30)  # beyond what a setting may be
    with pytest.raises(TrainingError, match=r"is (nan|inf|-inf) at iteration \d+ of epoch \d of .*Lower pretrain"):
        run_pretrain(settings, PretrainInputs(tiny_data()), tmp_path / "run", progress=False)


def test_distillation_says_which_term_and_iteration_and_keeps_chunks(tmp_path, monkeypatch):
    call, calls = Objective.__call__, []

    def wrong(self, views):
        calls.append(1)
        columns = call(self, views)
        return columns | {"bn": columns["bn"] * (math.inf if len(calls) == 4 else 1)}

    pipeline = Pipeline(tmp_path)
    inputs = pipeline.inputs("distill")
    monkeypatch.setattr(Objective, "__call__", wrong)  # two iterations of each of two chunks
    with pytest.raises(TrainingError, match=r"^bn is inf at iteration 1 of image index 0, chunk 1; .*chunks are kept"):
        RUN["distill"](pipeline.recipe.distill, inputs, tmp_path / "run", progress=False)
    assert len(list((tmp_path / "run" / "chunks").iterdir())) == 1


@pytest.mark.parametrize("term", ["cross_entropy", "bn", "characteristic"])
def test_a_weight_that_leaves_the_images_unmoved_is_an_error(tmp_path, term):
    recipe = tiny_recipe(**{"distill.chunk_classes": 2})
    object.__setattr__(recipe.distill, f"{term}_weight", 1e30)  # beyond what a setting may be
    pipeline = Pipeline(tmp_path, recipe)
    with pytest.raises(TrainingError, match=rf"the gradient of {term}, with distill.{term}_weight = 1e\+30.*Lower"):
        pipeline.run("distill")


def _one_colour(*channels):
    data = tiny_data()
    images = data.train.images.clone()
    for channel in channels:
        images[:, channel] = 7
    pixels = images.transpose(0, 1).flatten(1).double() / 255
    std = tuple(0.0 if channel in channels else pixels[channel].std(correction=0).item() for channel in range(3))
    split = dataclasses.replace(data.train, images=images)
    return dataclasses.replace(data, train=split, mean=tuple(pixels.mean(1).tolist()), std=std)


def test_images_of_one_colour_are_an_error_before_anything_is_trained(tmp_path):
    with pytest.raises(DataError, match=r"all 6 training images of plumage have one colour, rgb\(7, 7, 7\)"):
        run_pretrain(tiny_recipe().pretrain, PretrainInputs(_one_colour(0, 1, 2)), tmp_path / "run", progress=False)


def test_a_channel_of_one_value_is_divided_by_one(tmp_path):
    data = _one_colour(1, 2)
    mean, std = pixel_statistics(data)
    assert std == (data.std[0], 1.0, 1.0) and mean == data.mean
    made = run_pretrain(tiny_recipe().pretrain, PretrainInputs(data), tmp_path / "run", progress=False)
    assert 0 <= made.backbone_accuracy <= 100
    assert pixel_statistics(tiny_data()) == (tiny_data().mean, tiny_data().std)
