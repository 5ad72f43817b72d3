"""The paper's table and ours beside it: cell by cell, no number in the wrong cell."""

import json
from pathlib import Path

import pandas as pd
import pytest

from fd2lib import show
from fd2lib.analyse import beside_paper, interval, load_paper, load_rows, records
from fd2lib.ground import ArtefactError

PAPER = Path(__file__).parents[2] / "results" / "paper.csv"


@pytest.fixture
def published():
    return load_paper(PAPER)


@pytest.fixture
def cub(student):
    """A student of the paper's first data set, with the teachers that its method has."""

    def make(method="sre2lpp", seed=0, **other):
        kind = "cal" if method.endswith("fd2") else "plain"
        place = {"scale": "reduced", "dataset": "cub200", "image_set": "cub200", "classes": "Warbler", "image_size": 96}
        return student(method, seed, **place | {"teacher_kind": kind, "label_teacher_kind": kind} | other)

    return make


def measured(table: pd.DataFrame) -> pd.DataFrame:
    return table[table["n"] > 0].reset_index(drop=True)


def test_the_table_is_read_with_the_names_of_recipes(published, tmp_path):
    assert published["method"].unique().tolist() == ["rded", "sre2lpp", "sre2lpp_fd2", "fadrm", "fadrm_fd2"]
    first = records(published)[2]
    assert (first["dataset"], first["student"], first["ipc"], first["paper"]) == ("cub200", "resnet18", 1, 56.4)
    with pytest.raises(ArtefactError, match="no file"):
        load_paper(tmp_path / "paper.csv")
    (tmp_path / "paper.csv").write_text(PAPER.read_text("utf-8").replace("RDED", "RDDE"), "utf-8")
    with pytest.raises(ArtefactError, match="RDDE"):
        load_paper(tmp_path / "paper.csv")


def test_the_disputed_cells_are_rdeds_with_a_resnet18_on_two_sets_and_no_others(published):
    disputed = published["remark"] == "disputed"
    cells = published[disputed][["method", "student", "dataset", "ipc"]].values.tolist()
    assert cells == [["rded", "resnet18", name, ipc] for name in ("cub200", "aircraft") for ipc in (1, 3, 5)]
    assert set(published["remark"][~disputed]) == {""}


def test_without_rows_every_cell_is_there_and_not_measured(published):
    table = beside_paper(published, load_rows([]))
    assert len(table) == 90 and (table["n"] == 0).all() and table["mean"].isna().all()
    key = ["dataset", "student", "ipc", "method"]
    pd.testing.assert_frame_equal(
        table[[*key, "paper"]].sort_values(key, ignore_index=True),
        published[[*key, "paper"]].sort_values(key, ignore_index=True),
    )


def test_only_a_student_of_the_papers_scale_and_network_stands_beside_its_number(published, cub):
    same = {"scale": "paper", "student": "resnet18", "classes": "", "image_size": 224}
    rows = [cub(seed=seed, last_top1=50.0 + seed, **same) for seed in range(3)]
    rows += [cub(seed=seed, student="resnet18") for seed in range(3)]  # the network, but another scale
    rows += [cub(seed=seed, **same | {"student": "convnet4"}) for seed in range(3)]  # the scale, another network
    table = measured(beside_paper(published, load_rows(rows)))
    beside = table[table["paper"].notna()]
    (row,) = records(beside)
    assert (row["scale"], row["student"], row["ipc"], row["method"]) == ("paper", "resnet18", 1, "sre2lpp")
    assert row["paper"] == 53.4 and tuple(row[name] for name in ("mean", "low", "high", "n")) == interval([50, 51, 52])
    assert sorted(zip(table["scale"], table["student"], strict=True)) == [
        ("paper", "convnet4"), ("paper", "resnet18"), ("reduced", "resnet18")]  # fmt: skip


def test_only_the_methods_own_teachers_and_labels_count(published, cub):
    usual = [cub(seed=seed, last_top1=30.0) for seed in range(3)]
    others = [{"teacher_kind": "crops", "label_teacher_kind": "crops"}, {"label_teacher_kind": "cal"}]
    others += [{"labels": "hard"}, {"method": "random"}, {"dataset": "flowers102", "image_set": "flowers102"}]
    rows = [
        cub(**{"seed": s, "last_top1": 90.0, "arm": f"{k}"} | one) for s in range(3) for k, one in enumerate(others)
    ]
    rows += usual
    settings = json.loads(usual[0]["settings"]) | {"relabel": {"epochs": 99}}
    rows.append(cub(seed=5, last_top1=90.0, settings=json.dumps(settings)))
    table = measured(beside_paper(published, load_rows(rows)))
    assert table[["method", "mean", "n"]].values.tolist() == [["sre2lpp", 30.0, 3]]


def test_the_usual_settings_are_those_of_most_comparable_rows(published, cub):
    """A study's other arms may be more than the method's own rows, and do not make these unusual."""
    arms = [cub(seed=seed, teacher_kind="crops", label_teacher_kind="crops", last_top1=90.0) for seed in range(9)]
    for row in arms:
        row["settings"] = json.dumps(json.loads(str(row["settings"])) | {"relabel": {"epochs": 99}})
    rows = [cub(seed=seed, last_top1=30.0) for seed in range(3)]
    assert measured(beside_paper(published, load_rows([*arms, *rows])))["mean"].tolist() == [30.0]


def test_images_that_no_teacher_made_have_no_kind_of_teacher(published, cub):
    rows = [cub("rded", seed, teacher_kind="", start="pool2", last_top1=20.0) for seed in range(2)]
    assert measured(beside_paper(published, load_rows(rows)))["method"].tolist() == ["rded"]


def test_order_does_not_matter_and_starts_stay_apart(published, cub):
    rows = [cub(seed=s, start=start, last_top1=20.0 + s + 9 * (start == "pool2"))
            for s in range(3) for start in ("whole", "pool2")]  # fmt: skip
    table = beside_paper(published, load_rows(rows))
    pd.testing.assert_frame_equal(
        table.sort_values([*table], ignore_index=True),
        beside_paper(published, load_rows(rows[::-1])).sort_values([*table], ignore_index=True),
    )
    assert dict(zip(measured(table)["start"], measured(table)["mean"], strict=True)) == {"whole": 21.0, "pool2": 30.0}


def text(html) -> str:
    return str(html).replace("\N{NO-BREAK SPACE}", " ")


def test_the_table_for_people_has_both_and_says_what_is_not_measured(published, cub):
    rows = [cub("sre2lpp_fd2", seed, ipc=3, last_top1=30.0 + seed, student="efficientnet_lite0") for seed in range(3)]
    shown = text(show.paper_table(beside_paper(published, load_rows(rows))))
    assert shown.count("<table") == 3 and shown.count("<details>") == 2  # data sets without ours are folded
    assert shown.count("31.0 [28.5, 33.5], n 3") == 1 and ">64.9<" in shown
    # Two columns of the paper's networks on each set, and ours at another scale for CUB, less the one that is measured.
    assert shown.count(">not measured<") == 3 * 15 * 2 + 15 - 1
    assert (
        "ours of another scale or network: reduced scale, cub200, classes Warbler, 96 px, efficientnet_lite0" in shown
    )
    assert shown.count("†<") == 6 and shown.count("DeCO") == 1 and ">38.3 †<" in shown


def test_the_table_for_people_tells_our_settings_apart(published, cub):
    rows = [cub(seed=seed, start=start) for seed in range(2) for start in ("whole", "pool2")]
    rows += [cub(seed=seed, images_fingerprint="a" * 64) for seed in range(2)]
    shown = text(show.paper_table(beside_paper(published, load_rows(rows))))
    heads = ["ours, reduced scale, start 2×2 mosaic<"]
    heads += [f"ours, reduced scale, start whole image, images {letter * 8}<" for letter in "af"]
    assert [shown.count(head) for head in heads] == [1, 1, 1]


def test_a_student_of_the_papers_scale_stands_in_the_column_of_its_network(published, cub):
    rows = [cub(seed=s, scale="paper", student="resnet50", ipc=5, last_top1=60.0 + s) for s in range(3)]
    shown = text(show.paper_table(beside_paper(published, load_rows(rows))))
    line = next(line for line in shown.split("<tr>") if ">68.1<" in line)
    assert line.index("68.1") < line.index("61.0 [58.5, 63.5], n 3") and line.count("not measured") == 1
    assert "another scale" not in shown
