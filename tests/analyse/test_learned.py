"""What was measured about teachers and sets: numbers worked out by hand, scales and images apart."""

import itertools

import pandas as pd
import pytest

from fd2lib import analyse
from fd2lib.record import ATTENTION, GEOMETRY, put_rows


def test_quantities_are_relative_to_real_images(geometry_rows):
    first = analyse.load_geometry(geometry_rows(1)).iloc[0]
    assert (first["diversity"], first["distinctness"], first["newness"]) == (1.0, 1.1, 0.5)
    assert first["attention_similarity"] != first["attention_similarity"]


def test_a_file_and_its_rows_give_the_same(tmp_path, geometry_rows, attention_rows):
    for rows, table, load in (
        (geometry_rows(), GEOMETRY, analyse.load_geometry),
        (attention_rows(), ATTENTION, analyse.load_attention),
    ):
        put_rows(rows, tmp_path / f"{table.name}.csv", table)
        pd.testing.assert_frame_equal(load(tmp_path / f"{table.name}.csv"), load(rows))
        assert load(tmp_path / "missing.csv", missing_ok=True).empty
    assert analyse.mass_summary(analyse.load_attention(tmp_path / "missing.csv", missing_ok=True)).empty
    assert analyse.geometry_summary(analyse.load_geometry(tmp_path / "missing.csv", missing_ok=True)).empty


def test_mass_is_read_against_chance_and_the_average_map(attention_rows):
    summary = analyse.mass_summary(analyse.load_attention(attention_rows()))
    plain = summary[(summary["teacher_kind"] == "plain") & (summary["map"] == "occlusion")].iloc[0]
    assert (plain["mean"], plain["n"]) == (11.0, 3)
    assert plain["low"] == pytest.approx(8.5, abs=0.02)  # 10, 11, 12: t = 4.30, standard error 0.577
    assert plain["above"].mean == 8.0 and plain["own"] == pytest.approx((2.0, 2.0, 2.0, 3))
    assert (plain["chance"], plain["centre"], plain["cell_spread"]) == (3.0, 6.0, 53.0)


def test_differences_are_paired_by_seed(attention_rows, geometry_rows):
    gaps = analyse.mass_differences(analyse.load_attention(attention_rows(gap=2.0))).set_index("what")
    assert gaps["mean"].to_dict() == {"class_activation": 2.0, "occlusion": 2.0, "head_occlusion": 7.0}
    assert (gaps["n"] == 3).all() and (gaps["verdict"] == "above zero").all()
    changes = analyse.geometry_differences(analyse.load_geometry(geometry_rows()), "sre2lpp_fd2", "sre2lpp")
    changes = changes.set_index("what")
    assert changes.loc["distinctness", "mean"] == pytest.approx(0.2)
    assert changes.loc["diversity", "mean"] == pytest.approx(0.4)
    assert "attention_similarity" not in changes.index  # nobody measured it
    assert set(changes["space"]) == {"judge"} and set(changes["start"]) == {"whole"}


def test_sets_of_one_space_stand_below_all_training_images(geometry_rows):
    summary = analyse.geometry_summary(analyse.load_geometry(geometry_rows()))
    assert summary["images"].tolist() == ["real", "distilled", "distilled", "distilled"]  # whole starts: the control
    real, control = summary.iloc[0], summary.iloc[1]
    assert (real["distinctness"], real["similarity"], real["diversity"]) == (pytest.approx(1.1), pytest.approx(0.1), 1)
    assert control["method"] == "random" and control["diversity"].mean == pytest.approx(1.02)
    assert (control["copies"], control["n"]) == (50.0, 3)


@pytest.mark.parametrize("other", [{"scale": "reduced"}, {"image_set": "mine"}, {"images_fingerprint": "others"}])
def test_scales_and_images_are_never_mixed(attention_rows, geometry_rows, other):
    rows = analyse.load_attention(attention_rows() + attention_rows(gap=-2.0, **other))
    gaps = analyse.mass_differences(rows)
    assert gaps["mean"].tolist() == [2.0, 2.0, 7.0, -2.0, -2.0, 3.0]
    assert len(analyse.mass_summary(rows)) == 10
    sets = analyse.load_geometry(geometry_rows() + geometry_rows(**other))
    assert (analyse.geometry_summary(sets)["images"] == "real").sum() == 2
    assert set(analyse.geometry_differences(sets, "sre2lpp_fd2", "sre2lpp")["n"]) == {3}


def test_two_seeds_decide_nothing(attention_rows):
    gaps = analyse.mass_differences(analyse.load_attention(attention_rows(seeds=2)))
    assert set(gaps["verdict"]) == {"too few seeds"}
    one_sided = [row for row in attention_rows() if row["teacher_kind"] == "cal"]
    assert analyse.mass_differences(analyse.load_attention(one_sided)).empty


def test_the_fixtures_are_full_rows(attention_rows, geometry_rows):
    for rows, table in ((attention_rows(), ATTENTION), (geometry_rows(), GEOMETRY)):
        assert all(row.keys() == table.columns.keys() for row in rows)
        assert all(a != b for a, b in itertools.combinations(rows, 2))
