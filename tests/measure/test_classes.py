"""Classes and what networks say about them: means, alike ones, confused ones, labels."""

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from fd2lib import measure
from fd2lib.data import Dataset, ImageSplit
from fd2lib.ground import ArtefactError, RelabelSettings, file_digest, identity
from fd2lib.record.manifest import write_record
from fd2lib.stages.label_store import LabelWriter

RELABEL = {"stage": "relabel", "inputs": {}, "fingerprint": "", "files": {}}  # a manifest
EVALUATED = {"stage": "evaluate", "settings": {}, "inputs": {}, "fingerprint": ""}
IMAGES = torch.randint(0, 256, (6, 3, 16, 16), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
CLASSES = ["001.Red_bird", "002.Blue_bird", "Green bird"]


def test_spread_shows_a_list_from_end_to_end():
    assert measure.spread(range(100), 3) == [0, 50, 99] and measure.spread(torch.tensor([4, 2]), 3) == [4, 2]


def test_examples_right_spread_over_classes_and_wrong_most_confident_first():
    labels = torch.tensor([0, 1, 2, 0, 1, 2])
    logits = torch.nn.functional.one_hot(torch.tensor([0, 1, 2, 1, 0, 2]), 3).float() * torch.tensor(
        [[1], [1], [1], [1], [9], [1]]
    )
    assert measure.examples(labels, logits, right=True, count=2) == [0, 5]
    assert measure.examples(labels, logits, right=False) == [4, 3]


def test_confused_pairs_counts_both_directions():
    labels = torch.tensor([0, 0, 1, 1, 2, 2])
    predicted = torch.tensor([1, 0, 0, 0, 2, 0])
    pairs = measure.confused_pairs(labels, predicted, CLASSES)
    assert pairs[["first", "second", "confused", "of"]].values.tolist() == [[0, 1, 3, 4], [0, 2, 1, 4]]
    assert pairs["first_name"].tolist() == ["Red bird", "Red bird"]
    assert measure.confused_pairs(labels, labels, CLASSES).empty


def test_prototype_similarity():
    vectors = torch.tensor([[1.0, 0], [0, 2], [1, 1], [0, 0]])
    matrix = measure.cosine_matrix(vectors)
    assert matrix[0] == pytest.approx([1, 0, 0.5**0.5, 0]) and matrix[3, 3] == 0
    assert sorted(measure.lookalike_order(matrix)) == [0, 1, 2, 3]
    closest = measure.closest_pairs(matrix, [*CLASSES, "x"], 1).iloc[0]
    assert closest["second_name"] == "Green bird" and closest["first"] in (0, 1) and closest["similarity"] > 0.7


@given(st.integers(0, 10_000), st.floats(0.1, 50))
def test_similarity_does_not_depend_on_length_or_order(seed, factor):
    vectors = torch.randn(5, 4, generator=torch.Generator().manual_seed(seed))
    order = torch.randperm(5, generator=torch.Generator().manual_seed(seed))
    matrix = measure.cosine_matrix(vectors)
    assert np.allclose(measure.cosine_matrix(factor * vectors), matrix, atol=1e-5)
    assert np.allclose(measure.cosine_matrix(vectors[order]), matrix[np.ix_(order, order)], atol=1e-6)


def test_label_entropy_equals_scipy_and_survives_large_logits():
    logits = np.random.default_rng(0).normal(size=(2, 3, 5)) * 4
    shares = np.exp(logits / 2) / np.exp(logits / 2).sum(-1, keepdims=True)
    assert measure.label_entropy(logits, 2.0) == pytest.approx(stats.entropy(shares, base=2, axis=-1))
    assert measure.label_entropy(np.array([1e4, 0, -1e4])) == pytest.approx(0)
    assert measure.label_entropy(np.zeros(8)) == pytest.approx(3)


def test_top_labels():
    assert measure.top_labels(np.log([[0.7, 0.2, 0.1]]), ["a", "b", "c"], 2) == ["70 % a\n20 % b"]
    assert measure.top_labels(np.zeros((1, 2), np.float16), ["a", "b"])[0].count("50 %") == 2


def test_class_means_are_of_the_class():
    centres = measure.class_means(torch.tensor([[1.0], [3.0], [5.0]]), torch.tensor([0, 0, 2]), 3)
    assert centres.flatten().tolist() == [2, 0, 5]


def test_pixel_changes_by_class():
    labels = torch.tensor([0, 1, 2, 0, 1, 2])
    images = torch.where(labels.view(-1, 1, 1, 1) == 1, 255 - IMAGES, IMAGES)
    change = measure.pixel_changes(IMAGES, images, labels, 3)
    expected = (255 - 2 * IMAGES[[1, 4]].float()).abs().mean() / 255
    assert change.tolist() == pytest.approx([0, expected.item(), 0])


def test_real_images_by_class():
    labels = torch.tensor([0, 1, 2, 0, 1, 2])
    split = ImageSplit(IMAGES, labels, tuple(f"{i}.png" for i in range(6)))
    assert (measure.of_class(split, 2, 5) == IMAGES[[2, 5]]).all()
    means = measure.mean_thumbnails(split, 3, side=16)
    assert torch.allclose(means[1], IMAGES[[1, 4]].float().mean(0).flatten() / 255)
    pairs = pd.DataFrame({"first": [2, 2], "second": [0, 1]})
    assert measure.members(pairs) == [2, 0, 1] and measure.members(pairs, 1) == [2, 0]
    other = ImageSplit(torch.cat([IMAGES[:2], 255 - IMAGES[:1]]), labels[:3], ("a", "b", "c"))
    assert measure.pixel_twins(split, other) == 2


@pytest.mark.parametrize(
    ("classes", "expected"),
    [(("1.Red_bird", "2.Blue_fish", "3.Green_bird"), [0, 2]), (("red", "blue", "green"), [1, 2, 0])],
)
def test_related_classes_share_a_word_or_look_alike(classes, expected):
    noise = torch.rand(3, 3, 16, 16, generator=torch.Generator().manual_seed(1))
    noise[2] = noise[1] + 0.01 * noise[0]
    images = (noise * 250).byte()
    split = ImageSplit(images, torch.arange(3), ("a", "b", "c"))
    data = Dataset("mine", classes, 16, split, split, (0.5,) * 3, (0.2,) * 3, "0" * 64)
    assert measure.related_classes(data, 3) == expected


def test_stored_answers_are_the_heads_where_there_is_one(tmp_path):
    labels, logits = np.array([0, 1]), {"backbone_logits": np.zeros((2, 2)), "head_logits": np.eye(2)}
    np.savez(tmp_path / "predictions.npz", labels=labels, **logits)
    told = {"files": {"predictions.npz": file_digest(tmp_path / "predictions.npz")}}
    write_record(tmp_path / "manifest.json", EVALUATED | told)
    assert measure.load_answers(tmp_path)[1].tolist() == np.eye(2).tolist()
    write_record(tmp_path / "manifest.json", EVALUATED | {"files": {"predictions.npz": "0" * 64}})
    with pytest.raises(ArtefactError, match=r"predictions.npz has changed since its run.* run evaluate again"):
        measure.load_answers(tmp_path)
    with pytest.raises(ArtefactError, match="no predictions"):
        measure.load_answers(tmp_path / "none")
    settings = identity(RelabelSettings(ipc=1, seed=0, epochs=4, store=False))
    write_record(tmp_path / "manifest.json", RELABEL | {"settings": settings})
    with pytest.raises(ArtefactError, match=r"relabel\.store=true"):
        measure.load_labels(tmp_path)


def test_formats_are_compared_view_by_view(tmp_path):
    """Half a step of error, kept epochs without any, and no comparison where a label is of no view."""
    logits = torch.randn(4, 6, 5, generator=torch.Generator().manual_seed(0)) * 5
    formats = {"full": {}, "8 bits": {"bits": 8}, "kept": {"kept_epochs": 2}, "fixed": {"regime": "fixed"}}
    runs = {}
    for name, changes in formats.items():
        settings = RelabelSettings(ipc=1, seed=0, epochs=4, **changes)
        folder = runs[name] = tmp_path / name
        folder.mkdir()
        writer = LabelWriter(folder, settings, 6, 5)
        for epoch in range(settings.label_epochs):
            writer.write(epoch, logits[epoch])
        size = sum(path.stat().st_size for path in folder.iterdir())
        files = {path.name: file_digest(path) for path in folder.iterdir()}
        told = {"settings": identity(settings), "result": {"label_bytes": size}, "files": files}
        write_record(folder / "manifest.json", RELABEL | told)
    found = measure.compare_formats(runs, 20.0).set_index("labels")
    assert found.loc["full", ["fewer", "error", "lost"]].tolist() == [1, 0, 0]
    assert found.loc["kept", ["error", "lost"]].tolist() == [0, 0] and 1.4 < found.loc["kept", "fewer"] < 2
    largest = (logits.amax(-1) - logits.amin(-1)).max().item() / 255
    assert 0.2 * largest < found.loc["8 bits", "error"] < 0.6 * largest and 0 < found.loc["8 bits", "lost"] < 100
    assert found.loc["fixed", ["error", "lost"]].isna().all() and found.loc["fixed", "kib"] == (128 + 60) / 1024
