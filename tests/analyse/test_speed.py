"""Times beside their goals, and what the paper's scale takes by counting."""

import dataclasses
import itertools
from pathlib import Path

import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from fd2lib.analyse import PEAKS, growth, load_speed, paper_estimates, passes_per_image, speed_spans
from fd2lib.analyse.estimates import USED, forward_operations, stage_bytes, stage_operations
from fd2lib.data import list_datasets
from fd2lib.ground import ArtefactError, load_recipe
from fd2lib.measure import bench_cases
from fd2lib.models import AttentionHead, Teacher, create_backbone
from fd2lib.record import BENCH, PROFILE, put_rows

PAPER = Path(__file__).parents[2] / "results" / "paper.csv"


@pytest.fixture
def results(tmp_path):
    """A folder with a row of each case, twice as long as its bare passes where nothing else is said."""

    def make(ratios=(), device="cpu"):
        rows = []
        for case in bench_cases().values():
            ratio = dict(ratios).get(case.name, 2.0)
            times = {"full_ms": 10 * ratio, "bare_ms": 10, "ratio": ratio, "ratio_low": ratio, "ratio_high": ratio}
            known = {name: value for name, value in vars(case).items() if name in BENCH.columns}
            row = dict.fromkeys(BENCH.columns, "1") | known | times | {"case": case.name, "device": device}
            rows.append(row | {"clock": "processor"})
        put_rows(rows, tmp_path / "bench.csv", BENCH)
        profile = dict.fromkeys(PROFILE.columns, "1") | {"case": "relabel-resnet18", "full_ms": 3, "bare_ms": 1}
        put_rows([profile], tmp_path / "profile.csv", PROFILE)
        return tmp_path

    return make


def test_rows_stand_beside_the_goals_of_their_cases(results):
    speed, profile = load_speed(results())
    assert len(speed) == len(bench_cases())
    row = speed.set_index("case").loc["relabel-resnet18"]
    assert row["goal"] == 1.05 and row["set"] == "table" and row["release"] != row["release"]
    assert profile["more_ms"].tolist() == [2]


def test_a_case_that_is_gone_is_left_out_and_a_missing_file_has_no_rows(results, tmp_path):
    folder = results()
    text = (folder / "bench.csv").read_text().replace("\nrelabel-resnet18,", "\nrelabel-of-old,")
    (folder / "bench.csv").write_text(text)
    assert len(load_speed(folder)[0]) == len(bench_cases()) - 1
    speed, profile = load_speed(tmp_path / "nowhere")
    assert speed.empty and profile.empty and growth(speed).empty


def test_growth_is_of_one_machine_in_the_order_of_the_sizes(results):
    results([("growth-maps-64", 3.0)], device="cpu (one)")
    table = growth(load_speed(results([("growth-maps-64", 4.0)], device="cpu (other)"))[0])
    maps = table[table["what"] == "maps"]
    assert maps["value"].tolist() == [8, 16, 32, 64] and maps["ratio"].tolist() == [2, 2, 2, 3]
    assert set(table["what"]) == {"batch", "classes", "maps", "earlier"}


def test_spans_are_the_least_and_the_most(results):
    ratios = [("pretrain-resnet18-batch4", 1.2), ("pretrain-lite0-batch16", 1.1), ("feeding-resnet18", 0.01)]
    estimates = paper_estimates(PAPER)
    found = speed_spans(load_speed(results(ratios))[0], estimates)
    assert tuple(found.loc["pretrain"]) == (1.1, 2.0) and tuple(found.loc["steps"]) == (1.1, 2.0)
    assert tuple(found.loc["feeding"]) == (0.01, 0.01)
    assert found.loc["H100", "low"] == estimates.loc[estimates["dataset"] == "cub200", "H100"].min()


def test_operations_are_those_of_a_real_pass():
    """Counted on tensors without content they equal those of one image that passes through a teacher."""
    body = create_backbone("resnet18", 12, image_size=64, stem="standard")
    head = AttentionHead(body.num_features, 12, 4)
    teacher = Teacher(
        body, head, None, attention_ratio=0.5, mean=[0.5] * 3, std=[0.5] * 3, classes=list("abcdefghijkl")
    )
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        teacher.eval()(torch.zeros(1, 3, 64, 64))
    assert forward_operations("resnet18", 64, 12, maps=4) == pytest.approx(counter.get_total_flops(), rel=0.02)
    assert forward_operations("resnet18", 224, 1000) == pytest.approx(2 * 1.82e9, rel=0.01)  # as published


@pytest.mark.parametrize("frozen", [True, False])
def test_backward_passes_cost_what_is_said(frozen):
    """Twice a forward pass to the images, three times to the weights, whose first layer passes nothing on."""
    network = create_backbone("resnet18", 10, image_size=64, stem="standard").requires_grad_(not frozen)
    images = torch.zeros(2, 3, 64, 64, requires_grad=frozen)
    with FlopCounterMode(display=False) as counter:
        network(images).logits.sum().backward()
    times = counter.get_total_flops() / 2 / forward_operations("resnet18", 64, 10)
    assert times == pytest.approx(2 if frozen else 3, rel=0.05)


def test_every_row_of_the_papers_table_is_estimated():
    table = paper_estimates(PAPER)
    assert len(table) == 90 and (table.drop(columns=["dataset", "student", "method"]) > 0).all(axis=None)
    hours = table["pflop"] * 1e15 / (USED * PEAKS["H100"]) / 60
    assert hours.tolist() == pytest.approx(table["H100"].tolist())


def test_operations_of_a_row_by_hand():
    recipe = load_recipe("paper", dataset="cub200", backbone="resnet18", ipc=3, method="sre2lpp")
    cub, once = list_datasets()["cub200"], forward_operations("resnet18", 224, 200)
    work, kept = stage_operations(recipe), stage_bytes(recipe)
    assert work["pretrain"] == 100 * cub.train_images * 3 * once
    assert work["distill"] == 10000 * 600 * 2 * once + 5 * cub.train_images * once
    assert work["relabel"] == 400 * 600 * once
    assert work["evaluate"] == 400 * 600 * 3 * once + 40 * cub.test_images * once
    assert kept["distill"] == 600 * 3 * 224**2 and kept["relabel"] == 400 * 600 * 200 * 2


def test_teachers_in_turn_share_the_iterations_and_phases_have_their_sizes():
    recipe = load_recipe("paper", dataset="cub200", backbone="resnet18", ipc=1, method="fadrm")
    passes = itertools.product([(3000, 200), (3500, 224)], recipe.teacher_settings)
    by_hand = sum(200 * 2 * number / 4 * forward_operations(one.backbone, size, 200) for (number, size), one in passes)
    scored = 5 * 5994 * forward_operations("resnet18", 224, 200)
    assert stage_operations(recipe)["distill"] == pytest.approx(by_hand + scored)


def test_views_are_passes():
    settings = load_recipe("paper", dataset="cub200", method="sre2lpp_fd2", ipc=1).pretrain
    for views, passes in {"paper": 1, "release": 3, "random": 3}.items():
        assert passes_per_image(dataclasses.replace(settings, views=views)) == passes
    assert passes_per_image(dataclasses.replace(settings, views="release", attention=False)) == 1


def test_a_set_of_unknown_size_is_refused():
    recipe = dataclasses.replace(load_recipe("paper", dataset="cub200", method="sre2lpp", ipc=1), dataset="folder")
    with pytest.raises(ArtefactError, match="'folder'"):
        stage_operations(recipe)
