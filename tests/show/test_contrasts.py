"""Verdicts as a table, a figure and sentences: what was decided is said, and what was not run."""

import pandas as pd
import pytest

from fd2lib import analyse, show

CONTRASTS = [("cal", "none", "CAL − base"), ("both", "none", "FD² − base")]


@pytest.fixture
def judged(many, study, results):
    """Return a function that judges two contrasts: one that helps, one that does not."""

    def make(seeds: int = 4, planned: int = 4, **other: object) -> pd.DataFrame:
        study.arms = {name: arm for name, arm in study.arms.items() if name != "whole_set"}
        arms = {"none": [30.0, 31, 32, 33], "cal": [35.0, 36.5, 37, 38], "both": [30.0, 31.1, 32, 32.9]}
        rows = [row for arm, values in arms.items() for row in many(arm, values[:seeds], **other)]
        return analyse.verdicts([results(*rows)], CONTRASTS, [1], range(planned))

    return make


def test_table_says_difference_p_and_verdict(judged):
    table = show.verdict_table(judged(), "Does it help?").replace("\N{NO-BREAK SPACE}", " ")
    assert "Does it help; reduced scale, cub200, classes Warbler, 96 px<" in table
    assert "+5.1 [+4.7, +5.5]" in table and "&lt; 0.001" in table
    assert ">better<" in table and ">no difference of 2 points<" in table and "1.000" in table
    assert "not all seeds were run" not in table
    assert "not all seeds were run" in show.verdict_table(judged(planned=5))
    assert "Planned contrasts: not measured." in show.verdict_table(judged()[:0])


def test_figure_has_the_band_and_fills_what_is_decided(judged):
    figure = show.verdict_plot(judged())
    (axes,) = figure.axes
    marks = [line for line in axes.lines if line.get_marker() == "o"]
    assert [line.get_xdata()[0] for line in marks] == pytest.approx([5.125, 0])
    assert [line.get_markerfacecolor() == "white" for line in marks] == [False, True]
    upright = [line.get_xdata() for line in axes.lines if line.get_marker() == "None"]
    assert sorted(ends[0] for ends in upright if ends[0] == ends[1]) == [-2, 0, 2]
    (band,) = axes.patches
    assert (band.get_x(), band.get_width()) == (-2, 4)
    assert [text.get_text() for text in figure.legends[0].texts] == ["±2 points"]
    notes = [text.get_text().replace("\n", " ") for text in axes.texts]
    assert notes == ["better n 4", "no difference of 2 points n 4"]
    assert figure.encoded()[0] == "image/png"
    assert "no such row" in show.verdict_plot(judged(seeds=0))


def test_sets_and_ipcs_get_panels_of_their_own(judged):
    both = pd.concat([judged(), judged(dataset="flowers102", image_set="flowers102")], ignore_index=True)
    found = [axes.get_title(loc="left").replace("\n", " ") for axes in show.verdict_plot(both).axes]
    assert [title.split()[2] for title in found] == ["cub200,", "flowers102,"]
    assert all(title.endswith("1 image per class") for title in found)
    assert show.verdict_table(both).count("<table") == 2


def test_parts_of_a_plan_get_tables_and_panels_of_their_own(judged):
    parts = [judged().assign(study=title) for title in ("two rates", "random weights")]
    both = pd.concat(parts, ignore_index=True)
    assert show.verdict_table(both).count("<table") == 2 and "96 px, random weights<" in show.verdict_table(both)
    titles = [axes.get_title(loc="left").replace("\n", " ") for axes in show.verdict_plot(both).axes]
    assert [title.split("px, ")[1] for title in titles] == [
        "two rates, 1 image per class", "random weights, 1 image per class",
    ]  # fmt: skip
