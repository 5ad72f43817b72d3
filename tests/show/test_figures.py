"""Figures: what goes in is what is drawn, and each encodes as a small picture of the page's width."""

import io
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image
from scipy import stats

from fd2lib import show
from fd2lib.data import Dataset, ImageSplit
from fd2lib.ground import Fd2Error

IMAGES = torch.randint(0, 256, (6, 3, 16, 16), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
CLASSES = ["001.Red_bird", "002.Blue_bird", "Green bird"]


def check(figure: show.BookFigure) -> Image.Image:
    mime, data = figure.encoded()
    picture = Image.open(io.BytesIO(data))
    assert picture.format == mime.removeprefix("image/").upper()
    assert picture.width <= 800 and picture.height > 100 and len(data) < 300_000
    assert set(figure._repr_mimebundle_()) == {mime, "text/plain"}
    return picture


def test_to_pixels_scales_floats_and_refuses_other_shapes():
    assert show.to_pixels(torch.tensor([0, 0.5, 1, 2]).view(1, 1, 2, 2).expand(1, 3, 2, 2)).ravel().tolist()[::3] == [
        0,
        128,
        255,
        255,
    ]
    with pytest.raises(Fd2Error, match="expected"):
        show.to_pixels(torch.zeros(3, 4, 4))


def test_image_grid_places_each_image():
    figure = show.image_grid([IMAGES[:2], IMAGES[2:5]], ["a", "b"], ["one", "two", "three"], title="t")
    canvas = figure.axes[0].images[0].get_array()
    pixels = show.to_pixels(IMAGES)
    assert (canvas[:16, :16] == pixels[0]).all() and (canvas[-16:, -16:] == pixels[4]).all()
    assert (canvas[:16, -16:] == 255).all()  # the shorter row ends in white
    assert [text.get_text() for text in figure.axes[0].get_yticklabels()] == ["a", "b"]
    check(figure)


def test_strip_and_spread():
    assert show.strip(list(show.to_pixels(IMAGES)), columns=3).shape == (33, 50, 3)
    assert show.spread(range(100), 3) == [0, 50, 99] and show.spread([4, 2], 3) == [4, 2]


def test_overlay_darkens_where_attention_is_low():
    attention = np.zeros((4, 4))
    attention[0, 0] = 1
    mixed = show.overlay(np.full((32, 32, 3), 200, np.uint8), attention)
    assert mixed[2, 2].mean() > 150 > 80 > mixed[-3, -3].mean()


def test_examples_right_spread_over_classes_and_wrong_most_confident_first():
    labels = torch.tensor([0, 1, 2, 0, 1, 2])
    logits = torch.nn.functional.one_hot(torch.tensor([0, 1, 2, 1, 0, 2]), 3).float() * torch.tensor(
        [[1], [1], [1], [1], [9], [1]]
    )
    assert show.examples(labels, logits, right=True, count=2) == [0, 5]
    assert show.examples(labels, logits, right=False) == [4, 3]


class FakeTeacher(torch.nn.Module):
    def __init__(self, head: bool) -> None:
        super().__init__()
        self.weight = torch.nn.Parameter(torch.zeros(1))
        self.head = torch.nn.Identity() if head else None

    def normalize(self, images):
        assert images.max() <= 1
        return images

    def forward(self, images):
        assert not self.training and not torch.is_grad_enabled()
        features = images[:, :, ::4, ::4]
        maps = features[:, :2]
        attention = (
            SimpleNamespace(logits=features.mean((2, 3)), attention_maps=maps) if self.head is not None else None
        )
        return SimpleNamespace(logits=-features.mean((2, 3)), features=features, attention=attention)


@pytest.mark.parametrize("head", [True, False])
def test_look_and_attention_figure(head):
    teacher = FakeTeacher(head)
    seen = show.look(teacher, IMAGES, batch_size=4)
    assert seen.attention.shape == (6, 4, 4) and seen.maps.shape == (6, 2 if head else 1, 4, 4)
    assert seen.has_head is head and seen.features.shape == (6, 3) and teacher.training
    expected = IMAGES[:, : 2 if head else 3, ::4, ::4].float().mean(1) / 255
    assert torch.allclose(seen.attention, expected)
    figure = show.attention_figure(IMAGES, seen, seen.predicted.roll(1), CLASSES)
    captions = [axes.get_xlabel() for axes in figure.axes[:6]]
    right = (seen.predicted == seen.predicted.roll(1)).tolist()
    assert [caption.startswith("✓") for caption in captions] == right
    check(figure)


def test_confused_pairs_counts_both_directions():
    labels = torch.tensor([0, 0, 1, 1, 2, 2])
    predicted = torch.tensor([1, 0, 0, 0, 2, 0])
    pairs = show.confused_pairs(labels, predicted, CLASSES)
    assert pairs[["first", "second", "confused", "of"]].values.tolist() == [[0, 1, 3, 4], [0, 2, 1, 4]]
    assert pairs["first_name"].tolist() == ["Red bird", "Red bird"]
    assert show.confused_pairs(labels, labels, CLASSES).empty


def test_prototype_similarity():
    vectors = torch.tensor([[1.0, 0], [0, 2], [1, 1], [0, 0]])
    matrix = show.cosine_matrix(vectors)
    assert matrix[0] == pytest.approx([1, 0, 0.5**0.5, 0]) and matrix[3, 3] == 0
    assert sorted(show.lookalike_order(matrix)) == [0, 1, 2, 3]
    closest = show.closest_pairs(matrix, [*CLASSES, "x"], 1).iloc[0]
    assert closest["second_name"] == "Green bird" and closest["first"] in (0, 1) and closest["similarity"] > 0.7
    check(show.similarity_figure(matrix, [*CLASSES, "x"]))


def test_label_entropy_equals_scipy_and_survives_large_logits():
    logits = np.random.default_rng(0).normal(size=(2, 3, 5)) * 4
    shares = np.exp(logits / 2) / np.exp(logits / 2).sum(-1, keepdims=True)
    assert show.label_entropy(logits, 2.0) == pytest.approx(stats.entropy(shares, base=2, axis=-1))
    assert show.label_entropy(np.array([1e4, 0, -1e4])) == pytest.approx(0)
    assert show.label_entropy(np.zeros(8)) == pytest.approx(3)
    check(show.entropy_figure({"a": show.label_entropy(logits), "b": show.label_entropy(logits, 20)}, 5))


def test_top_labels():
    assert show.top_labels(np.log([[0.7, 0.2, 0.1]]), ["a", "b", "c"], 2) == ["70 % a\n20 % b"]


def test_curves():
    history = pd.DataFrame(
        {"index": [0, 0, 1, 1], "iteration": [0, 1, 0, 1], "total": [2.0, 1, 3, 2], "similarity": [0.0] * 4}
    )
    figure = show.term_panels(history)
    assert [axes.get_title(loc="left") for axes in figure.axes] == ["total", "similarity constraint"]
    assert len(figure.axes[0].lines) == 2
    assert any("not used" in text.get_text() for text in figure.axes[1].texts)
    check(figure)
    with pytest.raises(Fd2Error, match="at least one loss term"):
        show.term_panels(history[["iteration"]])
    tested = pd.DataFrame({"epoch": [0, 1], "loss": [1.0, 0.5], "test_accuracy": [np.nan, 40.0]})
    figure = show.student_curves({"sre2lpp": tested, "sre2lpp_fd2": tested}, chance=10)
    assert figure.axes[1].lines[0].get_xydata().tolist() == [[1, 40]]
    check(figure)
    check(show.history_lines(tested, {"loss": {"loss": "training"}, "none": {"missing": "x"}}))


def test_result_plots():
    summary = pd.DataFrame(
        {
            "method": ["sre2lpp", "sre2lpp_fd2"] * 2,
            "ipc": [1, 1, 3, 3],
            "mean": [10.0, 12, 20, 21],
            "low": [8, np.nan] * 2,
            "high": [12, np.nan] * 2,
            "n": [3, 1] * 2,
        }
    )
    figure = show.dot_plot(summary.assign(scale="toy"), ["scale"], ["ipc"])
    assert [text.get_text() for text in figure.axes[0].get_yticklabels()] == ["1 per class", "3 per class"]
    check(figure)
    gaps = pd.DataFrame(
        {
            "a": ["sre2lpp_fd2"] * 2,
            "b": ["sre2lpp"] * 2,
            "ipc": [1, 3],
            "mean": [2.0, 1],
            "low": [1.0, -1],
            "high": [3.0, 3],
            "n": [3, 3],
            "verdict": ["above zero", "undecided"],
        }
    )
    fills = [
        line.get_markerfacecolor()
        for line in show.difference_plot(gaps, ["ipc"]).axes[0].lines
        if line.get_marker() == "o"
    ]
    assert fills == [show.method_style("sre2lpp_fd2")["color"], "white"]
    check(show.difference_plot(gaps, ["ipc"]))


def test_tables_escape_and_name_what_varies():
    text = show.html_table(pd.DataFrame({"name": ["<i>x"], "value": [1.26], "none": [np.nan]}), "a & b")
    assert "&lt;i&gt;x" in text and "1.3" in text and "–" in text and "a &amp; b" in text
    summary = pd.DataFrame(
        {
            "scale": ["toy"] * 2,
            "image_size": [64] * 2,
            "method": ["sre2lpp", "unheard_of"],
            "mean": [10.0, 11],
            "low": [9, np.nan],
            "high": [11, np.nan],
            "n": [2, 1],
        }
    )
    table = show.results_table(summary)
    assert (
        "scale toy; image size 64 px" in table
        and "9.0 to 11.0" in table
        and "one seed" in table
        and "unheard_of" in table
    )


def test_method_colours_are_stable_and_differ():
    known = [show.method_style(name)["color"] for name in ("random", "random_cal", "sre2lpp", "sre2lpp_fd2")]
    assert len(set(known)) == 4
    assert show.method_style("mine") == show.method_style("mine")


def test_scales_get_panels_of_their_own():
    summary = pd.DataFrame(
        {
            "scale": ["toy", "paper"],
            "method": ["sre2lpp"] * 2,
            "ipc": [1, 1],
            "mean": [10.0, 60],
            "low": [9.0, 59],
            "high": [11.0, 61],
        }
    )
    figure = show.dot_plot(summary, ["scale"], ["ipc"])
    assert [axes.get_title(loc="left") for axes in figure.axes] == ["toy scale", "paper scale"]
    assert [len(axes.collections) for axes in figure.axes] == [1, 1]
    check(figure)


def test_distilled_images_beside_their_starts():
    labels = torch.tensor([0, 1, 2, 0, 1, 2])
    starts = IMAGES
    images = torch.where(labels.view(-1, 1, 1, 1) == 1, 255 - starts, starts)
    figure = show.side_by_side({"start": starts, "made": images}, labels, CLASSES, limit=2)
    canvas, pixels = figure.axes[0].images[0].get_array(), show.to_pixels(starts)
    assert (canvas[:16, :16] == pixels[0]).all() and (canvas[-16:, -16:] == pixels[2]).all()
    frames = show.class_frames({"start": starts, "made": images}, labels, [1], FakeTeacher(head=True))
    assert frames[0].shape == (50, 33, 3) and (frames[0][17:33, :16] == 255 - pixels[1]).all()
    change = show.pixel_changes(starts, images, labels, 3)
    expected = (255 - 2 * starts[[1, 4]].float()).abs().mean() / 255
    assert change.tolist() == pytest.approx([0, expected.item(), 0])


def test_real_images_by_class():
    labels = torch.tensor([0, 1, 2, 0, 1, 2])
    split = ImageSplit(IMAGES, labels, tuple(f"{i}.png" for i in range(6)))
    assert (show.of_class(split, 2, 5) == IMAGES[[2, 5]]).all()
    means = show.mean_thumbnails(split, 3, side=16)
    assert torch.allclose(means[1], IMAGES[[1, 4]].float().mean(0).flatten() / 255)
    pairs = pd.DataFrame({"first": [2, 2], "second": [0, 1]})
    assert show.members(pairs) == [2, 0, 1] and show.members(pairs, 1) == [2, 0]
    rows = [text.get_text() for text in show.class_rows(split, [2, 0], CLASSES, 2).axes[0].get_yticklabels()]
    assert rows == ["Green bird", "Red bird"]
    assert "no such classes" in show.class_rows(split, [], CLASSES)
    other = ImageSplit(torch.cat([IMAGES[:2], 255 - IMAGES[:1]]), labels[:3], ("a", "b", "c"))
    assert show.pixel_twins(split, other) == 2


def test_class_means_are_of_the_class():
    centres = show.class_centres(torch.tensor([[1.0], [3.0], [5.0]]), torch.tensor([0, 0, 2]), 3)
    assert centres.flatten().tolist() == [2, 0, 5]


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
    assert show.related_classes(data, 3) == expected
