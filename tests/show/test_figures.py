"""Figures: what goes in is what is drawn, and each encodes as a small picture of the page's width."""

import io

import numpy as np
import pandas as pd
import pytest
import torch
from matplotlib.text import Text
from PIL import Image

from fd2lib import show
from fd2lib.analyse import Interval
from fd2lib.data import ImageSplit, load_dataset
from fd2lib.ground import Fd2Error
from fd2lib.measure import Look, Neighbours, principal_plane
from fd2lib.show.dots import Mark, dots_figure
from fd2lib.show.grids import image_grid, overlay
from fd2lib.show.style import method_style

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
    figure = image_grid([IMAGES[:2], IMAGES[2:5]], ["a", "b"], ["one", "two", "three"])
    canvas = figure.axes[0].images[0].get_array()
    pixels = show.to_pixels(IMAGES)
    assert (canvas[:16, :16] == pixels[0]).all() and (canvas[-16:, -16:] == pixels[4]).all()
    assert (canvas[:16, -16:] == 255).all()  # the shorter row ends in white
    assert [text.get_text() for text in figure.axes[0].get_yticklabels()] == ["a", "b"]
    check(figure)


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
    figure = show.term_panels(tested, ["loss", "test_accuracy", "missing"], x="epoch")
    assert [axes.get_title(loc="left") for axes in figure.axes] == ["loss", "test accuracy"]


def test_method_colours_are_stable_and_differ():
    known = [method_style(name).color for name in ("random", "random_cal", "sre2lpp", "sre2lpp_fd2")]
    assert len(set(known)) == 4
    assert method_style("mine") == method_style("mine")


def test_strip_lays_pictures_out_in_rows():
    assert show.strip(list(show.to_pixels(IMAGES)), columns=3).shape == (33, 50, 3)


def test_overlay_darkens_where_attention_is_low():
    attention = torch.zeros(1, 4, 4)
    attention[0, 0, 0] = 1
    grey = torch.full((1, 3, 32, 32), 200, dtype=torch.uint8)
    (mixed,) = overlay(grey, attention)
    assert mixed[2, 2].mean() > 150 > 80 > mixed[-3, -3].mean()
    (both,) = show.over_under(grey, attention)
    assert (both[:32] == 200).all() and (both[-32:] == mixed).all()


def test_attention_figure_says_what_was_said():
    logits = torch.eye(3).repeat(2, 1)
    seen = Look(logits, torch.rand(6, 4, 4), torch.zeros(6, 3), True)
    labels = torch.tensor([0, 1, 1, 0, 2, 2])
    figure = show.attention_figure(IMAGES, seen, labels, CLASSES)
    captions = [axes.get_xlabel() for axes in figure.axes[:6]]
    assert [caption.startswith("✓") for caption in captions] == (logits.argmax(1) == labels).tolist()
    assert captions[2] == "✗ said Green bird\nis Blue bird"
    check(figure)
    assert "no such image" in show.attention_figure(IMAGES[:0], seen, labels[:0], CLASSES)


def test_similar_classes_stand_in_the_order_given():
    matrix = np.array([[1.0, 0.2, 0.9], [0.2, 1.0, 0.1], [0.9, 0.1, 1.0]])
    figure = show.similarity_figure(matrix, CLASSES, [0, 2, 1])
    drawn = figure.axes[0].images[0].get_array()
    assert drawn[0, 1] == 0.9 and drawn[1, 2] == 0.1 and drawn.mask.diagonal().all()
    assert figure.axes[1].texts[0].get_text() == "1  Red bird\n2  Green bird\n3  Blue bird"
    check(figure)


def test_entropy_figure_marks_mean_and_limit():
    figure = show.entropy_figure({"a": np.full(4, 1.0), "b": np.zeros((2, 2))}, 8)
    assert [axes.get_title() for axes in figure.axes] == ["a", "b"]
    assert [line.get_xdata()[0] for line in figure.axes[0].lines] == [3.0, 1.0]
    check(figure)


def test_real_images_by_class():
    split = ImageSplit(IMAGES, torch.tensor([0, 1, 2, 0, 1, 2]), tuple(f"{i}.png" for i in range(6)))
    rows = [text.get_text() for text in show.class_rows(split, [2, 0], CLASSES, 2).axes[0].get_yticklabels()]
    assert rows == ["Green bird", "Red bird"]
    assert "no such classes" in show.class_rows(split, [], CLASSES)


def test_distilled_images_beside_their_starts():
    labels = torch.tensor([0, 1, 2, 0, 1, 2])
    starts = IMAGES
    images = torch.where(labels.view(-1, 1, 1, 1) == 1, 255 - starts, starts)
    figure = show.side_by_side({"start": starts, "made": images}, labels, CLASSES, limit=2)
    canvas, pixels = figure.axes[0].images[0].get_array(), show.to_pixels(starts)
    assert (canvas[:16, :16] == pixels[0]).all() and (canvas[-16:, -16:] == pixels[2]).all()
    sets = {"start": starts, "made": images}
    frames = show.class_frames(sets, labels, [1], torch.rand(6, 4, 4))
    assert frames[0].shape == (50, 33, 3) and (frames[0][17:33, :16] == 255 - pixels[1]).all()
    assert show.class_frames(sets, labels, [1])[0].shape == (33, 33, 3)


def test_pictures_of_what_was_learned():
    data = load_dataset("plumage", size=16, classes="4", train_per_class=3, test_per_class=1)
    images, labels = data.train.images, data.train.labels
    features = images.flatten(1).double() / 255
    plane = principal_plane(features)
    figure = show.plane_figure(plane, features, labels, {"real": (features[:4], labels[:4])}, data.classes)
    drawn, legend = figure.axes[0], figure.axes[1].get_legend()
    assert len(drawn.lines) == 8 and sum(len(line.get_xdata()) for line in drawn.lines) == 16
    assert len(legend.get_texts()) == 4
    masks = torch.zeros(2, 16, 16, dtype=torch.bool)
    masks[0] = True
    grid = show.maps_figure(images[:2], masks, {"a": torch.rand(2, 3, 3), "b": torch.rand(2, 3, 3)})
    assert [text.get_text() for text in grid.axes[0].get_yticklabels()] == ["image", "parts", "a", "b"]
    canvas = grid.axes[0].images[0].get_array()
    assert (canvas[17:33, :16] == show.to_pixels(images[:1])[0]).all() and canvas[17:33, 17:33].min() >= 191
    found = Neighbours(images[:8].view(2, 4, 3, 16, 16), torch.tensor([[0.1, 0.2, 0.0]] * 2), torch.tensor([0, 3]))
    copies = show.copies_figure(found, data.classes)
    names = [text.get_text() for text in copies.axes[0].get_yticklabels()]
    assert len(names) == 2 and all(name.endswith("10.0 · 20.0 · 0.0") for name in names)


def test_a_dollar_in_a_name_is_a_dollar():
    names = ["Gain $5 and $6", "$\\frac$ broken $", "a_b^c"]
    split = ImageSplit(IMAGES, torch.tensor([0, 1, 2] * 2), tuple("abcdef"))
    results = {name: pd.DataFrame({"epoch": [0, 1], "loss": [9.0, 0.5], "test_accuracy": [1.0, 40]}) for name in names}
    for figure in (
        show.class_rows(split, [0, 1, 2], names),
        show.captioned_images(IMAGES[:3], names),
        show.similarity_figure(np.eye(3), names, [0, 1, 2]),
        show.student_curves(results),
        dots_figure([Mark(names[0], names[1], Interval(1.0, 0.0, 2.0, 3), "red", label=names[2])], names[1]),
    ):
        check(figure)  # a broken formula would stop here
        assert not any(text.get_parse_math() for text in figure.findobj(Text))


def test_the_axis_of_losses_has_numbers_and_no_formulas():
    history = pd.DataFrame({"epoch": [0, 1], "loss": [90.0, 0.5], "test_accuracy": [1.0, 40]})
    figure = show.student_curves({"random": history})
    check(figure)
    labels = [text.get_text() for text in figure.axes[0].get_yticklabels()]
    assert "1" in labels and not any("$" in label for label in labels)
