"""Grain in pictures and figures: scales apart, what was not run said, and birds that differ where they should."""

import dataclasses
import itertools

import numpy as np
import pandas as pd
import pytest

from fd2lib import analyse, show
from fd2lib.analyse import Contrast, Ladder, StudyResults
from fd2lib.show.contrasts import NOT_ALL

TESTED = (Contrast("fd2", "base", "FD² − base"), Contrast("fd2", "rival", "FD² − rival"))


def a_set(title, gains, ipcs=(1, 3)) -> StudyResults:
    """A set with a gain over base for each seed, half of it over the rival."""
    rows = [
        {"arm": arm, "ipc": ipc, "seed": seed, "last_top1": 30 + share * gain}
        for (arm, share), ipc in itertools.product({"base": 0, "rival": 0.5, "fd2": 1}.items(), ipcs)
        for seed, gain in enumerate(gains)
    ]
    table = pd.DataFrame(rows, columns=["arm", "ipc", "seed", "last_top1"])
    return StudyResults(title, "base", {arm: arm for arm in ("base", "rival", "fd2")}, table)


@pytest.fixture
def ladders():
    drawn = [a_set("families", [1, 1.2, 0.8, 1]), a_set("one part", [5, 5.3, 4.8, 5])]
    photos = [a_set("genera", []), a_set("warblers", [2, 3])]
    return [
        Ladder("toy scale: drawn birds", drawn, TESTED, (1, 3), range(4)),
        Ladder("reduced scale: photographs", photos, TESTED, (1, 3), range(6)),
    ]


def test_each_ladder_has_a_panel_and_an_axis_of_its_own(ladders):
    figure = show.gains_figure(ladders)
    drawn, photos = figure.axes
    titles = [axes.get_title(loc="left").replace("\n", " ") for axes in figure.axes]
    assert titles == ["toy scale: drawn birds", "reduced scale: photographs"]
    assert not drawn.get_shared_y_axes().joined(drawn, photos)
    lines = {
        line.get_label(): line for line in drawn.lines if len(line.get_xdata()) == 2 and line.get_marker() != "None"
    }
    assert lines["FD² − base"].get_ydata().tolist() == pytest.approx([1, 5.025])
    assert lines["FD² − rival"].get_ydata().tolist() == pytest.approx([0.5, 2.5125])
    assert [tick.get_text().split("\n")[-1] for tick in drawn.get_xticklabels()] == ["n 4", "n 4"]
    assert [tick.get_text().split("\n", 1)[1] for tick in photos.get_xticklabels()] == ["not measured", "n 2"]
    assert figure.encoded()[0] == "image/png"


def test_without_rows_each_ladder_says_so(ladders):
    empty = [dataclasses.replace(one, sets=[a_set(part.title, []) for part in one.sets]) for one in ladders]
    text = show.gains_figure(empty)
    assert "toy scale: drawn birds: not measured." in text and "reduced scale: photographs: not measured." in text
    (axes,) = show.gains_figure([ladders[0], empty[1]]).axes
    assert axes.get_title(loc="left").startswith("toy scale")
    told = show.trends_table(analyse.trends(empty))
    assert told.count(">not measured<") == 4 and "nan" not in told


def test_trends_are_said_with_interval_n_and_verdict(ladders):
    found = analyse.trends(ladders)
    table = show.trends_table(found, "Does it grow?").replace("\N{NO-BREAK SPACE}", " ")
    assert "Does it grow?" in table and "+4.0 [" in table and ">grows<" in table and ">not measured<" in table
    assert NOT_ALL not in table
    more = [dataclasses.replace(one, seeds=range(9)) for one in ladders]
    assert f">grows; {NOT_ALL}<" in show.trends_table(analyse.trends(more))


def test_gains_stand_by_set_and_ipc(ladders):
    table = show.gains_table(ladders[1]).replace("\N{NO-BREAK SPACE}", " ")
    assert table.count("<tr>") == 1 + 2 * 3 and table.count(">not measured<") == 3 and table.count(">2<") == 3
    assert "+2.5 [" in table and table.index("genera") < table.index("warblers")


def test_birds_of_one_row_differ_in_what_tells_them():
    figure = show.grain_pictures(["families", "one"], ["families", "one part"], size=32)
    (canvas,) = (image.get_array() for image in figure.axes[0].images)
    step = 32 + max(1, round(32 * 0.06))
    birds = [[canvas[row * step : row * step + 32, k * step : k * step + 32] for k in range(4)] for row in range(2)]
    changed = [np.mean([(row[0] != bird).any(-1).mean() for bird in row[1:]]) for row in birds]
    assert 0 < changed[1] < 0.1 < changed[0], "a crown, against a whole bird"
