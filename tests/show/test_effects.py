"""Effects: a line for each, a mark for each IPC, filled where its pairs exclude zero; the table says the same."""

import pytest

from fd2lib import analyse, show


@pytest.fixture
def groups(many, results):
    """The effect of CAL at two IPC, steady within seeds at 1 and not at 3, and one of a single IPC."""
    rows = [*many("none", [10, 20, 30]), *many("cal", [15, 25.5, 35]), *many("both", [11, 19, 33])]
    rows += [*many("none", [10, 20, 30], ipc=3), *many("cal", [15, 20, 29, 31], ipc=3)]
    pairs = [("cal", "none", "CAL − base"), ("both", "none", "FD² − base")]
    return {"Whole methods": analyse.contrast_differences(results(*rows), pairs)}


def test_contrasts_have_their_titles_and_pairs(groups):
    (table,) = groups.values()
    assert table["contrast"].tolist() == ["cal_none", "cal_none", "both_none"]
    assert table["n"].tolist() == [3, 3, 3] and set(table["scale"]) == {"reduced"}
    assert table["mean"].tolist() == pytest.approx([31 / 6, 4 / 3, 1])


def test_a_mark_for_each_ipc_around_zero_and_the_band(groups):
    figure = show.effect_plot(groups)
    (axes,) = figure.axes
    marks = [line for line in axes.lines if line.get_linestyle() == "None"]
    assert [line.get_markerfacecolor() != "white" for line in marks] == [True, False, False]
    assert [text.get_text() for text in axes.get_yticklabels()] == ["CAL − base", "FD² − base"]
    legend = [text.get_text() for text in figure.legends[0].texts]
    assert set(legend) == {"1 image per class", "3 images per class", "±2 points"}
    assert "paired" in axes.get_xlabel() and "reduced scale, cub200" in axes.get_xlabel()
    assert "no such row" in show.effect_plot({"None": groups["Whole methods"][:0]})


def test_table_has_a_column_for_each_ipc(groups):
    table = show.effect_table(groups).replace("\N{NO-BREAK SPACE}", " ")
    assert table.count("<table") == 1 and table.count("<tr>") == 3
    assert "3 images per class<" in table and "+5.2 [+4.4, +5.9]" in table and ">–<" in table
    assert "Nothing was measured." in show.effect_table({})


def test_levels_have_a_column_for_each_ipc(many, results):
    measured = results(*many("none", [10, 20, 30]), *many("cal", [15, 25, 35], ipc=3))
    table = show.level_table(measured).replace("\N{NO-BREAK SPACE}", " ")
    assert table.count("<tr>") == 3 and "20.0 [−4.8, 44.8]" in table and ">–<" in table and "not paired" in table
    assert "Nothing was measured." in show.level_table(results())


def test_claims_have_a_panel_each_and_every_set_a_table(geometry_rows):
    rows = analyse.load_geometry(geometry_rows() + geometry_rows(scale="reduced", image_set="mine"))
    found = analyse.geometry_differences(rows, "sre2lpp_fd2", "sre2lpp")
    figure, quantities = show.claims_plot(found), ["distinctness", "similarity", "diversity"]
    assert [axes.get_title(loc="left").split()[0] for axes in figure.axes] == quantities
    drawn = [line.get_xdata()[0] for axes in figure.axes for line in axes.lines if line.get_marker() == "o"]
    first = found[found["scale"] == found["scale"].iloc[0]].set_index("what")["mean"]
    assert drawn == pytest.approx(first[quantities].tolist())
    table = show.claims_table(found)
    assert table.count("<table") == 2 and "mine (plumage)" in table
    assert "no such row" in show.claims_plot(found[:0]) and "Nothing was measured." in show.claims_table(found[:0])
