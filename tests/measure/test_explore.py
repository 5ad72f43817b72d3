"""What the explorer shows in numbers: nearest images, what a student said, where a map is largest."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from fd2lib.data import Dataset, ImageSplit
from fd2lib.ground import SettingError, ShapeError, file_digest
from fd2lib.measure import brightest, explore, nearest_images, nearest_places, said_of
from fd2lib.record.manifest import write_record
from fd2lib.stages import DistilledImages


@pytest.mark.parametrize("count", [1, 3, 7])
def test_nearest_places_agree_with_all_distances(count):
    generator = torch.Generator().manual_seed(0)
    queries, pool = torch.randn(4, 5, generator=generator), torch.randn(7, 5, generator=generator)
    distance, places = nearest_places(queries, pool, count)
    whole = (queries[:, None] - pool[None]).square().mean(2).sqrt().double()
    assert distance.shape == places.shape == (4, count)
    assert torch.allclose(distance, whole.sort(1).values[:, :count], atol=1e-6)
    assert torch.equal(places, whole.argsort(1)[:, :count])
    assert torch.equal(places[:, 0], nearest_images(queries, pool).place)


def test_a_copy_is_at_zero():
    images = torch.randint(0, 256, (5, 3, 8, 8), dtype=torch.uint8)
    distance, places = nearest_places(images[2:3], images, 2)
    assert distance[0, 0] == 0 and places[0, 0] == 2 and distance[0, 1] > 0


@pytest.mark.parametrize(("columns", "count"), [(4, 1), (5, 0), (5, 8)])
def test_nearest_places_refuse_what_does_not_fit(columns, count):
    with pytest.raises(ShapeError, match=r"cannot find \d nearest of \(7, 5\)"):
        nearest_places(torch.zeros(2, columns), torch.zeros(7, 5), count)


@given(st.lists(st.tuples(st.integers(0, 2), st.integers(0, 2)), min_size=1), st.integers(0, 2))
def test_said_of_counts_every_image_of_the_class_once(pairs, index):
    labels, said = torch.tensor([pair[0] for pair in pairs]), torch.tensor([pair[1] for pair in pairs])
    found = said_of(labels, torch.nn.functional.one_hot(said, 3).float(), index)
    assert dict(found) == {c: n for c in range(3) if (n := sum(pair == (index, c) for pair in pairs))}
    assert found == sorted(found, key=lambda pair: (-pair[1], pair[0]))


@pytest.mark.parametrize(
    ("place", "words"),
    [((0, 0), "top left"), ((0, 3), "top"), ((3, 3), "centre"), ((2, 5), "right"), ((5, 5), "bottom right")],
)
def test_brightest_names_the_largest_place(place, words):
    attention = torch.rand(6, 6)
    attention[place] = 2
    assert brightest(attention) == words
    assert brightest(torch.zeros(6, 6)) == "top left"


class Made:
    """An experiment whose stages have run."""

    def __init__(self, dataset, teacher, folder, method="random", seed=0):
        self.dataset, self._teacher, self.folder = dataset, teacher, folder
        self.request = SimpleNamespace(seed=seed)
        pretrain, distill = SimpleNamespace(backbone="convnet4"), SimpleNamespace(ipc=1)
        self.recipe = SimpleNamespace(method=method, scale="toy", pretrain=pretrain, distill=distill)

    def with_(self, **changes):
        self.asked = changes
        return self

    def teacher(self):
        return self._teacher

    def distilled(self):
        images = self.dataset.train.take([0, 2, 4, 6])
        return DistilledImages(images, images, torch.arange(4), self.dataset.classes)

    def evaluate(self):
        return SimpleNamespace(folder=self.folder)


@pytest.fixture
def made(tmp_path, cal_teacher):
    generator = torch.Generator().manual_seed(3)
    labels = torch.arange(4).repeat_interleave(2)
    splits = [
        ImageSplit(
            torch.randint(0, 256, (8, 3, 32, 32), generator=generator, dtype=torch.uint8),
            labels,
            tuple(f"{name}/{place}" for place in range(8)),
        )
        for name in ("train", "test")
    ]
    mean, std = (0.5,) * 3, (0.25,) * 3
    data = Dataset("plumage", tuple("abcd"), 32, *splits, mean, std, fingerprint="f", report=(), image_set="plumage")
    np.savez(tmp_path / "predictions.npz", labels=labels.numpy(), logits=torch.eye(4)[labels].numpy() * 3)
    told = {"stage": "evaluate", "settings": {}, "inputs": {}, "fingerprint": ""}
    files = {"predictions.npz": file_digest(tmp_path / "predictions.npz")}
    write_record(tmp_path / "manifest.json", told | {"files": files})
    return lambda **other: Made(data, cal_teacher, tmp_path, **other)


def test_explore_finds_real_images_again(made):
    one = made()
    found = explore([one, made(method="other")], judge_seed=5, count=2)
    assert one.asked["seed"] == 5 and "attention head" in found.judge
    assert [shown.method for shown in found.shown] == ["random", "other"]
    shown = found.shown[0]
    assert shown.nearest[:, 0].tolist() == [0, 2, 4, 6] and (shown.distance[:, 0] < 1e-4).all()
    assert (shown.distance[:, 1] > 0).all() and shown.attention.shape[0] == 4
    assert (
        torch.allclose(shown.answers.sum(1), torch.ones(8))
        and (shown.answers.argmax(1) == shown.made.labels.repeat_interleave(2)).all()
    )


def test_explore_refuses_what_it_cannot_judge(made):
    with pytest.raises(SettingError, match="explore got 0 experiments; expected at least one"):
        explore([], judge_seed=1)
    with pytest.raises(SettingError, match="judge_seed is 0, as the images' own; give another"):
        explore([made()], judge_seed=0)
