"""Tables: what goes in is what stands there, once for each scale and set of images."""

import math
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from fd2lib import analyse, show
from fd2lib.analyse import Interval


def plain(html) -> str:
    return str(html).replace("\N{NO-BREAK SPACE}", " ")


def cells(html) -> list[str]:
    return [cell.split("<")[0] for cell in plain(html).split('">') if not cell.startswith("<")]


def test_tables_escape_and_write_what_is_unknown_as_a_dash():
    frame = pd.DataFrame({"name": ["<i>x"], "value": [1.26], "none": [np.nan], "yes": [True]})
    text = show.html_table(frame, "a & b")
    assert "&lt;i&gt;x" in text and "a &amp; b" in text and {"1.3", "–"} <= set(cells(text))
    intervals = pd.DataFrame({"gap": pd.Series([Interval(1.0, -1.0, 3.0, 3)], dtype=object)})
    assert "+1.00 [−1.00, +3.00]" in plain(show.html_table(intervals, digits=2, signed=["gap"]))


def test_what_varies_is_a_column_and_the_rest_stands_above(student):
    rows = [student(name, seed, last_top1=10 + seed) for seed in range(2) for name in ("sre2lpp", "unheard_of")]
    table = show.results_tables(analyse.summarise(analyse.load_rows(rows)))
    assert "toy scale, plumage, 32 px; teacher convnet4" in table and "images per class 1" in table
    assert "SRe²L++" in cells(table) and "unheard_of" in cells(table) and "labels soft" in table
    assert "10.5 [4.1, 16.9]" in plain(table) and table.count("<table") == 1
    assert "no such row" in show.results_tables(analyse.summarise(analyse.load_rows([])))


def test_one_table_for_each_scale_and_set_of_images(student):
    mine = {"dataset": "folder", "image_set": "warblers", "images_fingerprint": "a" * 64}
    sets = [mine, mine | {"image_set": "finches"}, mine | {"images_fingerprint": "b" * 64}, {}]
    rows = [student(seed=seed, **images) for seed in range(2) for images in sets]
    rows += [student(scale="reduced", image_size=96, classes="Warbler")]
    table = show.results_tables(analyse.summarise(analyse.load_rows(rows)), analyse.load_rows(rows))
    assert table.count("<details>") == 5 and table.count("Settings behind") == 5
    assert "finches (folder), 32 px" in table and "reduced scale, plumage, classes Warbler, 96 px" in table
    assert "warblers (folder), 32 px, images aaaaaaaa" in table and "images bbbbbbbb" in table


def test_differences_have_signs_and_verdicts(student):
    rows = [student("sre2lpp", s, last_top1=10 + s) for s in range(3)]
    rows += [student("sre2lpp_fd2", s, last_top1=12.5 + s) for s in range(3)]
    table = show.results_tables(analyse.paired_difference(analyse.load_rows(rows), "sre2lpp_fd2", "sre2lpp"))
    assert "SRe²L++ + FD² − SRe²L++" in table and "+2.5 [+2.5, +2.5]" in plain(table) and "above zero" in cells(table)


def test_a_study_has_every_arm_and_says_what_is_missing(many, results):
    measured = results(*many("none", [10, 12, 14]), *many("cal", [20, 22.5, 24]), *many("both", [9], ipc=3))
    table = plain(show.study_table(measured))
    assert table.count("<table") == 2 and table.count("not measured") == 2 + 3
    # mean 12, standard deviation 2, n 3: ± 4.302653 · 2 / √3; gaps 10, 10.5, 10
    assert "12.0 [7.0, 17.0]" in table and "+10.2 [+9.4, +10.9]" in table
    assert table.count(">above zero<") == 1 and "[one" in table and "reference" in cells(table)
    caption = "Parts, 1 image per class; reduced scale, cub200, classes Warbler, 96 px, guessing 4.0 %"
    assert caption in table
    assert "Parts: not measured." in show.study_table(measured, results())
    assert "Nothing was measured." in show.study_table()


def test_equal_arms_are_said_to_be_the_same(many, results):
    base = many("none", [10, 20, 30])
    assert "the same" in cells(show.study_table(results(*base, *[{**one, "arm": "cal"} for one in base])))


def test_paired_seeds_stand_there_where_they_are_fewer_than_seeds(many, results):
    base = many("none", [10, 20, 30])
    assert "paired seeds" not in show.study_table(results(*base, *many("cal", [10, 20, 30])))
    assert "paired seeds" in show.study_table(results(*base[:2], *many("cal", [10, 20, 30])))


def test_a_table_says_how_far_pixels_moved_where_some_images_were_not_optimised(many, results):
    still, moved = many("none", [10.0, 11.0], mean_pixel_change=0.0), many("cal", [12.0, 13.0], mean_pixel_change=0.025)
    table = show.study_table(results(*still, *moved))
    assert "pixels moved" in table and "2.5" in cells(table)
    assert "pixels moved" not in show.study_table(results(*many("none", [10.0, 11.0]), *moved))


def test_the_whole_set_is_a_place_of_its_own(many, results):
    table = show.study_table(results(*many("whole_set", [60, 62, 64], ipc=0, asked_ipc=1, evaluate_images=600)))
    assert plain(table).count("[57.0, 67.0]") == 1 and "whole set (120 images)" in table


def test_costs_count_thousands_and_say_the_unit(cost_row, whole_row):
    rows = analyse.cost_rows([cost_row("random", relabel_peak_mib=100.0), whole_row()])
    table = show.costs_table(analyse.costs(rows, "images"))
    assert {"1.0", "0.5", "0.4", "all"} <= set(cells(table)) and "thousand images" in table and "dash" not in table
    assert "whole training set" in table
    assert "a dash: not measured" in show.costs_table(analyse.costs(rows, "peak_mib"))


def test_costs_have_one_table_for_each_scale(cost_row):
    rows = analyse.cost_rows([cost_row("random"), cost_row("random", 1, scale="reduced")])
    table = show.costs_table(analyse.costs(rows, "images"))
    assert table.count("<table") == 2 and "toy scale" in table and "reduced scale" in table
    rows = analyse.cost_rows([cost_row("random"), cost_row("random", start="pool2")])
    assert "2×2 mosaic" in show.costs_table(analyse.costs(rows))
    rows = analyse.cost_rows([cost_row("random"), cost_row("rded", start="pool2")])
    assert "mosaic" not in show.costs_table(analyse.costs(rows))  # the method's name implies its start


def test_bytes_and_students_as_a_person_writes_them(cost_row, whole_row, timed):
    rows = [cost_row("random", s, last_top1=40.0 + s, **timed(1)) for s in range(3)]
    rows = analyse.cost_rows(rows, [cost_row("rded", evaluate_images=1000, **timed(1))], [whole_row(**timed(2))])
    kept = show.bytes_table(analyse.stored_bytes(rows))
    assert {"41.0 [38.5, 43.5]", "50.0 [one seed]", "0.33", "–"} <= set(cells(kept))
    pays = cells(show.break_even_table(analyse.break_even(rows), analyse.break_even(rows, "seconds")))
    assert {"student 4 on", "never", "student 3 on"} <= set(pays)
    several = cells(show.break_even_table(analyse.break_even(rows), analyse.break_even(rows, "seconds").iloc[:0]))
    assert "–" in several
    assert {"8.0", "student 8 on"} <= set(cells(show.store_table(analyse.without_store(rows))))
    assert "factor" in show.grouped_tables(analyse.timings(rows), "timings")
    assert "305.0" in cells(show.grouped_tables(analyse.published_labels(), "published"))


def test_no_rows_give_sentences_not_errors():
    none = analyse.cost_rows()
    for made in (
        show.costs_table(analyse.costs(none, "images")),
        show.bytes_table(analyse.stored_bytes(none)),
        show.break_even_table(analyse.break_even(none), analyse.break_even(none, "seconds")),
        show.store_table(analyse.without_store(none)),
        show.grouped_tables(analyse.timings(none), "timings"),
        show.bytes_figure(analyse.stored_bytes(none)),
        show.dot_plot(analyse.summarise(none)),
        show.grouped_tables(analyse.mass_summary(analyse.load_attention([])), "mass"),
        show.mass_figure(analyse.mass_summary(analyse.load_attention([]))),
        show.geometry_table(analyse.geometry_summary(analyse.load_geometry([]))),
    ):
        assert "There is no such row." in made
    assert "No seed was measured" in show.differences_table(analyse.mass_differences(analyse.load_attention([])))


def test_mass_is_stated_with_interval_chance_and_average_map(attention_rows):
    table = plain(show.grouped_tables(analyse.mass_summary(analyse.load_attention(attention_rows())), "mass"))
    assert "11.0 [8.5, 13.5]" in table  # 10, 11, 12: t = 4.30, standard error 0.577
    assert "+8.0 [+5.5, +10.5]" in table and "+2.0 [+2.0, +2.0]" in table
    assert {"3.0", "6.0", "53.0", "9.0", "CAL"} <= set(cells(table)) and "masks exact masks" in table
    assert "chance, %" in table and "a cell sees" in table and "convnet4" in table


def test_sets_are_read_against_all_training_images(geometry_rows):
    table = show.geometry_table(analyse.geometry_summary(analyse.load_geometry(geometry_rows())))
    assert {"all training images", "SRe²L++ + FD²", "1.100", "5.0", "50.0"} <= set(cells(table))
    assert "similarity of attention" not in table  # nobody measured it
    assert "features of another teacher" in table and "seen by convnet4, seed 1" in table
    rows = [row | {"judge": f"convnet4, seed {row['seed'] + 1}"} for row in geometry_rows()]
    assert "seen by" not in show.geometry_table(analyse.geometry_summary(analyse.load_geometry(rows)))


def test_differences_of_measures_name_quantity_and_space(attention_rows, geometry_rows):
    gaps = analyse.mass_differences(analyse.load_attention(attention_rows() + attention_rows(scale="reduced")))
    table = show.differences_table(gaps)
    assert table.count("<table") == 2 and "(plain: backbone&#x27;s)" in table and "n (paired seeds)" in table
    changes = analyse.geometry_differences(analyse.load_geometry(geometry_rows()), "sre2lpp_fd2", "sre2lpp")
    table = plain(show.differences_table(changes, digits=3))
    assert "+0.400" in table and "diversity (real = 1)" in table and "features of another teacher" in table


def test_students_have_an_interval_over_test_images():
    result = SimpleNamespace(last_accuracy=40.0, best_accuracy=45.0, test_images=100)
    text = plain(show.students_table({"sre2lpp": result}))
    assert "40.0 [30.9, 49.8]" in text and "selected on test images" in text


def test_pairs_and_facts():
    pairs = pd.DataFrame({"first": [0], "second": [1], "first_name": ["a"], "second_name": ["b"], "similarity": [0.5]})
    assert {"a", "b", "0.50"} <= set(cells(show.pairs_table(pairs))) and "no such pair" in show.pairs_table(pairs[:0])
    assert {"what", "1.5"} <= set(cells(show.facts_table({"what": 1.5})))


def test_shares_and_coverage(many, results, student):
    measured = results(*many("none", [10, 30]), *many("both", [20, 40]))
    table = plain(show.shares_table(measured, "both", "none"))
    assert "in % of FD²" in table and "in % of base" in table and "62.5 [" in table and "100.0 [100.0, 100.0]" in table
    assert "not measured" in show.shares_table(results(), "both")
    rows = [student(seed=seed) for seed in range(2)] + [student(image_set="mine", dataset="folder")]
    covered = show.coverage_table(analyse.coverage(analyse.load_rows(rows)))
    assert "toy scale, mine (folder), 32 px" in cells(covered) and "2" in cells(covered)
    assert "no such row" in show.coverage_table(analyse.coverage(analyse.load_rows([])))


@pytest.mark.parametrize(("students", "words"), [(1234.0, "student 1,234 on"), (math.inf, "never"), (math.nan, "–")])
def test_numbers_of_students_in_words(cost_row, whole_row, students, words):
    images = analyse.break_even(analyse.cost_rows([cost_row("random"), whole_row()])).assign(students=students)
    assert words in cells(show.break_even_table(images, images))
