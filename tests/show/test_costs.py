"""Costs against hand values: means, bytes, break-even, and sentences that turn with the numbers."""

import math

import pandas as pd
import pytest

from fd2lib import show
from fd2lib.ground import SettingError
from fd2lib.models import create_backbone
from fd2lib.record import COLUMNS
from fd2lib.show.cost_tables import count_words
from fd2lib.show.cost_text import span
from fd2lib.show.costs import STAGES, network_bytes, students_needed


def row(method: str, seed: int = 0, **other: object) -> dict[str, object]:
    """A row as a run gives it; 8 classes, 24 thousand bytes of images, 400 images to a student."""
    common = dict.fromkeys(COLUMNS, "") | {
        "scale": "toy",
        "dataset": "plumage",
        "num_classes": 8,
        "image_size": 32,
        "method": method,
        "start": "whole",
        "ipc": 1,
        "seed": seed,
        "teacher_kind": "plain",
        "label_teacher": "plain",
        "teacher": "convnet4",
        "teacher_init": "random",
        "student": "convnet4",
        "student_init": "random",
        "last_top1": 40.0,
        "teacher_top1": 60.0,
        "images_bytes": 24576,
        "labels_bytes": 8192,
        "device": "cpu",
        "fingerprint": f"{method}-{seed}-{sorted(other.items())}",
    }
    worked = {"pretrain": 1000, "distill": 500, "relabel": 400, "evaluate": 400}
    return common | {f"{stage}_images": count for stage, count in worked.items()} | other


def whole(**other: object) -> dict[str, object]:
    none = {f"{stage}_images": 0 for stage in ("pretrain", "distill", "relabel")}
    given = {"start": "all", "ipc": 0, "teacher": "", "teacher_top1": "", "teacher_kind": "", "label_teacher": ""}
    stored = {"images_bytes": 245760, "labels_bytes": 0, "last_top1": 50.0, "evaluate_images": 1000}
    return row("whole_set", **(none | given | stored | other))


def timed(factor: float) -> dict[str, float]:
    return {f"{stage}_seconds": factor * value for stage, value in zip(STAGES, (10, 5, 4, 8), strict=True)}


def text(html: str) -> list[str]:
    return [cell.split("<")[0] for cell in html.split('">') if not cell.startswith("<")]


def test_rows_of_text_and_of_values_are_one_table_and_repeats_count_once():
    values, texts = row("random"), {name: str(value) for name, value in row("rded").items()}
    rows = show.cost_rows([values], [texts, texts])
    assert rows["method"].tolist() == ["random", "rded"] and rows["labels_bytes"].tolist() == [8192, 8192]
    assert rows["evaluate_peak_mib"].isna().all()  # not measured, in either form


def test_rows_of_an_earlier_version_lack_only_what_it_did_not_write():
    old = {name: value for name, value in row("random").items() if not name.endswith("_images")}
    rows = show.cost_rows([old])
    assert rows["pretrain_images"].isna().all() and rows["labels_bytes"].tolist() == [8192]
    assert show.break_even(rows).empty and "No row" in show.stages_figure(rows)
    assert show.cost_rows().empty and show.stored_bytes(show.cost_rows()).empty


def test_costs_are_means_over_seeds_in_each_measure():
    rows = show.cost_rows([row("random", 0, relabel_peak_mib=100.0), row("random", 1, pretrain_images=3000)])
    images = show.costs(rows, "images")
    assert images[["pretrain_images", "distill_images", "n"]].values.tolist() == [[2000, 500, 2]]
    memory = show.costs(rows, "peak_mib")
    assert memory["relabel_peak_mib"].tolist() == [100.0] and memory["distill_peak_mib"].isna().all()
    assert "a dash: not measured" in show.costs_table(memory) and "dash" not in show.costs_table(images)
    with pytest.raises(SettingError, match="second"):
        show.costs(rows, "second")


def test_costs_table_counts_thousands_and_says_the_unit():
    table = show.costs_table(show.costs(show.cost_rows([row("random"), whole()]), "images"))
    assert {"1.0", "0.5", "0.4"} <= set(text(table)) and "thousand images" in table
    assert "whole training set" in table and "all" in text(table)


def test_stored_bytes_are_per_class():
    kept = show.stored_bytes(show.cost_rows([row("random", s, last_top1=40.0 + s) for s in range(3)], [whole()]))
    assert kept[["images", "labels", "total", "ratio"]].values.tolist() == [[3, 1, 4, 1 / 3], [30, 0, 30, 0]]
    assert kept["mean"].tolist() == [41, 50] and kept["n"].tolist() == [3, 1]
    assert {"38.5 to 43.5", "one seed"} <= set(text(show.bytes_table(kept)))


@pytest.mark.parametrize("once, each, whole", [(1900, 400, 1000), (1200, 400, 1000), (0, 1, 2), (7.5, 0.1, 0.35)])
def test_students_needed_is_the_first_that_is_cheaper(once, each, whole):
    number = students_needed(once, each, whole)
    assert once + number * each < number * whole and once + (number - 1) * each >= (number - 1) * whole


def test_students_needed_by_hand():
    assert students_needed(1900, 400, 1000) == 4  # 1900 + 4 · 400 = 3500 < 4000
    assert students_needed(1200, 400, 1000) == 3  # equal after two
    assert students_needed(10, 1000, 1000) == math.inf and math.isnan(students_needed(math.nan, 1, 2))
    assert [count_words(value) for value in (1234.0, math.inf, math.nan)] == ["student 1,234 on", "never", "–"]


def test_break_even_without_stored_labels_pays_for_labels_each_time():
    rows = show.cost_rows([row("random"), whole()])
    stored, again = show.break_even(rows), show.break_even(rows, store=False)
    assert stored[["once", "each", "whole", "students"]].values.tolist() == [[1900, 400, 1000, 4]]
    assert again[["once", "each", "whole", "students"]].values.tolist() == [[1500, 800, 1000, 8]]
    assert stored[["mean", "whole_mean"]].values.tolist() == [[40, 50]]


def test_seconds_compare_within_a_device_and_images_across():
    rows = show.cost_rows([row("random", **timed(1)), whole(evaluate_seconds=20, device="gpu")])
    assert len(show.break_even(rows)) == 1 and show.break_even(rows, "seconds").empty
    assert "–" in text(show.break_even_table(rows))
    rows = show.cost_rows([row("random", **timed(1)), whole(**(timed(0) | {"evaluate_seconds": 20}))])
    assert show.break_even(rows, "seconds")["students"].tolist() == [2]  # 19 + 2 · 8 = 35 < 40


def test_other_students_are_not_compared():
    rows = show.cost_rows([row("random"), whole(student_init="imagenet")])
    assert show.break_even(rows).empty
    assert "nothing is said" in show.break_even_sentences(rows)[0]


def test_break_even_sentences_turn_with_the_numbers():
    pays, never = row("random"), row("rded", evaluate_images=1000)
    (sentence,) = show.break_even_sentences(show.cost_rows([pays, never, whole()]))
    assert "1 of 2 sets pays off, from student 4 on; 1 of 2 never does." in sentence
    assert "10.0 points below" in sentence
    (sentence,) = show.break_even_sentences(show.cost_rows([never | {"last_top1": 55.0}, whole()]))
    assert "images: 1 of 1 never does." in sentence and "5.0 points above" in sentence


def test_without_store_keeps_the_teachers_instead():
    rows = show.cost_rows([row("random", teacher="convnet4 convnet4"), row("rded", labels_bytes=0), whole()])
    table = show.without_store(rows)
    expected = sum(value.nbytes for value in create_backbone("convnet4", 8, image_size=32).state_dict().values())
    assert network_bytes("convnet4", 8, 32) == expected
    assert table[["method", "labels", "students"]].values.tolist() == [["random", 8, 8]]
    assert table["teachers"].tolist() == [2 * expected / 1024]
    assert "more" in show.store_sentences(table)[0]
    assert "less" in show.store_sentences(table.assign(labels=table["teachers"] * 2))[0]


def test_label_sizes_of_the_paper_by_hand():
    assert show.label_bytes(400, 200, 200) == 32_000_000
    table = show.published_labels()
    assert table["formula"].tolist() == pytest.approx([30.518, 91.553, 152.588], abs=1e-3)
    assert table["release"].tolist() == [61, 183, 305]
    assert table["pixels"].tolist() == pytest.approx([200 * ipc * 3 * 224**2 / 2**20 for ipc in (1, 3, 5)])


def test_published_sentence_says_whether_sizes_agree():
    table = show.published_labels()
    assert "2.00 times" in show.published_sentence(table) and "single precision" in show.published_sentence(table)
    agreeing = table.assign(release=table["formula"], logit_bytes=2.0)
    assert "agree with the formula" in show.published_sentence(agreeing)
    thrice = show.published_sentence(table.assign(release=3 * table["formula"], logit_bytes=6.0))
    assert "3.00 times" in thrice and "single precision" not in thrice
    assert "no sizes" in show.published_sentence(show.published_labels("aircraft"))


def test_bytes_sentences_name_the_larger_part():
    few, many = row("random"), row("random", ipc=3, images_bytes=49152, labels_bytes=16384, last_top1=46.0)
    (sentence,) = show.bytes_sentences(show.stored_bytes(show.cost_rows([few, many, whole()])))
    assert "images take 3.0 times the bytes of the labels" in sentence
    assert "3.8 to 7.5 times" in sentence and "buy 6.0 points" in sentence
    (sentence,) = show.bytes_sentences(show.stored_bytes(show.cost_rows([row("random", labels_bytes=49152)])))
    assert "labels take 2.0 times the bytes of the images." in sentence and "buy" not in sentence


def test_seconds_sentences_say_when_the_machine_was_busy():
    calm = show.seconds_sentences(show.cost_rows([row("random", **timed(1)), row("rded", **timed(1.1))]))
    busy = show.seconds_sentences(show.cost_rows([row("random", **timed(1)), row("rded", **timed(9))]))
    assert "seconds compare" in calm[0] and "count images, not seconds" in busy[0] and "factor of 9.0" in busy[0]
    other = show.cost_rows([row("random", **timed(1)), row("rded", **timed(9), ipc=3, evaluate_images=1200)])
    assert show.seconds_sentences(other) == []  # more work takes longer


def test_stage_and_teacher_sentences():
    rows = show.cost_rows([row("random"), row("sre2lpp", pretrain_images=100, distill_images=9000), whole()])
    assert "SRe²L++, 9.9 thousand images" in show.stage_sentences(rows)[0]
    assert "91 % of them to distill." in show.stage_sentences(rows)[0]
    assert "60.0 % after 0.6 thousand images; students on the best set reach 40.0 %" in show.teacher_sentences(rows)[0]
    assert show.teacher_sentences(show.cost_rows([row("random", teacher="other")])) == []


def test_span_writes_one_number_where_two_look_alike():
    assert [span(1.01, 1.04), span(1, 2000), span(-1, 2), span(1, 1, 2)] == [
        "1.0", "1.0 to 2,000.0", "−1.0 to 2.0", "1.00"]  # fmt: skip


def test_figures_draw_what_is_in_the_rows():
    rows = show.cost_rows([row("random"), row("random", 1, last_top1=44.0), whole()])
    bars = show.stages_figure(rows).axes[0]
    assert sorted({round(bar.get_width(), 3) for bar in bars.patches}) == [0, 0.4, 0.5, 1.0]
    assert [label.get_text() for label in bars.get_yticklabels()] == ["random real", "whole training set"]
    axes = show.bytes_figure(rows, show.stored_bytes(rows)).axes[0]
    drawn = {line.get_label(): (list(line.get_xdata()), list(line.get_ydata())) for line in axes.lines}
    assert drawn["random real"] == ([4.0], [42.0]) and drawn["whole training set"] == ([30.0], [50.0])
    assert [60.0, 60.0] in [ydata for _, ydata in drawn.values()]  # the plain teacher
    mime, data = show.stages_figure(rows).encoded()
    assert mime == "image/png" and len(data) < 300_000


def test_no_rows_give_sentences_not_errors():
    none = show.cost_rows()
    for made in (
        show.costs_table(show.costs(none, "images")),
        show.bytes_table(show.stored_bytes(none)),
        show.break_even_table(none),
        show.store_table(show.without_store(none)),
        show.bytes_figure(none, show.stored_bytes(none)),
    ):
        assert "There is no such row." in made
    for found in (show.stage_sentences, show.seconds_sentences, show.teacher_sentences):
        assert found(none) == []


def test_one_table_for_each_scale():
    rows = show.cost_rows([row("random"), row("random", 1, scale="reduced")])
    table = show.costs_table(show.costs(rows, "images"))
    assert table.count("<table") == 2 and "scale toy" in table and "scale reduced" in table


def test_costs_keep_devices_and_starts_apart():
    frame = show.cost_rows([row("random", s, **timed(s + 1), device=f"d{s}") for s in range(2)],
                           [row("random", start="pool2", **timed(3), device="d0")])  # fmt: skip
    assert isinstance(frame, pd.DataFrame)
    found = show.costs(frame)
    assert found[["device", "start", "pretrain_seconds"]].values.tolist() == [
        ["d0", "whole", 10], ["d1", "whole", 20], ["d0", "pool2", 30]]  # fmt: skip
    assert "2×2 mosaic" in show.costs_table(found)
