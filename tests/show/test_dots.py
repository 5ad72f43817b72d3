"""Dots with intervals: what is drawn is what was measured, apart where it must not be compared."""

import dataclasses
import itertools
from types import SimpleNamespace

import pandas as pd
import pytest

from fd2lib import analyse, show
from fd2lib.analyse import Interval
from fd2lib.show.dots import Mark, dots_figure
from fd2lib.show.style import method_style

LEVELS = (("plain", "crops", "cal"), ("off", "on"), ("plain", "crops", "cal"))
NAMES = ["_".join(key) for key in itertools.product(*LEVELS)]


def titles(figure):
    return [axes.get_title(loc="left").replace("\n", " ") for axes in figure.axes]


def test_scales_and_image_sets_get_panels_of_their_own(student):
    mine = {"dataset": "folder", "image_set": "warblers", "images_fingerprint": "a" * 64}
    rows = [student("sre2lpp", seed, **images) for seed in range(2)
            for images in (mine, mine | {"image_set": "finches", "images_fingerprint": "b" * 64})]  # fmt: skip
    rows.append(student("sre2lpp", scale="paper", image_size=224))
    figure = show.dot_plot(analyse.summarise(analyse.load_rows(rows)))
    assert sorted(titles(figure)) == [
        "paper scale, plumage, 224 px", "toy scale, finches (folder), 32 px", "toy scale, warblers (folder), 32 px",
    ]  # fmt: skip
    assert sorted(len(axes.collections) for axes in figure.axes) == [0, 1, 1]  # a single seed has no line
    assert figure.encoded()[0] == "image/png"


def test_images_of_one_name_that_differ_are_told_apart(student):
    rows = [student(images_fingerprint="a" * 64), student(images_fingerprint="b" * 64)]
    found = titles(show.dot_plot(analyse.summarise(analyse.load_rows(rows))))
    assert [title[-8:] for title in found] == ["a" * 8, "b" * 8]


def test_dots_stand_beside_their_setting(student):
    rows = [student(name, seed, ipc=ipc, last_top1=10 * ipc + seed)
            for name in ("sre2lpp", "sre2lpp_fd2") for seed in range(3) for ipc in (1, 3)]  # fmt: skip
    figure = show.dot_plot(analyse.summarise(analyse.load_rows(rows)))
    (axes,) = figure.axes
    assert [text.get_text() for text in axes.get_yticklabels()] == ["1 per class", "3 per class"]
    means = sorted(line.get_xdata()[0] for line in axes.lines if line.get_marker() in "o^")
    assert means == [11, 11, 31, 31]
    assert [text.get_text() for text in figure.legends[0].texts] == ["SRe²L++", "SRe²L++ + FD²"]


def test_differences_are_filled_where_they_exclude_zero():
    common = {"a": "sre2lpp_fd2", "b": "sre2lpp", "n": 3, "scale": "toy", "dataset": "plumage"}
    gaps = pd.DataFrame([
        common | {"ipc": 1, "mean": 2.0, "low": 1.0, "high": 3.0, "verdict": "above zero"},
        common | {"ipc": 3, "mean": 1.0, "low": -1.0, "high": 3.0, "verdict": "undecided"},
    ])  # fmt: skip
    figure = show.difference_plot(gaps)
    fills = [line.get_markerfacecolor() for line in figure.axes[0].lines if line.get_marker() == "o"]
    assert fills == [method_style("sre2lpp_fd2").color, "white"] and titles(figure) == ["SRe²L++ + FD² − SRe²L++"]
    both = show.difference_plot(pd.concat([gaps, gaps.assign(scale="reduced")]))
    assert titles(both) == [f"SRe²L++ + FD² − SRe²L++ {scale} scale, plumage" for scale in ("toy", "reduced")]
    assert "no such row" in show.difference_plot(gaps[:0])


def test_stacked_comparisons_keep_their_own_settings():
    common = {"b": "random", "n": 3, "mean": 2.0, "low": 1.0, "high": 3.0, "verdict": "above zero", "scale": "toy"}
    first = pd.DataFrame([common | {"a": "sre2lpp", "start": start} for start in ("pool2", "whole")])
    second = pd.DataFrame([common | {"a": "random_cal", "start": "whole"}])
    figure = show.difference_plot(pd.concat([first, second]))  # both begin at row 0
    names = [[text.get_text() for text in axes.get_yticklabels()] for axes in figure.axes]
    assert names == [["2×2 mosaic", "whole image"], ["whole image"]]


def test_a_study_fills_what_its_pairs_decide(many, results):
    # Wide intervals that overlap, but the difference within seeds is steady.
    measured = results(*many("none", [10, 20, 30]), *many("cal", [15, 25.5, 35]), *many("both", [11, 19, 33]))
    (axes,) = show.study_plot(measured).axes
    marks = {line.get_ydata()[0]: line for line in axes.lines if line.get_marker() == "o"}
    assert [marks[place].get_xdata()[0] for place in range(3)] == pytest.approx([20, 25.1667, 21], abs=1e-3)
    assert [marks[place].get_markerfacecolor() != "white" for place in range(3)] == [False, True, False]
    assert [text.get_text() for text in axes.get_yticklabels()] == ["base", "CAL", "FD²"]
    assert axes.get_xlim()[0] >= 0
    strokes = [sorted(line.get_xdata()) for line in axes.lines if line.get_marker() == "|"]
    assert strokes == [[10, 20, 30], [15, 25.5, 35], [11, 19, 33]]


def test_several_studies_share_one_figure(many, results):
    measured = results(*many("none", [10, 20, 30]), *many("cal", [15, 25, 36], ipc=3))
    other = analyse.StudyResults("Other", "none", measured.titles, measured.rows, measured.place)
    found = titles(show.study_plot(measured, results(), other))
    assert [title.split()[0] for title in found] == ["Parts", "Parts", "Other", "Other"]
    assert found[0] == "Parts 1 image per class"
    mine = {**measured.place, "image_set": "mine"}
    apart = dataclasses.replace(other, place=mine, rows=measured.rows)
    found = titles(show.study_plot(measured, apart))
    assert found[0] == "Parts reduced scale, cub200, 1 image per class" and "mine (cub200)" in found[2]
    assert "Nothing was measured." in show.study_plot()


@pytest.mark.parametrize("make", [show.study_plot, show.factorial_plot])
def test_a_study_without_rows_says_so(make, results):
    assert "Parts: not measured." in make(results())


def test_factorial_plot_puts_labels_side_by_side(arm_row):
    arms = {name: SimpleNamespace(title=name) for name in NAMES}
    rows = [arm_row(name, seed, 10.0 * seed) for seed in range(3) for name in NAMES]
    figure = show.factorial_plot(analyse.study_results(SimpleNamespace(title="F", reference=NAMES[0], arms=arms), rows))
    (axes,) = figure.axes
    marks = [line for line in axes.lines if line.get_marker() in "os^" and line.get_linestyle() == "None"]
    assert len(marks) == len(NAMES)
    names = [text.get_text().replace("\n", " ") for text in axes.get_yticklabels()]
    assert names[0] == "images by plain, constraints off" and len(names) == 6
    legend = [text.get_text() for text in figure.legends[0].texts]
    assert legend == ["plain labels", "crops labels", "CAL labels"]
    heights = {round(line.get_ydata()[0], 2) for line in marks if line.get_marker() == "^"}
    assert heights == {round(place + 0.26, 2) for place in range(6)}


def test_axis_fits_seeds_and_intervals_of_three_seeds(many, results):
    two, three = many("cal", [30, 34]), many("none", [28, 30, 32])
    (axes,) = show.study_plot(results(*two)).axes
    assert 25 < axes.get_xlim()[0] < 30 and 34 < axes.get_xlim()[1] < 40
    (axes,) = show.study_plot(results(*two, *three)).axes
    assert axes.get_xlim()[0] < 30 - 4.97 and axes.get_xlim()[1] > 30 + 4.97


def test_mass_stands_beside_chance_and_average_map(attention_rows):
    rows = analyse.load_attention(attention_rows() + attention_rows(scale="reduced", image_set="mine"))
    figure = show.mass_figure(analyse.mass_summary(rows))
    assert titles(figure) == [
        "toy scale, plumage, 48 px, convnet4, random weights",
        "reduced scale, mine (plumage), 48 px, convnet4, random weights",
    ]  # fmt: skip
    axes = figure.axes[0]
    assert [line.get_xdata()[0] for line in axes.lines if line.get_linestyle() in ("--", ":")] == [3.0, 6.0]
    hollow = [line.get_xdata()[0] for line in axes.lines if line.get_markerfacecolor() == "white"]
    assert set(hollow) == {9.0} and axes.get_xlim()[0] == 0
    names = [text.get_text().replace("\n", " ") for text in axes.get_yticklabels()]
    assert names == ["class activation map", "occlusion of the backbone's answer", "occlusion of the head's answer"]


def test_costs_are_bars_and_bytes_are_lines(cost_row, whole_row):
    rows = analyse.cost_rows([cost_row("random"), cost_row("random", 1, last_top1=44.0), whole_row()])
    figure = show.stages_figure(analyse.costs(rows, "images"))
    bars = figure.axes[0]
    assert sorted({round(bar.get_width(), 3) for bar in bars.patches}) == [0, 0.4, 0.5, 1.0]
    assert [label.get_text() for label in bars.get_yticklabels()] == ["random real", "whole training set"]
    assert [text.get_text() for text in figure.legends[0].texts] == ["pretrain", "distill", "relabel", "evaluate"]
    axes = show.bytes_figure(analyse.stored_bytes(rows)).axes[0]
    drawn = {line.get_label(): (list(line.get_xdata()), list(line.get_ydata())) for line in axes.lines}
    assert drawn["random real"] == ([4.0], [42.0]) and drawn["whole training set"] == ([30.0], [50.0])
    assert [60.0, 60.0] in [ydata for _, ydata in drawn.values()]  # the plain teacher
    assert len(figure.encoded()[1]) < 300_000
    old = analyse.cost_rows([{name: value for name, value in cost_row("random").items() if "_images" not in name}])
    assert "No row says" in show.stages_figure(analyse.costs(old, "images"))


def test_two_image_sets_are_two_panels_of_costs(cost_row):
    rows = analyse.cost_rows([cost_row("random"), cost_row("random", image_set="mine")])
    assert titles(show.stages_figure(analyse.costs(rows, "images"))) == [
        "toy scale, plumage, 32 px", "toy scale, mine (plumage), 32 px"]  # fmt: skip
    assert len(show.bytes_figure(analyse.stored_bytes(rows)).axes) == 2


def test_nothing_to_draw_is_said():
    assert "There is no such row." in dots_figure([], "%")
    assert Mark("p", "l", Interval(1, 0, 2, 3), "red").filled


def test_studies_and_tables_of_ones_own_images_have_their_name(many, results):
    own = {"dataset": "folder", "image_set": "finches", "images_fingerprint": "b" * 64}
    measured = results(*many("none", [10, 20, 30], **own), *many("cal", [15, 25, 36], **own))
    figure = show.study_plot(measured)
    assert "finches (folder)" in figure.axes[-1].get_xlabel() and "finches" not in titles(figure)[0]
    assert "finches (folder)" in show.study_table(measured) and "finches (folder)" in show.shares_table(measured, "cal")
    assert set(analyse.compared({"own": measured})["image_set"]) == {"finches"}
