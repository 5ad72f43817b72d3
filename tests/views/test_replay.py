"""Replayable views: the same address gives the same plan, and a plan means what a loop over images would do."""

from collections.abc import Callable

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from fd2lib.ground import RelabelSettings
from fd2lib.views import BatchPlan, apply_plan, halves, plan_epoch


@pytest.fixture
def make_settings() -> Callable[..., RelabelSettings]:
    def build(**changes: object) -> RelabelSettings:
        values = {
            "ipc": 1,
            "epochs": 3,
            "batch_size": 6,
            "min_crop_scale": 0.08,
            "cutmix": True,
            "label_mode": "batch",
            "label_source": "backbone",
            "store": True,
            "precision": "fp32",
            "seed": 5,
        }
        return RelabelSettings(**(values | changes))

    return build


def same(a: BatchPlan, b: BatchPlan) -> bool:
    tensors = all(torch.equal(getattr(a, n), getattr(b, n)) for n in ("indices", "boxes", "flip", "permutation"))
    return tensors and a.cutmix_box == b.cutmix_box and a.lam == b.lam


def by_loop(images: Tensor, plan: BatchPlan) -> Tensor:
    """What a plan means, one image at a time."""
    views = []
    for index, box, flip in zip(plan.indices.tolist(), plan.boxes.int().tolist(), plan.flip.tolist(), strict=True):
        row0, col0, row1, col1 = box
        view = F.interpolate(images[index : index + 1, :, row0:row1, col0:col1], size=images.shape[2:], mode="bilinear")
        views.append(view[0].flip(2) if flip else view[0])
    mixed = [view.clone() for view in views]
    if plan.cutmix_box is not None:
        row0, col0, row1, col1 = plan.cutmix_box
        for target, source in enumerate(plan.permutation.tolist()):
            mixed[target][:, row0:row1, col0:col1] = views[source][:, row0:row1, col0:col1]
    return torch.stack(mixed)


def test_the_same_address_gives_the_same_plan_and_another_does_not(make_settings) -> None:
    first = plan_epoch(make_settings(), 20, 16, epoch=1)
    again = plan_epoch(make_settings(), 20, 16, epoch=1)
    assert len(first) == 4
    assert all(same(a, b) for a, b in zip(first, again, strict=True))
    for other in (plan_epoch(make_settings(), 20, 16, epoch=2), plan_epoch(make_settings(seed=6), 20, 16, epoch=1)):
        assert not any(same(a, b) for a, b in zip(first, other, strict=True))


def test_batches_of_an_epoch_differ_in_their_views(make_settings) -> None:
    first, second, *_ = plan_epoch(make_settings(), 20, 64, epoch=0)
    assert not torch.equal(first.boxes, second.boxes)


def test_every_image_is_seen_once_an_epoch(make_settings) -> None:
    plans = plan_epoch(make_settings(), 20, 16, epoch=0)
    assert [len(plan) for plan in plans] == [6, 6, 6, 2]
    order = torch.cat([plan.indices for plan in plans])
    assert sorted(order.tolist()) == list(range(20))
    assert order.tolist() != list(range(20))


@pytest.mark.parametrize("cutmix", [True, False])
def test_applying_a_plan_equals_a_loop_over_images(make_settings, cutmix: bool) -> None:
    images = torch.rand(20, 3, 16, 16, generator=torch.Generator().manual_seed(0))
    for plan in plan_epoch(make_settings(cutmix=cutmix), 20, 16, epoch=4):
        torch.testing.assert_close(apply_plan(images, plan), by_loop(images, plan), rtol=1e-5, atol=1e-6)


def test_bytes_are_scaled_to_the_unit_interval(make_settings) -> None:
    pixels = torch.randint(256, (20, 3, 16, 16), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    plan = plan_epoch(make_settings(), 20, 16, epoch=0)[0]
    assert torch.equal(apply_plan(pixels, plan), apply_plan(pixels.float() / 255, plan))


def test_the_kept_share_is_one_without_mixing_and_the_box_otherwise(make_settings) -> None:
    assert all(plan.lam == 1 for plan in plan_epoch(make_settings(cutmix=False), 20, 16, epoch=0))
    for plan in plan_epoch(make_settings(), 20, 16, epoch=0):
        row0, col0, row1, col1 = plan.cutmix_box
        assert plan.lam == pytest.approx(1 - (row1 - row0) * (col1 - col0) / 256)


@pytest.mark.parametrize(("count", "sizes"), [(20, [10, 10]), (7, [4, 3]), (4, [2, 2]), (3, [3]), (1, [1])])
def test_halves_cover_the_batch_and_leave_two_images_to_each(make_settings, count: int, sizes: list[int]) -> None:
    plan = plan_epoch(make_settings(batch_size=20), count, 16, epoch=0)[0]
    parts = halves(plan)
    assert [part.stop - part.start for part in parts] == sizes
    assert torch.equal(torch.cat([plan.indices[part] for part in parts]), plan.indices)
