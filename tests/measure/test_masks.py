"""Part masks: discs around points, and the drawn parts of the embedded set."""

import dataclasses

import pytest
import torch

from fd2lib.data import load_dataset
from fd2lib.data.plumage import PARTS, draw
from fd2lib.ground import DataError
from fd2lib.measure import part_discs, part_masks


def test_discs_by_hand():
    locations = torch.tensor([[[1.5, 1.5], [4.5, 0.5]], [[0.0, 5.0], [3.0, 3.0]]])
    visible = torch.tensor([[True, True], [False, True]])
    masks = part_discs(locations, visible, 6, 1.0)
    cross = {(1, 1), (0, 1), (2, 1), (1, 0), (1, 2)}  # (row, column) of pixels whose centre is 1 px away or nearer
    corner = {(0, 4), (0, 3), (0, 5), (1, 4)}  # around x = 4.5, y = 0.5; the image ends above it
    assert set(map(tuple, masks[0].nonzero().tolist())) == cross | corner
    assert set(map(tuple, masks[1].nonzero().tolist())) == {(2, 2), (2, 3), (3, 2), (3, 3)}


@pytest.mark.parametrize(("classes", "drawn"), [("4", 4), ("6", 6), ("Birchtit", 8), ("*red-capped plain*", 8)])
def test_masks_of_the_embedded_set_are_those_it_was_drawn_with(classes, drawn):
    data = load_dataset("plumage", size=24, classes=classes, train_per_class=1, test_per_class=2)
    found = part_masks(data)
    assert found.masks.shape == (len(data.test), 24, 24) and found.masks.dtype == torch.bool
    for place, name in enumerate(data.test.names):
        one = draw(0, "test", int(name.rpartition("/")[2]), drawn, 24)
        assert torch.equal(torch.from_numpy(one.image).permute(2, 0, 1), data.test.images[place])
        seen = one.masks[[PARTS.index(part) for part in one.parts]]
        assert torch.equal(found.masks[place], torch.from_numpy(seen.any(0)))
        assert found.counts[place] == seen.any((1, 2)).sum()


def test_sets_without_parts_are_refused():
    data = load_dataset("plumage", size=16, classes="2", train_per_class=1, test_per_class=1)
    with pytest.raises(DataError, match="not annotated"):
        part_masks(dataclasses.replace(data, name="flowers102"))
    shuffled = dataclasses.replace(data.test, names=data.test.names[::-1])
    with pytest.raises(DataError, match="order"):
        part_masks(dataclasses.replace(data, test=shuffled))
