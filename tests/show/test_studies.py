"""Studies against hand values: means and paired differences by arm, equal students, main effects, shares, words."""

import itertools
import json
from types import SimpleNamespace

import pytest
from scipy import stats

from fd2lib import show
from fd2lib.ground import ArtefactError

STUDY = SimpleNamespace(
    title="Parts",
    reference="none",
    arms={
        name: SimpleNamespace(title=title)
        for name, title in {"none": "base", "cal": "CAL", "both": "FD²", "whole_set": "whole set"}.items()
    },
)


def row(arm: str, seed: int, top1: float, ipc: int = 1, **other: object) -> dict[str, object]:
    """A row as a results file holds it: everything is text."""
    values = {
        "scale": "reduced",
        "dataset": "cub200",
        "classes": "Warbler",
        "image_size": 96,
        "num_classes": 25,
        "arm": arm,
        "asked_ipc": ipc,
        "ipc": ipc,
        "seed": seed,
        "last_top1": top1,
        "evaluate_images": 2400,
        "settings": json.dumps({"relabel": {"epochs": 20}}),
        "images_bytes": 1000 + sum(arm.encode()) + ipc + seed,
        "mean_pixel_change": 0.02,
        "label_teacher": "cal",
        "best_top1": top1,
        **other,
    }
    return {name: str(value) for name, value in values.items()}


def results(*rows, study=STUDY):
    return show.study_results(study, rows)


def many(arm, values, **other):
    return [row(arm, seed, value, **other) for seed, value in enumerate(values)]


def test_differences_pair_seeds_and_equal_scipy():
    ours, base = [30.0, 33.0, 35.0, 31.0], [28.0, 32.5, 31.0]
    measured = results(*many("none", base), *many("cal", ours), *many("cal", [1, 2, 3], ipc=3))
    (found,) = show.arm_differences(measured).to_dict("records")  # at 3 per class there is no reference
    reference = stats.ttest_rel(ours[:3], base).confidence_interval(0.95)
    assert (found["ipc"], found["a"], found["b"], found["n"]) == (1, "cal", "none", 3)
    assert (found["low"], found["high"]) == pytest.approx((reference.low, reference.high))
    assert found["verdict"] == "undecided"


def test_title_and_reference_can_be_others():
    rows = many("none", [10, 20]) + many("cal", [15, 25])
    measured = show.study_results(STUDY, rows, title="Other", reference="cal")
    assert show.arm_differences(measured)["b"].unique().tolist() == ["cal"]
    assert show.study_sentences(measured)[0].startswith("Reduced scale. Other, 1 image per class, against CAL (20.0 %")


def test_equal_images_and_students_are_the_same_and_equal_accuracies_alone_are_not():
    base = many("none", [10, 20, 30])
    equal = [{**one, "arm": "cal"} for one in base]
    measured = results(*base, *equal, *many("both", [10, 20, 30]))
    verdicts = show.arm_differences(measured).set_index("a")["verdict"]
    assert verdicts["cal"] == "the same" and verdicts["both"] == "undecided"
    assert show.twins(measured) == [(1, ["none", "cal"])]
    text = " ".join(show.study_sentences(measured))
    assert "“base” and “CAL” are the same: equal images" in text and "the same images and students: “CAL”" in text


def test_whole_set_stands_beside_each_ipc_and_says_its_images():
    whole = many("whole_set", [60, 62, 64], ipc=0, asked_ipc=1)
    small = [one for ipc in (1, 3) for one in many("none", [20, 22, 24], ipc=ipc)]
    measured = results(*whole, *[{**one, "asked_ipc": "3"} for one in whole], *small)
    assert measured.ipcs == [1, 3] and measured.titles["whole_set"] == "whole set (120 images)"
    assert all(measured.accuracies("whole_set", ipc).tolist() == [60, 62, 64] for ipc in (1, 3))
    assert results(*whole).ipcs == [1]
    assert show.study_table(results(*whole)).count("[57.0,\N{NO-BREAK SPACE}67.0]") == 1


def test_tables_and_sentences_name_one_scale():
    measured = results(*many("none", [10, 12, 14]))
    caption = "1 image per class; reduced scale, cub200, classes Warbler, 96 px, guessing 4.0 %"
    assert caption in show.study_table(measured)
    assert show.study_sentences(measured) == [
        "Reduced scale. Parts: only “base” was measured, so there is nothing to compare."
    ]
    with pytest.raises(ArtefactError, match="one scale"):
        results(row("none", 0, 1), row("none", 1, 1, scale="toy"))
    with pytest.raises(ArtefactError, match="twice"):
        results(row("none", 0, 1), row("none", 0, 2))


def test_table_has_every_arm_and_says_what_is_missing():
    measured = results(*many("none", [10, 12, 14]), *many("cal", [20, 22.5, 24]), *many("both", [9], ipc=3))
    table = show.study_table(measured)
    assert table.count("<table") == 2 and table.count("not measured") == 2 + 3
    # mean 12, standard deviation 2, n 3: ± 4.302653 · 2 / √3; gaps 10, 10.5, 10
    assert "12.0 [7.0, 17.0]" in table.replace("\N{NO-BREAK SPACE}", " ")
    assert "+10.2 [+9.4, +10.9]" in table.replace("\N{NO-BREAK SPACE}", " ")
    assert table.count(">above zero<") == 1 and "[one" in table
    assert show.not_measured(measured) == [
        "base at 3 per class",
        "CAL at 3 per class",
        "FD² at 1 per class",
        "whole set",
    ]
    words = show.study_sentences(measured)
    assert "against base (12.0 %, n 3; guessing 4.0 %): better: “CAL”" in words[0]
    assert "the reference, base, was not measured" in words[1] and "not measured: base at 3" in words[-1]


@pytest.mark.parametrize("make", [show.study_table, show.study_plot, show.factorial_plot])
def test_a_study_without_rows_says_so(make):
    assert "Parts: not measured." in make(results())
    assert show.study_sentences(results()) == ["Parts: not measured."]
    assert show.share_sentences(results(), "both") == ["Shares of “FD²”: not measured."]
    assert "no main effect" in show.effects_table(show.factor_effects(results()))


def test_plot_draws_means_and_fills_what_the_pairs_decide():
    # Wide intervals that overlap, but the difference within seeds is steady.
    measured = results(*many("none", [10, 20, 30]), *many("cal", [15, 25.5, 35]), *many("both", [11, 19, 33]))
    (axes,) = show.study_plot(measured).axes
    marks = {line.get_ydata()[0]: line for line in axes.lines if line.get_marker() == "o"}
    assert [marks[place].get_xdata()[0] for place in range(3)] == pytest.approx([20, 25.1667, 21], abs=1e-3)
    assert [marks[place].get_markerfacecolor() != "white" for place in range(3)] == [False, True, False]
    assert [text.get_text() for text in axes.get_yticklabels()] == ["base", "CAL", "FD²"]
    assert axes.get_xlim()[0] >= 0


def test_several_studies_share_one_figure():
    measured = results(*many("none", [10, 20, 30]), *many("cal", [15, 25, 36], ipc=3))
    figure = show.study_plot(measured, results(), measured)
    titles = [axes.get_title(loc="left") for axes in figure.axes]
    assert titles == ["Parts\nreduced scale, 1 image per class", "Parts\nreduced scale, 3 images per class"] * 2
    assert "Parts: not measured." in show.study_table(measured, results())
    assert "Nothing was measured." in show.study_plot() and "Nothing was measured." in show.study_table()


def test_shares_are_taken_within_seeds():
    measured = results(*many("none", [10, 30]), *many("both", [20, 40, 50]))
    table = show.shares(measured, "both").set_index("arm")
    assert table.loc["none", "mean"] == pytest.approx((50 + 75) / 2) and table.loc["none", "n"] == 2
    assert table.loc["both", "mean"] == 100
    numbers = show.study_numbers(measured, "page", 1, "both")
    assert numbers["page_none"] == 20 and numbers["page_share_none"] == pytest.approx(62.5) and len(numbers) == 4
    (sentence,) = show.share_sentences(measured, "both")
    assert "“FD²” reaches 36.7 %. In % of that (n 2 to 3): “base” 62.5" in sentence


LEVELS = (("plain", "crops", "cal"), ("off", "on"), ("plain", "crops", "cal"))
NAMES = ["_".join(key) for key in itertools.product(*LEVELS)]
FACTORIAL = SimpleNamespace(
    title="Factorial", reference=NAMES[0], arms={name: SimpleNamespace(title=name) for name in NAMES}
)


def cells(skip=()):
    """Accuracies that add up: constraints 3, teachers 0, 2 and 5, labels 0, 4, 7 (8 in seed 1), seeds 0, 10, 20."""
    effects = ({"plain": 0, "crops": 2, "cal": 5}, {"off": 0, "on": 3}, {"plain": 0, "crops": 4, "cal": 7})
    return [
        row(name, seed, 10 * seed + sum(part[level] for part, level in zip(effects, name.split("_"), strict=True))
            + (seed == 1 and name.endswith("cal")))
        for seed in range(3) for name in NAMES if (name, seed) not in skip
    ]  # fmt: skip


def test_main_effects_of_a_full_factorial():
    effects = show.factor_effects(results(*cells(), study=FACTORIAL))
    found = {(one["a"], one["b"]): one for one in effects.to_dict("records")}
    means = {key: one["mean"] for key, one in found.items()}
    assert means == {
        ("constraints on", "constraints off"): pytest.approx(3),
        ("images by CAL", "images by plain"): pytest.approx(5),
        ("images by plain + crops", "images by plain"): pytest.approx(2),
        ("images by CAL", "images by plain + crops"): pytest.approx(3),
        ("CAL labels", "plain labels"): pytest.approx(22 / 3),
        ("plain + crops labels", "plain labels"): pytest.approx(4),
        ("CAL labels", "plain + crops labels"): pytest.approx(10 / 3),
    }
    labels = found["CAL labels", "plain labels"]
    low, high = stats.t.interval(0.95, 2, loc=22 / 3, scale=stats.sem([7, 8, 7]))
    assert (labels["low"], labels["high"]) == pytest.approx((low, high))
    assert set(effects["over"]) == {"6 of 6", "9 of 9"} and set(effects["n"]) == {3}
    (told,) = [text for text in show.effect_sentences(effects) if "CAL labels − plain labels" in text]
    assert "Reduced scale. CAL labels − plain labels, 1 image per class, averaged over 6 of 6 settings" in told
    assert "constraints on − constraints off" in show.effects_table(effects)


def test_effects_average_over_the_same_settings_in_every_seed():
    # One cell has a seed less, another none: without the same settings in each seed, seeds would not cancel.
    skip = {("cal_on_cal", 2)} | {("plain_on_plain", seed) for seed in range(3)}
    effects = show.factor_effects(results(*cells(skip), study=FACTORIAL))
    first = effects.iloc[0]
    assert first["a"] == "constraints on" and first["mean"] == pytest.approx(3)
    assert (first["over"], first["n"]) == ("7 of 9", 3)


def test_the_decided_comparisons_are_told_first_and_counted():
    measured = results(*many("none", [10, 12, 14]), *many("cal", [20, 22.5, 24]), *many("both", [10, 13, 13]))
    first, only = show.decided_sentences(measured)
    assert first.startswith("Of 2 comparisons at the reduced scale, the intervals of 1 exclude zero")
    assert "1 image per class: “CAL” − “base” +10.2" in only
    effects = show.factor_effects(results(*cells(), study=FACTORIAL))
    told = show.decided_sentences(results(*many("none", [10, 12])), measured, effects=effects)
    clear = int(effects["verdict"].isin(["above zero", "below zero"]).sum())
    assert told[0].startswith(f"Of {2 + len(effects)} comparisons") and len(told) == 2 + clear
    assert "enough seeds" in show.decided_sentences(results())[0]


def test_teachers_of_a_factorial_are_compared_with_the_plain_one():
    tops = {"plain": 20.0, "crops": 26.0, "cal": 24.5}
    rows = [{**one, "label_teacher_top1": str(tops[one["arm"].split("_")[2]] + int(one["seed"]))} for one in cells()]
    teachers = show.teacher_results(
        results(*rows, *[{**one, "ipc": "3", "asked_ipc": "3"} for one in rows], study=FACTORIAL)
    )
    assert teachers.accuracies("crops", 0).tolist() == [26.0, 27.0, 28.0]
    gaps = show.arm_differences(teachers).set_index("a")
    assert gaps.loc["cal", "mean"] == pytest.approx(4.5) and gaps.loc["crops", "n"] == 3
    table = str(show.study_table(teachers))
    assert "The teachers themselves, whole training set; reduced scale" in table and "plain + crops" in table
    assert "not measured" in show.study_table(show.teacher_results(results(study=FACTORIAL)))


def test_factorial_plot_puts_labels_side_by_side():
    figure = show.factorial_plot(results(*cells({("plain_on_cal", 0)}), study=FACTORIAL))
    (axes,) = figure.axes
    marks = [line for line in axes.lines if line.get_marker() in "os^"]
    assert len(marks) == len(NAMES)
    names = [text.get_text().replace("\n", " ") for text in axes.get_yticklabels()]
    assert names[0] == "images by plain, constraints off" and len(names) == 6
    legend = [text.get_text() for text in figure.legends[0].texts]
    assert legend == ["plain labels", "plain + crops labels", "CAL labels"]
    heights = {round(line.get_ydata()[0], 2) for line in marks if line.get_marker() == "^"}
    assert heights == {round(place + 0.26, 2) for place in range(6)}


def test_axis_fits_seeds_and_intervals_of_three_seeds():
    two, three = many("cal", [30, 34]), many("none", [28, 30, 32])
    (axes,) = show.study_plot(results(*two)).axes
    assert 25 < axes.get_xlim()[0] < 30 and 34 < axes.get_xlim()[1] < 40
    (axes,) = show.study_plot(results(*two, *three)).axes
    assert axes.get_xlim()[0] < 30 - 4.97 and axes.get_xlim()[1] > 30 + 4.97


def test_a_table_says_how_far_pixels_moved_where_some_images_were_not_optimised():
    still, moved = many("none", [10.0, 11.0], mean_pixel_change=0.0), many("cal", [12.0, 13.0], mean_pixel_change=0.025)
    table = str(show.study_table(results(*still, *moved)))
    assert "pixels moved" in table and ">2.5<" in table
    assert "pixels moved" not in str(show.study_table(results(*many("none", [10.0, 11.0]), *moved)))
