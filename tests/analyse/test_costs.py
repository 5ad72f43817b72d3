"""Costs against hand values: means, bytes, break-even."""

import math

import pytest

from fd2lib import analyse
from fd2lib.analyse.costs import STAGES, network_bytes, students_needed
from fd2lib.ground import SettingError
from fd2lib.models import create_backbone


def test_rows_of_text_and_of_values_are_one_table_and_repeats_count_once(cost_row):
    values, texts = cost_row("random"), {name: str(value) for name, value in cost_row("rded").items()}
    rows = analyse.cost_rows([values], [texts, texts])
    assert rows["method"].tolist() == ["random", "rded"] and rows["labels_bytes"].tolist() == [8192, 8192]
    assert rows["evaluate_peak_mib"].isna().all()  # not measured, in either form


def test_rows_of_an_earlier_version_lack_only_what_it_did_not_write(cost_row):
    old = {name: value for name, value in cost_row("random").items() if not name.endswith("_images")}
    rows = analyse.cost_rows([old])
    assert rows["pretrain_images"].isna().all() and rows["labels_bytes"].tolist() == [8192]
    assert analyse.break_even(rows).empty
    assert analyse.cost_rows().empty and analyse.stored_bytes(analyse.cost_rows()).empty


def test_costs_are_means_over_seeds_in_each_measure(cost_row):
    rows = analyse.cost_rows(
        [cost_row("random", 0, relabel_peak_mib=100.0), cost_row("random", 1, pretrain_images=3000)]
    )
    images = analyse.costs(rows, "images")
    assert images[["pretrain_images", "distill_images", "n"]].values.tolist() == [[2000, 500, 2]]
    memory = analyse.costs(rows, "peak_mib")
    assert memory["relabel_peak_mib"].tolist() == [100.0] and memory["distill_peak_mib"].isna().all()
    with pytest.raises(SettingError, match="second"):
        analyse.costs(rows, "second")


def test_costs_keep_devices_starts_and_images_apart(cost_row, timed):
    rows = [cost_row("random", s, **timed(s + 1), device=f"d{s}") for s in range(2)]
    rows += [cost_row("random", start="pool2", **timed(3), device="d0")]
    rows += [cost_row("random", **timed(4), device="d0", image_set="mine")]
    found = analyse.costs(analyse.cost_rows(rows))
    assert found[["image_set", "device", "start", "pretrain_seconds"]].values.tolist() == [
        ["plumage", "d0", "whole", 10], ["plumage", "d1", "whole", 20], ["plumage", "d0", "pool2", 30],
        ["mine", "d0", "whole", 40]]  # fmt: skip


def test_stored_bytes_are_per_class(cost_row, whole_row):
    rows = [cost_row("random", s, last_top1=40.0 + s) for s in range(3)]
    kept = analyse.stored_bytes(analyse.cost_rows(rows, [whole_row()]))
    assert kept[["images", "labels", "total", "ratio"]].values.tolist() == [[3, 1, 4, 1 / 3], [30, 0, 30, 0]]
    assert kept["mean"].tolist() == [41, 50] and kept["n"].tolist() == [3, 1]
    assert kept["plain"].tolist() == [60, 60]  # the plain teacher, beside all that its students learn from


def test_a_plain_teacher_of_another_network_is_none(cost_row):
    kept = analyse.stored_bytes(analyse.cost_rows([cost_row("random", teacher_backbones="other")]))
    assert kept["plain"].isna().all()


@pytest.mark.parametrize(("once", "each", "whole"), [(1900, 400, 1000), (1200, 400, 1000), (0, 1, 2), (7.5, 0.1, 0.35)])
def test_students_needed_is_the_first_that_is_cheaper(once, each, whole):
    number = students_needed(once, each, whole)
    assert once + number * each < number * whole and once + (number - 1) * each >= (number - 1) * whole


def test_students_needed_by_hand():
    assert students_needed(1900, 400, 1000) == 4  # 1900 + 4 · 400 = 3500 < 4000
    assert students_needed(1200, 400, 1000) == 3  # equal after two
    assert students_needed(10, 1000, 1000) == math.inf and math.isnan(students_needed(math.nan, 1, 2))


def test_break_even_without_stored_labels_pays_for_labels_each_time(cost_row, whole_row):
    rows = analyse.cost_rows([cost_row("random"), whole_row()])
    stored, again = analyse.break_even(rows), analyse.break_even(rows, store=False)
    assert stored[["once", "each", "whole", "students"]].values.tolist() == [[1900, 400, 1000, 4]]
    assert again[["once", "each", "whole", "students"]].values.tolist() == [[1500, 800, 1000, 8]]
    assert stored[["mean", "whole_mean"]].values.tolist() == [[40, 50]]


def test_seconds_compare_within_a_device_and_images_across(cost_row, whole_row, timed):
    rows = analyse.cost_rows([cost_row("random", **timed(1)), whole_row(evaluate_seconds=20, device="gpu")])
    assert len(analyse.break_even(rows)) == 1 and analyse.break_even(rows, "seconds").empty
    rows = analyse.cost_rows([cost_row("random", **timed(1)), whole_row(**(timed(0) | {"evaluate_seconds": 20}))])
    assert analyse.break_even(rows, "seconds")["students"].tolist() == [2]  # 19 + 2 · 8 = 35 < 40


@pytest.mark.parametrize("other", [{"student_init": "imagenet"}, {"images_fingerprint": "others"}])
def test_other_students_and_images_are_not_compared(cost_row, whole_row, other):
    assert analyse.break_even(analyse.cost_rows([cost_row("random"), whole_row(**other)])).empty


def test_without_store_keeps_the_teachers_instead(cost_row, whole_row):
    rows = analyse.cost_rows(
        [cost_row("random", teacher_backbones="convnet4 convnet4"), cost_row("rded", labels_bytes=0), whole_row()]
    )
    table = analyse.without_store(rows)
    expected = sum(value.nbytes for value in create_backbone("convnet4", 8, image_size=32).state_dict().values())
    assert network_bytes("convnet4", 8, 32) == expected
    assert table[["method", "labels", "students"]].values.tolist() == [["random", 8, 8]]
    assert table["teachers"].tolist() == [2 * expected / 1024]


def test_label_sizes_of_the_paper_by_hand():
    assert analyse.label_bytes(400, 200, 200) == 32_000_000
    table = analyse.published_labels()
    assert table["formula"].tolist() == pytest.approx([30.518, 91.553, 152.588], abs=1e-3)
    assert table["release"].tolist() == [61, 183, 305]
    assert table["logit_bytes"].tolist() == pytest.approx([4.0] * 3, rel=0.01)
    assert table["pixels"].tolist() == pytest.approx([200 * ipc * 3 * 224**2 / 2**20 for ipc in (1, 3, 5)])
    assert analyse.published_labels("aircraft")["release"].isna().all()


def test_timings_are_of_equal_work_and_the_most_different(cost_row, timed):
    calm = analyse.timings(analyse.cost_rows([cost_row("random", **timed(1)), cost_row("rded", **timed(1.1))]))
    assert calm[["low", "high"]].values.tolist() == [[8, 8.8]] and calm["factor"].tolist() == [pytest.approx(1.1)]
    rows = [cost_row("random", **timed(1)), cost_row("rded", **timed(9))]
    rows += [cost_row(name, ipc=3, evaluate_images=1200, **timed(2)) for name in ("random", "rded")]
    assert analyse.timings(analyse.cost_rows(rows))["factor"].tolist() == [9]
    other = [cost_row("random", **timed(1)), cost_row("rded", **timed(9), ipc=3, evaluate_images=1200)]
    assert analyse.timings(analyse.cost_rows(other)).empty  # more work takes longer
    assert set(STAGES) == {"pretrain", "distill", "relabel", "evaluate"}


def test_spans_are_the_least_and_the_most_over_sets(cost_row, whole_row, timed):
    rows = [cost_row("random", **timed(1)), cost_row("random", ipc=3, images_bytes=49152, last_top1=46.0, **timed(2))]
    rows += [cost_row("sre2lpp", pretrain_images=9000, **timed(3)), whole_row(**timed(4))]
    found = analyse.spans(analyse.cost_rows(rows))
    assert (
        found.loc["work"].tolist() == [10.3, 10.3] and found.loc["share"].tolist() == [pytest.approx(87.4, abs=0.1)] * 2
    )
    assert found.loc["ratio"].tolist() == [3, 6] and found.loc["whole"].tolist() == [30 / 7, 7.5]
    assert found.loc["loss"].tolist() == [4, 10] and found.loc["best"].tolist() == [46, 46]
    assert found.loc["students"].tolist() == [4, 17] and found.loc["seconds"].tolist() == [8, 24]
    assert found.loc["plain"].tolist() == [60, 60]
    assert analyse.spans(analyse.cost_rows(rows[:1])).loc["students"].isna().all()  # nothing to compare with
