"""Intervals and paired differences against scipy and hand values."""

import json

import pandas as pd
import pytest
from scipy import stats

from fd2lib.ground import ArtefactError
from fd2lib.show import (
    GROUP,
    against_guessing,
    control_difference,
    costs,
    coverage,
    interval,
    load_rows,
    paired_difference,
    settings_behind,
    summarise,
    verdict,
    verdict_sentence,
)


def row(method: str, seed: int, top1: float, **other: object) -> dict[str, object]:
    common = {
        "scale": "toy",
        "dataset": "plumage",
        "classes": "",
        "image_size": 32,
        "teacher": "tiny",
        "teacher_init": "random",
        "student": "tiny",
        "student_init": "random",
        "labels": "soft",
        "start": "whole",
        "ipc": 1,
    }
    settings = {"distill": {"iterations": 10, "seed": seed}, "relabel": {"epochs": 5}}
    return {
        **common,
        "method": method,
        "seed": seed,
        "last_top1": top1,
        "settings": json.dumps(settings),
        "fingerprint": f"{method}-{seed}-{sorted(other.items())}",
        **other,
    }


def table(tmp_path, rows) -> pd.DataFrame:
    pd.DataFrame(rows).to_csv(tmp_path / "runs.csv", index=False)
    return load_rows(tmp_path / "runs.csv")


def test_interval_equals_scipy():
    values = [40.3, 42.3, 41.3, 37.6]
    mean, low, high, number = interval(values)
    expected = stats.t.interval(0.95, len(values) - 1, loc=sum(values) / 4, scale=stats.sem(values))
    assert (mean, number) == (pytest.approx(40.375), 4)
    assert (low, high) == pytest.approx(expected)


def test_interval_by_hand():
    # mean 2, standard deviation 1, n 3: 4.302653 · 1 / √3
    assert interval([1, 2, 3])[1:3] == pytest.approx((2 - 2.484138, 2 + 2.484138), abs=1e-6)


def test_one_value_has_no_interval():
    mean, low, high, number = interval([7.0, float("nan")])
    assert (mean, number) == (7.0, 1)
    assert low != low and high != high


def test_summarise_keeps_scales_apart(tmp_path):
    rows = [row("sre2lpp", s, 10 + s) for s in range(3)] + [row("sre2lpp", s, 50 + s, scale="paper") for s in range(2)]
    summary = summarise(table(tmp_path, rows))
    assert list(summary.columns) == [*GROUP, "mean", "low", "high", "n"]
    assert dict(zip(summary["scale"], summary["n"], strict=True)) == {"paper": 2, "toy": 3}
    assert dict(zip(summary["scale"], summary["mean"], strict=True)) == {"paper": 50.5, "toy": 11.0}


def test_paired_difference_uses_only_seeds_of_both_and_equals_scipy(tmp_path):
    ours, base = [30.0, 33.0, 35.0, 31.0], [28.0, 32.5, 31.0]
    rows = [row("fd2", s, v) for s, v in enumerate(ours)] + [row("base", s, v) for s, v in enumerate(base)]
    (found,) = paired_difference(table(tmp_path, rows), "fd2", "base").to_dict("records")
    reference = stats.ttest_rel(ours[:3], base).confidence_interval(0.95)
    assert found["n"] == 3
    assert found["mean"] == pytest.approx((2 + 0.5 + 4) / 3)
    assert (found["low"], found["high"]) == pytest.approx((reference.low, reference.high))
    assert found["verdict"] == "undecided"


def test_pairs_never_cross_starts_or_ipc(tmp_path):
    rows = [
        row("fd2", 0, 30.0, start="pool2"),
        row("base", 0, 20.0, start="whole"),
        row("base", 0, 20.0, start="pool2", ipc=3),
    ]
    assert paired_difference(table(tmp_path, rows), "fd2", "base").empty


def test_rows_with_unusual_settings_are_a_variant_of_their_own(tmp_path):
    rows = [row("fd2", s, 30.0 + s) for s in range(3)]
    odd = json.dumps({"distill": {"iterations": 99, "seed": 0}, "relabel": {"epochs": 5}})
    rows.append(row("fd2", 0, 90.0, settings=odd, fingerprint="odd"))
    loaded = table(tmp_path, rows)
    assert set(loaded["variant"]) == {"", "distill.iterations=99"}
    summary = summarise(loaded)
    assert summary[summary["variant"] == ""]["mean"].item() == 31.0


def test_two_settings_that_made_the_same_images_are_two_rows(tmp_path):
    other = json.dumps({"distill": {"iterations": 10, "similarity_weight": 0.0}, "relabel": {"epochs": 5}})
    rows = [row("fd2", 0, 5.0, fingerprint="same"), row("fd2", 0, 5.0, fingerprint="same", settings=other)]
    assert len(table(tmp_path, rows)) == 2


def test_a_run_appended_twice_counts_once(tmp_path):
    rows = [row("fd2", 0, 1.0), row("fd2", 0, 2.0)]
    assert table(tmp_path, rows)["last_top1"].tolist() == [2.0]


def test_missing_file_is_empty_and_missing_column_is_named(tmp_path):
    assert load_rows(tmp_path / "none.csv").empty
    assert summarise(load_rows(tmp_path / "none.csv")).empty
    pd.DataFrame([{"scale": "toy"}]).to_csv(tmp_path / "bad.csv", index=False)
    with pytest.raises(ArtefactError, match="last_top1"):
        load_rows(tmp_path / "bad.csv")


@pytest.mark.parametrize(
    ("low", "high", "number", "expected"),
    [
        (0.1, 2, 3, "above zero"),
        (-2, -0.1, 5, "below zero"),
        (-1, 1, 5, "undecided"),
        (0, 1, 5, "undecided"),
        (2, 2, 2, "too few seeds"),
        (float("nan"), float("nan"), 1, "too few seeds"),
    ],
)
def test_verdict(low, high, number, expected):
    assert verdict(low, high, number) == expected


def test_verdict_sentence_counts_rows():
    table = pd.DataFrame({"verdict": ["above zero", "undecided", "undecided", "too few seeds"]})
    sentence = verdict_sentence(table, "A minus B")
    assert "of 3 comparisons" in sentence and "1 lies wholly above" in sentence and "2 include zero" in sentence
    assert "nothing can be said" in verdict_sentence(table.iloc[:0], "A minus B")
    assert "no verdict" in verdict_sentence(table.iloc[3:], "A minus B")


def test_against_guessing():
    assert against_guessing(40.0, 100, 8) == "clearly better than guessing (12.5 %)"
    assert against_guessing(15.0, 100, 8) == "not clearly different from guessing (12.5 %)"
    assert against_guessing(0.0, 100, 8) == "clearly worse than guessing (12.5 %)"


def test_coverage_names_scales_without_rows(tmp_path):
    found = coverage(table(tmp_path, [row("fd2", seed, 1.0) for seed in range(2)]))
    assert found[0] == "Toy scale: 2 trained students on plumage, 2 seeds." and found[2] == "No row of paper scale."


def test_pretrained_networks_are_said_to_have_seen_test_images(tmp_path):
    own, seen = (coverage(table(tmp_path, [row("fd2", 0, 1.0, student_init=init)])) for init in ("random", "imagenet"))
    assert len(seen) == len(own) + 1
    assert "CUB-200-2011" in seen[-1]


def test_the_settings_behind_a_table_are_those_of_most_rows(tmp_path):
    other = json.dumps({"distill": {"iterations": 99, "seed": 5}, "relabel": {"epochs": 5}})
    rows = [row("fd2", seed, 1.0) for seed in range(2)] + [row("fd2", 2, 1.0, settings=other), row("random", 0, 1.0)]
    found = settings_behind(table(tmp_path, rows)).set_index("setting")
    assert found.loc["distill.iterations"].to_dict() == {"fd2": "10", "random": "10"}
    assert set(found.index) == {"distill.iterations", "relabel.epochs"}


def test_rows_of_one_scale_or_set_only(tmp_path):
    table(tmp_path, [row("fd2", 0, 1.0), row("fd2", 0, 2.0, scale="reduced"), row("fd2", 0, 3.0, dataset="mine")])
    assert load_rows(tmp_path / "runs.csv", scale="reduced")["last_top1"].tolist() == [2.0]
    assert load_rows(tmp_path / "runs.csv", dataset="mine")["last_top1"].tolist() == [3.0]


def test_whole_real_images_are_the_control_of_every_start(tmp_path):
    rows = [row("fd2", s, 30.0 + s, start="pool2") for s in range(2)] + [row("fd2", 0, 40.0)]
    rows += [row("random", s, 20.0) for s in range(2)] + [row("random", 0, 99.0, start="pool2")]
    found = control_difference(table(tmp_path, rows), "fd2", "random").set_index("start")
    assert found["mean"].to_dict() == {"pool2": 10.5, "whole": 20.0} and found["n"].to_dict() == {
        "pool2": 2,
        "whole": 1,
    }


def test_costs_are_means_by_device(tmp_path):
    rows = [row("fd2", s, 1.0, pretrain_seconds=10.0 + s, evaluate_seconds=2.0, device=f"d{s // 2}") for s in range(3)]
    found = costs(table(tmp_path, rows))
    assert found[["device", "pretrain_seconds", "n"]].values.tolist() == [["d0", 10.5, 2], ["d1", 12.0, 1]]
