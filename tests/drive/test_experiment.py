"""The whole pipeline on the embedded birds, and the row it leaves."""

import json
import shutil

import pytest
import torch

from fd2lib.drive import Experiment, GridRequest, experiments_of, grid_requests, run_grid
from fd2lib.ground import SettingError, file_digest, memory
from fd2lib.models import create_backbone
from fd2lib.record import STUDENTS, read_rows

TINY = (
    "pretrain.epochs=1 pretrain.num_maps=2 distill.iterations=2 "
    "relabel.epochs=2 relabel.batch_size=8 evaluate.test_every=1"
)


@pytest.fixture(scope="module")
def tiny_grid(tmp_path_factory):
    root = tmp_path_factory.mktemp("grid")
    request = dict(
        scale="toy",
        classes="4",
        image_size=32,
        overrides=TINY,
        device="cpu",
        runs_dir=str(root / "runs"),
        methods="random,random_cal,sre2lpp_fd2",
        starts="whole,noise",
        ipc="1,2",
        seeds="0",
    )
    return root, lambda: experiments_of(grid_requests(GridRequest(**request)), progress=False)


def test_a_grid_leaves_one_complete_row_per_student_and_can_be_repeated(tiny_grid):
    root, make = tiny_grid
    first = run_grid(make(), root / "runs.csv", progress=False)
    rows = read_rows(root / "runs.csv")
    assert len(rows) == len(first) == 2 * (1 + 1 + 2)  # IPC × (random, random with CAL labels, FD² from two starts)
    assert {(row["method"], row["start"]) for row in rows} == {
        ("random", "whole"), ("random_cal", "whole"), ("sre2lpp_fd2", "whole"), ("sre2lpp_fd2", "noise"),
    }  # fmt: skip
    assert all(list(row) == list(STUDENTS.columns) for row in rows)
    assert all(json.loads(row["settings"])["distill"]["iterations"] >= 0 for row in rows)
    written = (root / "runs.csv").read_text()
    run_grid(make(), root / "runs.csv", progress=False)
    assert sorted((root / "runs.csv").read_text().splitlines()) == sorted(written.splitlines())


def test_random_real_images_are_the_same_whoever_labels_them(tiny_grid):
    _, make = tiny_grid
    random, random_cal = (next(one for one in make() if one.recipe.method == name) for name in ("random", "random_cal"))
    assert torch.equal(random.distilled().images, random_cal.distilled().images)
    assert random.relabel().folder != random_cal.relabel().folder


def test_all_ipc_of_a_method_share_one_distillation(tiny_grid):
    _, make = tiny_grid
    folders = {
        one.distill().folder
        for one in make()
        if (one.recipe.method, one.recipe.distill.start) == ("sre2lpp_fd2", "noise")
    }
    assert len(folders) == 1


def test_the_same_images_are_not_loaded_twice(tiny_grid):
    experiments = tiny_grid[1]()
    first = experiments[0].dataset
    assert experiments[0].with_(method="sre2lpp").dataset is first
    assert experiments[0].with_(classes="3").dataset is not first


def test_images_that_do_not_fit_into_memory_are_refused_before_a_teacher_is_trained(tmp_path, monkeypatch):
    monkeypatch.setattr(memory, "total_memory", lambda device=None: 2**20)
    experiment = Experiment(ipc=50, runs_dir=str(tmp_path / "runs"), progress=False)
    with pytest.raises(SettingError, match=r"distilling 50 images for each of 8 classes .* ask for a lower ipc"):
        experiment.distill()
    assert not (tmp_path / "runs").exists()


def test_other_weights_under_one_path_are_another_run(tmp_path):
    """… and the same weights under another path are the same run: a row knows which weights it is of."""
    network = create_backbone("convnet4", 2, image_size=32, seed=1)
    first, moved = tmp_path / "weights.pth", tmp_path / "moved.pth"
    torch.save(network.network.state_dict(), first)
    shutil.copy(first, moved)

    def row(path):
        overrides = f"{TINY} pretrain.init={path} evaluate.student_init={path}"
        one = Experiment(
            classes="2",
            image_size=32,
            overrides=overrides,
            device="cpu",
            runs_dir=str(tmp_path / "runs"),
            progress=False,
        )
        return one.record(tmp_path / "runs.csv")

    before = row(first)
    assert before["teacher_init"] == before["student_init"] == f"sha256:{file_digest(first)}"
    assert row(moved)["fingerprint"] == before["fingerprint"]
    torch.save({name: 0.5 * value for name, value in network.network.state_dict().items()}, first)
    after = row(first)
    assert after["fingerprint"] != before["fingerprint"] and after["teacher_init"] != before["teacher_init"]
    assert len(read_rows(tmp_path / "runs.csv")) == 2
