"""Distillation: starts, prefixes, the objective's terms, and errors that name the remedy."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image

from fd2lib.ground import ArtefactError, DataError, SettingError, TrainingError
from fd2lib.models import Teacher
from fd2lib.stages import DistillInputs, load_distilled, run_distill
from fd2lib.stages.objective import Objective
from fd2lib.stages.starts import make_starts

CPU = torch.device("cpu")


def _starts(recipe, data, teacher=None, ipc=1, seed=0, **changes):
    changes = {f"distill.{name}": value for name, value in changes.items()}
    return make_starts(recipe(ipc=ipc, seed=seed, **changes).distill, data, teacher, CPU)


def _distill(recipe, data, folders, out, **kwargs):
    settings = recipe(**kwargs).distill
    return run_distill(settings, DistillInputs(data, folders), out, progress=False)


def test_a_smaller_ipc_is_a_prefix_of_a_larger(tmp_path, data, recipe, teachers):
    few = _distill(recipe, data, [teachers["cal"]], tmp_path / "one", ipc=1)
    many = _distill(recipe, data, [teachers["cal"]], tmp_path / "two", ipc=2)
    assert torch.equal(load_distilled(few.folder).images, load_distilled(many.folder, ipc=1).images)
    assert load_distilled(many.folder).labels.tolist() == [0, 1, 2, 3, 0, 1, 2, 3]
    with pytest.raises(SettingError, match="ipc is 5"):
        load_distilled(many.folder, ipc=5)


def test_random_real_is_the_start_of_the_optimised_methods(tmp_path, data, recipe, teachers):
    real = _distill(recipe, data, [], tmp_path / "real", method="random", ipc=2)
    made = _distill(recipe, data, [teachers["plain"]], tmp_path / "made", method="sre2lpp", ipc=2)
    images = load_distilled(real.folder)
    assert torch.equal(images.images, load_distilled(made.folder).starts)
    assert real.mean_pixel_change == 0 < made.mean_pixel_change
    pixels = data.train.images.flatten(1)
    for image, label in zip(images.images, images.labels, strict=True):
        match = (pixels == image.flatten()).all(dim=1).nonzero().flatten()
        assert data.train.labels[match].tolist() == [label.item()]


def test_pngs_hold_exactly_the_images(tmp_path, data, recipe, teachers):
    result = _distill(recipe, data, [teachers["plain"]], tmp_path / "run", method="sre2lpp")
    images = load_distilled(result.folder).images
    for label, path in enumerate(sorted((result.folder / "images").iterdir())):
        stored = torch.from_numpy(np.array(Image.open(path / "00.png")))
        assert torch.equal(stored.permute(2, 0, 1), images[label])
    assert sum(result.bytes_by_index) == sum(p.stat().st_size for p in (result.folder / "images").rglob("*.png"))


def test_history_has_every_term_and_similarity_only_within_a_group(tmp_path, data, recipe, teachers):
    changes = {"distill.group_size": 2}
    result = _distill(recipe, data, [teachers["cal"]], tmp_path / "run", ipc=3, **changes)
    history = pd.read_csv(result.folder / "history.csv")
    assert list(history.groupby("index").size()) == [3, 3, 3]
    similarity = history.groupby("index")["similarity"].mean()
    assert similarity[0] == similarity[2] == 0  # each begins a group
    assert similarity[1] > 0
    assert (history["characteristic"] > 0).all()


@pytest.mark.parametrize("base", ["replaced", "kept"])
def test_the_total_is_the_weighted_sum_of_its_terms(data, recipe, teachers, base):
    settings = recipe(**{"distill.base_cross_entropy": base}).distill
    teacher = Teacher.load(teachers["cal"], "cpu").eval().requires_grad_(False)
    labels = torch.arange(4)
    views = teacher.normalize(_starts(recipe, data, start="whole")[0])
    objective = Objective(teacher, settings, labels)
    objective.remember(views.flip(3)[None])
    terms = objective(views)
    expected = (
        settings.cross_entropy_weight * terms["cross_entropy"]
        + settings.bn_weight * terms["bn"]
        + settings.characteristic_weight * terms["characteristic"]
        + settings.similarity_weight * terms["similarity"]
    )
    torch.testing.assert_close(terms["total"], expected)
    output = teacher(views)
    head, backbone = (
        torch.nn.functional.cross_entropy(logits, labels) for logits in (output.attention.logits, output.logits)
    )
    ratio = settings.attention_ratio
    extra = backbone if base == "kept" else 0
    torch.testing.assert_close(terms["cross_entropy"], ratio * head + (1 - ratio) * backbone + extra)


@pytest.mark.parametrize("changes", [{"distill.characteristic_weight": 0.0}, {"distill.similarity_weight": 0.0}])
def test_each_constraint_changes_the_images(tmp_path, data, recipe, teachers, changes):
    full = _distill(recipe, data, [teachers["cal"]], tmp_path / "full", ipc=2)
    less = _distill(recipe, data, [teachers["cal"]], tmp_path / "less", ipc=2, **changes)
    assert not torch.equal(load_distilled(full.folder).images, load_distilled(less.folder).images)


def test_mosaics_differ_from_each_other(data, recipe, teachers):
    teacher = Teacher.load(teachers["plain"], "cpu").eval()
    starts = _starts(recipe, data, teacher, ipc=3, start="pool1")
    assert starts.shape == (3, 4, 3, 32, 32)
    assert starts.min() >= 0 and starts.max() <= 1
    assert not torch.equal(starts[0], starts[1]) and not torch.equal(starts[1], starts[2])


def test_repeated_mosaics_are_drawn_with_replacement_from_the_best(data, recipe, teachers):
    teacher = Teacher.load(teachers["plain"], "cpu").eval()
    pool = _starts(recipe, data, teacher, ipc=5, start="pool1")
    drawn = _starts(recipe, data, teacher, ipc=8, start="pool1", mosaics="repeated")
    for label in range(len(data.classes)):
        which = [[torch.equal(image, one) for one in pool[:, label]].index(True) for image in drawn[:, label]]
        assert len(which) == 8 > len(set(which))  # all from the five best, so that some come twice
    few = _starts(recipe, data, teacher, ipc=3, start="pool1", mosaics="repeated")
    assert torch.equal(few, drawn[:3])


def test_the_whole_set_is_every_training_image_of_any_count(tmp_path, data, recipe):
    kept = torch.arange(1, len(data.train))  # one class has fewer
    thinner = replace(
        data,
        train=replace(
            data.train, images=data.train.take(kept), labels=data.train.labels[1:], names=data.train.names[1:]
        ),
    )
    result = _distill(recipe, thinner, [], tmp_path / "run", method="whole_set", ipc=3)
    taken = load_distilled(result.folder, ipc=1)
    order = thinner.train.labels.argsort(stable=True)
    assert torch.equal(taken.images, thinner.train.take(order))
    assert torch.equal(taken.labels, thinner.train.labels[order])
    assert len(list((result.folder / "images").rglob("*.png"))) == len(thinner.train)
    assert sum(result.bytes_by_index) == sum(p.stat().st_size for p in (result.folder / "images").rglob("*.png"))
    assert sorted(p.name for p in (result.folder / "images").iterdir())[1].startswith("001_")


def test_noise_starts_depend_on_the_seed_alone(data, recipe):
    first, again, other = (_starts(recipe, data, start="noise", seed=seed) for seed in (0, 0, 1))
    assert torch.equal(first, again) and not torch.equal(first, other)


def test_too_few_images_name_class_count_and_need(data, recipe, teachers):
    teacher = Teacher.load(teachers["plain"], "cpu").eval()
    with pytest.raises(DataError, match="6"):
        _starts(recipe, data, teacher, ipc=2, start="pool2")
    with pytest.raises(DataError, match="7 whole real images"):
        _starts(recipe, data, ipc=7, start="whole")


def test_impossible_requests_are_refused(tmp_path, data, recipe, teachers):
    with pytest.raises(SettingError, match="no teacher was given"):
        _distill(recipe, data, [], tmp_path / "a")
    with pytest.raises(SettingError, match=r"attention head.*has none"):
        _distill(recipe, data, [teachers["plain"]], tmp_path / "b")
    with pytest.raises(ArtefactError, match="does not exist"):
        DistillInputs(data, [tmp_path / "nowhere"]).fingerprints()


def test_a_loss_that_is_not_finite_stops_the_run(tmp_path, data, recipe, teachers, monkeypatch):
    monkeypatch.setattr("fd2lib.losses.characteristic.characteristic_loss", lambda *_: torch.tensor(float("nan")))
    with pytest.raises(TrainingError, match=r"nan.*learning_rate"):
        _distill(recipe, data, [teachers["cal"]], tmp_path / "run")
