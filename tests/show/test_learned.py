"""Tables and figures of what was measured: numbers worked out by hand, scales apart, nothing where nothing is."""

import itertools

import pandas as pd
import pytest
import torch

from fd2lib import show
from fd2lib.data import load_dataset
from fd2lib.ground import load_recipe
from fd2lib.measure import attention_maps
from fd2lib.models import create_teacher

SETTING = {"dataset": "plumage", "classes": "", "image_size": 48, "backbone": "convnet4"}


def attention(scale="toy", seeds=3, gap=2.0):
    rows = []
    for seed, teacher in itertools.product(range(seeds), ("plain", "cal")):
        for kind in ("class_activation", "occlusion") + (("head_occlusion",) if teacher == "cal" else ()):
            mass = 10.0 + seed + (gap if teacher == "cal" else 0) + 5 * (kind == "head_occlusion")
            rows.append({
                **SETTING, "scale": scale, "seed": seed, "teacher": teacher, "map": kind, "map_size": "6×6",
                "mass": mass, "chance": 3.0, "centre": 6.0, "average_map": 8.0 + seed, "cell_spread": 53.0,
                "cell_offset": 9.0, "masks": "exact masks",
            })  # fmt: skip
    return rows


def geometry(seeds=3):
    rows = []
    for seed, method, stage in itertools.product(
        range(seeds), ("random", "sre2lpp", "sre2lpp_fd2"), ("distilled", "start")
    ):
        if method == "random" and stage == "start":
            continue
        step = {"random": 0.0, "sre2lpp": 0.1, "sre2lpp_fd2": 0.3}[method] if stage == "distilled" else 0.0
        own = {"within": 0.5 + step + 0.01 * seed, "between": 1.0, "ratio": 1.1 + step, "similarity": 0.2}
        real = {"real_within": 0.5, "real_ratio": 1.1, "real_similarity": 0.1, "real_attention_similarity": 0.3}
        rows.append({
            **SETTING, "scale": "toy", "seed": seed, "method": method, "start": "whole", "ipc": 3, "images": stage,
            "space": "judge", "judge": "convnet4, seed 1", **own, **real, "attention_similarity": "",
            "nearest": 0.1 + step, "real_nearest": 0.2, "copies": 50.0,
        })  # fmt: skip
    return rows


def test_quantities_are_relative_to_real_images():
    table = show.load_measured(geometry(1))
    first = table.iloc[0]
    assert (first["diversity"], first["distinctness"], first["newness"]) == (1.0, 1.1, 0.5)
    assert table["attention_similarity"].isna().all()


def test_a_file_and_its_rows_give_the_same(tmp_path):
    path = tmp_path / "geometry.csv"
    pd.DataFrame(geometry()).to_csv(path, index=False)
    assert show.geometry_table(show.load_measured(path)) == show.geometry_table(show.load_measured(geometry()))
    for table in (show.mass_table, show.mass_figure, show.geometry_table):
        assert "no such row" in table(show.load_measured(tmp_path / "missing.csv"))


def test_mass_is_stated_with_interval_chance_and_average_map():
    table = show.mass_table(show.load_measured(attention())).replace("\N{NO-BREAK SPACE}", " ")
    assert "11.0 [8.5, 13.5]" in table  # 10, 11, 12: t = 4.30, standard error 0.577
    assert "+8.0 [+5.5, +10.5]" in table and "+2.0 [+2.0, +2.0]" in table
    assert "Chance 3.0 %, centre prior 6.0 %" in table and "exact masks" in table


def test_differences_are_paired_by_seed():
    gaps = show.mass_differences(show.load_measured(attention(gap=2.0))).set_index("what")
    assert gaps["mean"].tolist() == [2.0, 2.0, 7.0] and (gaps["n"] == 3).all()  # the head's answer against the plain's
    assert (gaps["verdict"] == "above zero").all()
    changes = show.geometry_differences(show.load_measured(geometry()), "sre2lpp_fd2", "sre2lpp").set_index("what")
    assert changes.loc["distinctness", "mean"] == pytest.approx(0.2)
    assert changes.loc["diversity (real = 1)", "mean"] == pytest.approx(0.4)
    assert "similarity of attention" not in changes.index  # nobody measured it
    text = show.differences_table(changes.reset_index(), digits=3)
    assert "+0.400" in text and "n (paired seeds)" in text


def test_scales_are_never_mixed():
    rows = show.load_measured(attention() + attention("reduced", gap=-2.0))
    gaps = show.mass_differences(rows)
    assert gaps.groupby("set")["mean"].first().tolist() == [-2.0, 2.0]
    sentences = show.difference_sentences(gaps, "CAL minus plain")
    assert "toy" in sentences[0] and "More: class activation map" in sentences[0]
    assert "reduced" in sentences[1] and "less: class activation map" in sentences[1] and "More:" in sentences[1]
    assert len(show.mass_figure(rows).axes) == 2
    assert len(show.field_sentences(rows)) == 2 and "53 %" in show.field_sentences(rows)[0]


def test_two_seeds_decide_nothing():
    gaps = show.mass_differences(show.load_measured(attention(seeds=2)))
    assert "no verdict" in show.difference_sentences(gaps, "CAL minus plain")[0]
    none = show.mass_differences(show.load_measured([row for row in attention() if row["teacher"] == "cal"]))
    assert none.empty and "nothing was measured" in show.difference_sentences(none, "CAL minus plain")[0]
    assert "No seed" in show.differences_table(none)


def test_figures_draw_what_they_are_given():
    data = load_dataset("plumage", size=16, classes="4", train_per_class=3, test_per_class=1)
    images, labels = data.train.images, data.train.labels
    features = images.flatten(1).double() / 255
    figure = show.plane_figure(features, labels, {"real": (features[:4], labels[:4])}, data.classes)
    drawn, legend = figure.axes[0], figure.axes[1].get_legend()
    assert len(drawn.lines) == 8 and sum(len(line.get_xdata()) for line in drawn.lines) == 16
    assert len(legend.get_texts()) == 4
    masks = torch.zeros(2, 16, 16, dtype=torch.bool)
    grid = show.maps_figure(images[:2], masks, {"a": torch.rand(2, 3, 3), "b": torch.rand(2, 3, 3)})
    assert [text.get_text() for text in grid.axes[0].get_yticklabels()] == ["image", "parts", "a", "b"]
    copies = show.copies_figure(images[:4], images[4:8], labels[:4], data, features[:4], features, limit=2)
    names = [text.get_text() for text in copies.axes[0].get_yticklabels()]
    assert len(names) == 2 and all(name.endswith("· 0.0 · 0.0") for name in names)  # each finds itself


def test_maps_of_both_teachers_have_titles():
    names = ("a", "b")
    plain, cal = (
        create_teacher(load_recipe("toy", dataset="plumage", method=method).pretrain, names, 32, (0.5,) * 3, (0.2,) * 3)
        for method in ("sre2lpp", "sre2lpp_fd2")
    )
    images = torch.randint(0, 256, (2, 3, 32, 32), generator=torch.Generator().manual_seed(3), dtype=torch.uint8)
    maps = show.maps_of_both(plain, cal, images, torch.tensor([0, 1]))
    assert [title.split(":")[0] for title in maps] == ["plain", "CAL", "CAL", "plain", "CAL"]
    assert torch.equal(
        maps["CAL: attention of the head"], attention_maps(cal, images, torch.tensor([0, 1]))["head_attention"]
    )
