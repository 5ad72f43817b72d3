"""What labels say of their views: shares by hand, from labels that are made to say it."""

import numpy as np
import pytest
import torch

from fd2lib import measure
from fd2lib.ground import load_recipe
from fd2lib.views import plan_epoch

LABELS, SIZE, EPOCHS = torch.tensor([0, 0, 1, 1, 2, 2]), 16, 5


def settings(**changes):
    words = {f"relabel.{name}": value for name, value in ({"batch_size": 6} | changes).items()}
    return load_recipe("toy", dataset="plumage", method="sre2lpp", overrides=words).relabel


def stored(chosen, say) -> np.ndarray:
    """Logits ``[EPOCHS, 6, 3]`` that are sure of the class that ``say(plan)`` gives for each view."""
    epochs = [plan_epoch(chosen, len(LABELS), SIZE, epoch) for epoch in range(EPOCHS)]
    return np.stack([np.eye(3, dtype=np.float16)[torch.cat([say(p) for p in plans])] for plans in epochs])


def test_labels_that_say_the_images_class_do_so_in_all_views():
    chosen = settings()
    found = measure.likeliest_shares(chosen, stored(chosen, lambda plan: LABELS[plan.indices]), LABELS, SIZE)
    assert found == (100, 0)


def test_labels_that_say_what_was_pasted_in_say_the_images_class_only_where_it_is_the_same():
    chosen = settings()
    plans = [plan for epoch in range(EPOCHS) for plan in plan_epoch(chosen, len(LABELS), SIZE, epoch)]
    same = torch.cat([LABELS[plan.indices] == LABELS[plan.indices[plan.permutation]] for plan in plans])
    share = 100 * same.double().mean().item()
    boxes = stored(chosen, lambda plan: LABELS[plan.indices[plan.permutation]])
    assert 0 < share < 100
    assert measure.likeliest_shares(chosen, boxes, LABELS, SIZE) == pytest.approx((share, 100 - share))


def test_without_cutmix_nothing_is_pasted_in():
    chosen = settings(cutmix=False)
    wrong = stored(chosen, lambda plan: (LABELS[plan.indices] + 1) % 3)
    assert measure.likeliest_shares(chosen, wrong, LABELS, SIZE) == (0, 0)
