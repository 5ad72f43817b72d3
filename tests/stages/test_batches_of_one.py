"""No batch of one image under batch statistics: in pretraining, relabelling, students, and in what is exported."""

import re
from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from tiny_pipeline import STAGES, Pipeline, tiny_data, tiny_recipe

import fd2lib.drive.export
from fd2lib.data import batches
from fd2lib.ground import RelabelSettings, batch_sizes, make_generator
from fd2lib.models.small import SMALL_NETWORKS
from fd2lib.views import halves, plan_epoch

TRAIN = Path(fd2lib.drive.export.__file__).parent / "templates" / "train.py"


@given(st.integers(1, 200), st.integers(2, 40))
def test_sizes_add_up_and_only_a_lone_last_image_changes_them(images, size):
    sizes = batch_sizes(images, size)
    plain = [min(size, images - first) for first in range(0, images, size)]
    assert sum(sizes) == images
    assert 1 not in sizes or images == 1
    assert sizes == plain if images % size != 1 or images == 1 else sizes == [*plain[:-2], size + 1]
    for count in sizes:
        assert all(part.stop - part.start > 1 for part in halves(range(count))) or images == 1


@given(st.integers(2, 60), st.integers(2, 12))
def test_plans_batches_and_the_exported_script_deal_out_alike(images, size):
    settings = RelabelSettings(ipc=1, epochs=1, batch_size=size, seed=0)
    plans = plan_epoch(settings, images, 16, 0)
    assert [len(plan) for plan in plans] == batch_sizes(images, size)
    (line,) = [line for line in TRAIN.read_text(encoding="utf-8").splitlines() if "tensor_split" in line]
    expression = re.search(r"tensor_split\((\[.*\])\)\)? for", line)[1]
    cuts = eval(expression, {"batch": size, "now": {"cutmix_lambda": plans}})
    parts = torch.arange(images).tensor_split(cuts)
    assert [len(part) for part in parts] == [len(plan) for plan in plans]


@pytest.mark.parametrize("size", [5, 3])
def test_shuffled_batches_have_two_images_at_least_and_ordered_ones_are_as_ever(size):
    split = tiny_data().train
    shuffled = [len(batch.labels) for batch in batches(split, size, generator=make_generator(0))]
    assert shuffled == batch_sizes(len(split), size) and min(shuffled) > 1
    assert [len(batch.labels) for batch in batches(split, size)] == [size] * (6 // size) + [6 % size] * (6 % size > 0)


def test_networks_that_end_in_one_pixel_take_every_count(tmp_path, monkeypatch):
    """BatchNorm over a single value is an error of PyTorch's."""
    recipe = tiny_recipe(**{"pretrain.batch_size": 5, "pretrain.epochs": 1})
    tiny = SMALL_NETWORKS[recipe.pretrain.backbone]

    def pooled(classes, stride):
        network = tiny.build(classes, stride)
        network.blocks = torch.nn.Sequential(torch.nn.AvgPool2d(8), *network.blocks)  # 16 px end in 1
        return network

    monkeypatch.setitem(SMALL_NETWORKS, recipe.pretrain.backbone, tiny._replace(build=pooled))
    assert len(tiny_data().train) % recipe.pretrain.batch_size == 1
    pipeline = Pipeline(tmp_path, recipe)
    for stage in STAGES:
        pipeline.run(stage)
