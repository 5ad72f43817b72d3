"""Bytes of labels by hand values, and verdicts on goals."""

import json
import math

import pandas as pd
import pytest

from fd2lib import analyse, show
from fd2lib.analyse.budget import GOALS
from fd2lib.drive import committed_study, load_study
from fd2lib.drive.asked import resolve_recipe, settings_text
from fd2lib.drive.request import Request
from fd2lib.drive.studies import study_requests
from fd2lib.ground import SettingError, setting_values
from fd2lib.record import STUDENTS, put_rows


@pytest.fixture(scope="module")
def study():
    return load_study("budget")


@pytest.fixture
def rows(arm_row):
    """Rows of each arm, a sixth of a KiB for each letter of its sizes; seeds differ by 1 point, arms by ``gaps``."""
    sizes = {"full": 61440, "bits8": 30720, "tenth": 6144, "twentieth": 3072, "fortieth": 1536, "fixed": 512}

    def make(seeds=3, **gaps):
        return [
            arm_row(arm, seed, 50 + seed + gaps.get(arm, 0.0) + 0.01 * (seed - 1), ipc=3, labels_bytes=size)
            for arm, size in sizes.items()
            for seed in range(seeds)
        ]

    return make


def test_bytes_by_hand(study):
    assert analyse.label_bytes(400, 1000, 200) == 160_000_000  # two bytes a logit
    assert analyse.label_bytes(40, 1000, 200, bits=8) == 40 * 1000 * (200 + 4)
    sizes = analyse.label_sizes().set_index("format")
    assert sizes.loc["16 bits", ["mib_1", "mib_3", "mib_5"]].tolist() == pytest.approx(
        [30.518, 91.553, 152.588], abs=1e-3
    )
    assert sizes.loc["8 bits, a tenth", "mib_5"] == pytest.approx(40 * 1000 * 204 / 2**20)
    assert sizes.loc["the release's files", "mib_5"] == 305 and sizes.loc["8 bits", "fewer"] == pytest.approx(400 / 204)
    assert sizes.loc["16 bits, one vector per image", "kept"] == "1"
    assert "the release's files" not in set(analyse.label_sizes("aircraft")["format"])
    told = show.label_tables(analyse.published_labels(), analyse.label_sizes(), analyse.label_budget(study, []))
    assert "7.78" in told and "152.6" in told and "305.0" in told and "Fewer bytes of labels: not measured" in told


def test_the_study_differs_in_labels_alone_and_has_the_goals_arms(study):
    common = {"scale": "reduced", "dataset": "cub200"}
    recipes = [resolve_recipe(one) for one in study_requests(study, [3], [0], **common)]
    same = {(one.teacher_settings, one.label_teacher_settings, one.distill, one.evaluate) for one in recipes}
    assert len(same) == 1 and len({one.relabel for one in recipes}) == len(study.arms) == 6
    assert recipes[0].distill.start == "whole" and recipes[0].relabel.epochs == 80
    assert GOALS.keys() <= study.arms.keys() and study.reference == "full"
    full = analyse.label_bytes(80, 75, 200)
    fewer = {
        arm: full / analyse.label_bytes(one.relabel.label_epochs, 75, 200, one.relabel.bits)
        for arm, one in zip(study.arms, recipes, strict=True)
    }
    wanted = {"full": 1, "bits8": 2, "tenth": 10, "twentieth": 20, "fortieth": 40}
    assert all(fewer[arm] == pytest.approx(times, rel=0.02) for arm, times in wanted.items())


def test_expected_bytes_follow_the_settings_of_a_row(study, student):
    rows, wanted = [], []
    for one in study_requests(study, [3], [0], scale="reduced", dataset="cub200"):
        settings = resolve_recipe(one).relabel
        text = json.dumps({"relabel": setting_values(settings)})
        rows.append(student(settings=text, evaluate_images=80 * 75, num_classes=25, arm=one.overrides))
        wanted.append(75 * settings.label_epochs * (50 if settings.bits == 16 else 29))
    assert analyse.expected_label_bytes(analyse.load_rows(rows)).tolist() == wanted


def test_a_budget_is_paired_and_measured_against_its_goals(study, rows):
    there = rows(bits8=-0.1, twentieth=-3.0, tenth=-0.5)
    measured = analyse.label_budget(study, there)
    budget = measured.table.set_index("arm")
    assert budget["fewer"].tolist() == [1, 2, 10, 20, 40, 120] and budget.loc["full", "kib"] == 60
    assert budget.loc["bits8", "gap"].mean == pytest.approx(-0.1) and budget["n"].tolist() == [0] + [3] * 5
    assert budget["verdict"].tolist() == ["reference", "reached", "no goal", "missed", "reached", "no goal"]
    table = show.label_tables(analyse.published_labels(), analyse.label_sizes(), measured)
    plot = show.label_budget_plot(measured)
    assert "−3.0" in table and "40.0" in table and "Fewer bytes of labels, 3 images per class" in table
    assert isinstance(plot, show.BookFigure)


def test_what_chance_could_explain_is_not_decided(study, arm_row):
    there = [arm_row("full", seed, 50, ipc=3, labels_bytes=1000) for seed in range(4)]
    there += [arm_row("twentieth", seed, 49.5 + gap, ipc=3, labels_bytes=50) for seed, gap in enumerate((-3, 3, 2, -2))]
    there += [arm_row("fortieth", seed, 47.2 + gap, ipc=3, labels_bytes=25) for seed, gap in enumerate((-3, 3, 2, -2))]
    there += [arm_row("bits8", 0, 50, ipc=3, labels_bytes=500)]
    budget = analyse.label_budget(study, there).table.set_index("arm")["verdict"]
    undecided = " by the mean, undecided"
    assert budget["twentieth"] == "reached" + undecided and budget["fortieth"] == "missed" + undecided
    assert budget["bits8"] == "reached" + undecided  # one seed decides nothing


def test_a_budget_that_was_not_measured_says_so(study, tmp_path):
    assert committed_study("labels_budget", tmp_path) == (study, [])
    budget = analyse.label_budget(*committed_study("labels_budget", tmp_path))
    assert budget.table.empty and isinstance(budget.table, pd.DataFrame)
    assert "not measured" in show.label_budget_plot(budget)


def test_the_rows_of_a_plans_study_are_found_in_its_file(study, student, tmp_path):
    rows = []
    for one in study_requests(study, [3], [0, 1], scale="reduced", dataset="cub200"):
        recipe = resolve_recipe(one)
        known = {name: getattr(recipe, name) for name in ("scale", "dataset", "classes", "image_size", "method")}
        known |= {"image_set": "cub200", "ipc": 3, "seed": one.seed, "settings": settings_text(recipe)}
        rows.append(dict.fromkeys(STUDENTS.columns, "") | student(**known))
    (tmp_path / "results").mkdir()
    put_rows([{name: row[name] for name in STUDENTS.columns} for row in rows], tmp_path / "results" / "labels.csv")
    found, there = committed_study("labels_budget", tmp_path)
    assert found == study and [row["arm"] for row in there] == [arm for arm in study.arms for _ in range(2)]
    assert set(analyse.label_budget(found, there).table["n"]) == {0, 2}
    with pytest.raises(SettingError, match="expected one"):
        committed_study("studies", tmp_path)


def test_without_the_reference_nothing_is_compared(study, rows):
    there = [row for row in rows() if row["arm"] != "full"]
    budget = analyse.label_budget(study, there).table
    assert budget["fewer"].map(math.isnan).all() and set(budget["verdict"]) == {"not measured", "no goal"}


def test_requests_are_those_of_one_distillation(study):
    requests = list(study_requests(study, [3], [0, 1], scale="reduced", dataset="cub200"))
    assert all(isinstance(one, Request) and one.distill_ipc == 3 for one in requests)
