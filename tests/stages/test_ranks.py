"""Two processes, as torchrun starts them, make what one makes; one that is killed ends the other and loses nothing."""

import dataclasses
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import torch
import torch.distributed as dist
from hypothesis import given
from hypothesis import strategies as st
from safetensors.torch import load_file

from fd2lib.drive.cli import main
from fd2lib.ground import SettingError, file_digest, identity, ranks, setting_values
from fd2lib.record import read_manifest
from fd2lib.stages import (
    DistillInputs,
    EvaluateInputs,
    PretrainInputs,
    RelabelInputs,
    load_student,
    parallel,
    run_distill,
    run_evaluate,
    run_pretrain,
    run_relabel,
)

needs_gloo = pytest.mark.skipif(
    not (dist.is_available() and dist.is_gloo_available()), reason="this PyTorch has no gloo, which joins processes"
)
TORCHRUN = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]

# What both processes do; files say what came of it. Settings come as JSON, from the tests.
SCRIPT = """
import json, sys
from pathlib import Path
from fd2lib.data import load_dataset
from fd2lib.ground import Fd2Error, build_settings, rank, together, world
from fd2lib.record import RunFolder
from fd2lib.stages import *

root, asked = Path(sys.argv[1]), json.loads(sys.argv[2])
settings = {name: build_settings(name.split()[0], values) for name, values in asked["settings"].items()}
teacher = Path(asked["teacher"])

class PowerCut(Exception):
    pass

def cut_after_a_checkpoint(run):
    save = RunFolder.save_checkpoint
    def once(self, state):
        save(self, state)
        raise PowerCut
    RunFolder.save_checkpoint = once
    try:
        run()
    except PowerCut:
        RunFolder.save_checkpoint = save
        run()

def told(run):
    try:
        run()
    except Fd2Error as error:
        return f"{type(error).__name__}: {error}"

with together():
    assert world() == 2
    data = load_dataset("plumage", size=32, classes="4", train_per_class=6, test_per_class=4)
    pretrain = lambda name, folder: run_pretrain(settings[name], PretrainInputs(data), root / folder, progress=False)
    for name in ("pretrain", "pretrain for one", "pretrain resumed"):
        pretrain(name, name)
    cut_after_a_checkpoint(lambda: pretrain("pretrain resumed", "pretrain cut"))
    inputs = DistillInputs(data, [teacher])
    images = run_distill(settings["distill"], inputs, root / "images", progress=False).folder
    inputs = RelabelInputs(images, [teacher])
    labels = run_relabel(settings["relabel"], inputs, root / "labels", progress=False).folder
    cut_after_a_checkpoint(lambda: run_relabel(settings["relabel"], inputs, root / "labels cut", progress=False))
    lesson = EvaluateInputs(data, labels)
    student = lambda folder, name="evaluate": run_evaluate(settings[name], lesson, root / folder, progress=False)
    first = student("student")
    cut_after_a_checkpoint(lambda: student("student cut"))
    seen = {
        "accuracy": first.last_accuracy,
        "reused": student("student").reused,
        "another folder": told(lambda: pretrain("pretrain resumed", "pretrain")),
        "three": told(lambda: pretrain("pretrain for three", "three")),
        "compiled": told(lambda: student("compiled", "evaluate compiled")),
    }
    (root / f"seen-{rank()}.json").write_text(json.dumps(seen))
"""


def _environment() -> dict[str, str]:
    return os.environ | {"PYTHONPATH": str(Path(__file__).parents[2]), "OMP_NUM_THREADS": "1"}


def _tensors(folder: Path) -> dict[str, torch.Tensor]:
    return load_file(folder / "teacher.safetensors")


@pytest.fixture(scope="module")
def made(tmp_path_factory, data, recipe, teachers):
    """What two processes made, and what one makes of the same settings."""
    root = tmp_path_factory.mktemp("ranks")
    # One step over all images: further ones would amplify rounding. Plain steps: AdamW's first has its sign only.
    step = {"pretrain.epochs": 1, "pretrain.batch_size": 24, "pretrain.optimizer": "sgd", "pretrain.views": "random"}
    tiny = recipe("sre2lpp_fd2", ipc=3, **step, **{
        "distill.group_size": 2, "distill.chunk_classes": 3, "relabel.epochs": 3, "relabel.batch_size": 7,
        "evaluate.learning_rate": 1e-4,
    })  # fmt: skip
    one = {"pretrain": tiny.pretrain, "distill": tiny.distill, "relabel": tiny.relabel, "evaluate": tiny.evaluate}
    two = {name: dataclasses.replace(one[name], processes=2) for name in ("pretrain", "evaluate")}
    longer = recipe("sre2lpp_fd2", **{"pretrain.batch_size": 7}).pretrain  # batches of 7, 7, 7 and 3 images
    settings = {
        **one, **two, "pretrain for one": one["pretrain"], "pretrain resumed": dataclasses.replace(longer, processes=2),
        "pretrain for three": dataclasses.replace(one["pretrain"], processes=3),
        "evaluate compiled": dataclasses.replace(two["evaluate"], compiled="kernels"),
    }  # fmt: skip
    asked = {
        "settings": {name: setting_values(value) for name, value in settings.items()},
        "teacher": str(teachers["cal"]),
    }
    command = [*TORCHRUN, "--no-python", sys.executable, "-c", SCRIPT, str(root), json.dumps(asked)]
    done = subprocess.run(command, env=_environment(), capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    alone = root / "alone"
    run_pretrain(one["pretrain"], PretrainInputs(data), alone / "pretrain", progress=False)
    images = run_distill(
        one["distill"], DistillInputs(data, [teachers["cal"]]), alone / "images", progress=False
    ).folder
    labels = RelabelInputs(images, [teachers["cal"]])
    folder = run_relabel(one["relabel"], labels, alone / "labels", progress=False).folder
    run_evaluate(one["evaluate"], EvaluateInputs(data, folder), alone / "student", progress=False)
    seen = [json.loads((root / f"seen-{number}.json").read_text()) for number in (0, 1)]
    return SimpleNamespace(root=root, alone=alone, seen=seen)


@needs_gloo
@pytest.mark.parametrize(
    "name",
    ["images/images.safetensors", "images/history.csv", "labels/teacher_logits.npy", "labels cut/teacher_logits.npy"],
)
def test_shared_work_is_the_same_to_the_bit(made, name):
    assert file_digest(made.root / name) == file_digest(made.alone / name.replace(" cut", ""))


@needs_gloo
def test_every_chunk_of_images_is_made_once_and_as_alone(made):
    folders = [root / "images/chunks" for root in (made.root, made.alone)]
    chunks = [{path.name: file_digest(path) for path in folder.iterdir()} for folder in folders]
    assert len(chunks[0]) == 3 * 2
    assert chunks[0] == chunks[1]
    assert read_manifest(made.root / "images", "distill")["provenance"]["processes"] == 2


@needs_gloo
def test_a_teacher_of_two_processes_is_one_processs_up_to_rounding(made):
    two, one = _tensors(made.root / "pretrain"), _tensors(made.alone / "pretrain")
    for name, value in one.items():
        torch.testing.assert_close(
            two[name], value, rtol=1e-3, atol=2e-4, msg=lambda text, name=name: f"{name}: {text}"
        )
    torch.testing.assert_close(two["prototypes.prototypes"], one["prototypes.prototypes"], rtol=1e-5, atol=1e-7)
    histories = [pd.read_csv(root / "pretrain/history.csv") for root in (made.root, made.alone)]
    np.testing.assert_allclose(*histories, rtol=1e-5)


@needs_gloo
def test_a_student_of_two_processes_is_one_processs_up_to_rounding(made):
    logits = [np.load(root / "student/predictions.npz")["logits"] for root in (made.root, made.alone)]
    np.testing.assert_allclose(*logits, rtol=1e-4, atol=1e-5)
    states = [load_student(root / "student").state for root in (made.root, made.alone)]
    for name, value in states[1].items():  # running statistics among them, which saw one half after the other
        torch.testing.assert_close(states[0][name], value, rtol=1e-4, atol=1e-5)
    accuracy = read_manifest(made.root / "student", "evaluate")["result"]["last_accuracy"]
    assert [seen["accuracy"] for seen in made.seen] == [accuracy, accuracy]


@needs_gloo
def test_training_that_was_stopped_goes_on_to_the_same_bits(made):
    whole, cut = _tensors(made.root / "pretrain resumed"), _tensors(made.root / "pretrain cut")
    assert all(torch.equal(whole[name], cut[name]) for name in whole)
    logits = [np.load(made.root / name / "predictions.npz")["logits"] for name in ("student", "student cut")]
    assert np.array_equal(*logits)


@needs_gloo
def test_what_is_of_one_process_is_made_by_the_first_to_the_same_bits(made):
    two, one = _tensors(made.root / "pretrain for one"), _tensors(made.alone / "pretrain")
    assert all(torch.equal(two[name], one[name]) for name in one)


@needs_gloo
def test_every_process_finds_what_is_there_and_hears_of_errors_of_the_first(made):
    for seen in made.seen:
        assert seen["reused"] is True
        assert "was made differently" in seen["another folder"]
        assert "evaluate.compiled is 'kernels', but 2 processes" in seen["compiled"]
        assert "processes is 3, but 2 can work here" in seen["three"] and "--nproc-per-node 3" in seen["three"]


def test_more_processes_than_there_are_is_an_error(tmp_path, data, recipe):
    one, two = (recipe(**{"general.processes": number}) for number in (1, 2))
    assert (two.pretrain.processes, two.evaluate.processes) == (2, 2)
    assert one.pretrain == recipe().pretrain and one.evaluate == recipe().evaluate
    assert "processes" not in identity(one.pretrain) and identity(two.pretrain)["processes"] == 2
    with pytest.raises(SettingError, match="torchrun --nproc-per-node 2"):
        run_pretrain(two.pretrain, PretrainInputs(data), tmp_path, progress=False)


KILLED = [
    "run", "--scale", "toy", "--classes", "4", "--image-size", "32", "--methods", "sre2lpp", "--ipc", "3",
    "--seeds", "0", "--no-page", "--quiet", "--device", "cpu", "--overrides",
    "pretrain.epochs=1 distill.iterations=40 distill.chunk_classes=2 relabel.epochs=3 evaluate.test_every=3 "
    "general.processes=1",
]  # fmt: skip


@needs_gloo
@pytest.mark.skipif(sys.platform != "linux", reason="finds the processes of torchrun in /proc")
def test_a_killed_process_ends_the_other_and_the_run_goes_on_without_torchrun(tmp_path):
    command = [*KILLED, "--runs-dir", str(tmp_path / "runs"), "--out", str(tmp_path / "out")]
    with subprocess.Popen(
        [*TORCHRUN, "-m", "fd2lib", *command], env=_environment(), stderr=subprocess.PIPE, text=True
    ) as agent:
        until = time.monotonic() + 120
        while not list(tmp_path.glob("runs/distill/*/chunks/*.safetensors")):
            assert agent.poll() is None and time.monotonic() < until
            time.sleep(0.02)
        children = Path(f"/proc/{agent.pid}/task/{agent.pid}/children").read_text().split()
        workers = [int(pid) for pid in children if b"fd2lib" in Path(f"/proc/{pid}/cmdline").read_bytes()]
        os.kill(workers[1], signal.SIGKILL)
        killed = time.monotonic()
        said = agent.communicate(timeout=60)[1]
        assert time.monotonic() - killed < 25  # they end at once; leaving Python takes seconds on a busy machine
    assert agent.returncode != 0
    (line,) = [line for line in said.splitlines() if line.startswith("fd2lib: ")]
    assert "run the same command again" in line.lower()
    assert not list(tmp_path.glob("runs/distill/*/manifest.json"))
    assert len(list(tmp_path.glob("runs/distill/*/chunks/*.safetensors"))) < 6
    assert main(command) == 0
    whole = [*KILLED, "--runs-dir", str(tmp_path / "whole"), "--out", str(tmp_path / "out")]
    assert main(whole) == 0
    for pattern in ("distill/*/images.safetensors", "relabel/*/*.npy", "evaluate/*/student.safetensors"):
        (resumed,), (uninterrupted,) = (list((tmp_path / root).glob(pattern)) for root in ("runs", "whole"))
        assert file_digest(resumed) == file_digest(uninterrupted)


@given(size=st.integers(1, 5), units=st.lists(st.integers(0, 4), max_size=12))
def test_work_is_dealt_out_once_and_units_stay_together(size, units):
    jobs = list(enumerate(units))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ranks, "world", lambda: size)
        shares = []
        for number in range(size):
            patch.setattr(ranks, "rank", lambda number=number: number)
            shares.append(ranks.share(jobs, lambda job: job[1]))
    assert sorted(job for share in shares for job in share) == jobs
    assert all(share == sorted(share) for share in shares)
    for unit in set(units):
        assert sum(any(job[1] == unit for job in share) for share in shares) == 1


@given(size=st.integers(1, 5), count=st.integers(1, 12))
@pytest.mark.parametrize("split", [False, True])
def test_the_turns_of_all_processes_are_the_mean_over_a_batch(split, size, count):
    parts = [slice(0, count)] if not split else [slice(0, count), slice(count, 2 * count)]
    values = torch.rand(2 * count, generator=torch.Generator().manual_seed(count), dtype=torch.float64)
    expected = sum(values[part].mean() for part in parts) / len(parts)
    with pytest.MonkeyPatch.context() as patch:
        for name, value in {"world": size, "from_all": range(size), "_groups": [None] * 3}.items():
            patch.setattr(parallel, name, lambda *_, value=value: value)
        crew, mean = parallel.Crew(torch.device("cpu")), 0.0
        for number in range(size):
            patch.setattr(parallel, "rank", lambda number=number: number)
            mean += sum(values[turn.own].mean() * turn.weight for turn in crew.turns(parts)) / size
    torch.testing.assert_close(mean, expected)
