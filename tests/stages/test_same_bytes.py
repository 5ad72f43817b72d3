"""A recipe fixes every byte of a run: not the process, its threads, hash seed, working folder or locale."""

import dataclasses
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from fd2lib.record import read_manifest
from fd2lib.stages import DistillInputs, run_distill
from fd2lib.stages.computing import deterministic

SCRIPT = """
import sys
from dataclasses import replace
from pathlib import Path
from fd2lib.data import load_dataset
from fd2lib.ground import load_recipe
from fd2lib.record import file_digest
from fd2lib.stages import *

import torch

root, threads = Path(sys.argv[1]), int(sys.argv[2])
data = load_dataset("plumage", size=32, classes="4", train_per_class=8, test_per_class=4)
tiny = {
    "pretrain.epochs": 1, "pretrain.batch_size": 16, "distill.iterations": 2, "distill.start": "pool1",
    "relabel.epochs": 2, "relabel.batch_size": 8, "evaluate.test_every": 1,
}
tiny["general.threads"] = threads
recipe = load_recipe("toy", dataset="plumage", method="sre2lpp_fd2", ipc=2, overrides=tiny)
teacher = run_pretrain(recipe.pretrain, PretrainInputs(data), root / "teacher", progress=False).folder
images = run_distill(recipe.distill, DistillInputs(data, [teacher]), root / "images", progress=False).folder
formats = {"": {}, "8": {"bits": 8}, "kept": {"bits": 8, "kept_epochs": 1}, "fixed": {"regime": "fixed"}}
for name, changes in formats.items():
    settings, inputs = replace(recipe.relabel, **changes), RelabelInputs(images, [teacher])
    labels = run_relabel(settings, inputs, root / f"labels{name}", progress=False).folder
    run_evaluate(recipe.evaluate, EvaluateInputs(data, labels), root / f"student{name}", progress=False)
for path in sorted(root.rglob("*")):
    # chunks and logs aside; manifests name the time and the folder
    if path.is_file() and path.name not in ("manifest.json", ".lock"):
        print(path.relative_to(root), file_digest(path))
print("started with", torch.get_num_threads(), file=sys.stderr)
"""

PROCESSES = (
    {"OMP_NUM_THREADS": "1", "PYTHONHASHSEED": "0", "LC_ALL": "C"},
    {"OMP_NUM_THREADS": "2", "PYTHONHASHSEED": "1", "LC_ALL": "C.UTF-8"},
    {},
)


def _start(folder: Path, environment: dict[str, str], threads: int) -> subprocess.Popen:
    """A process that runs the toy pipeline, in a working folder of its own."""
    (folder / "elsewhere").mkdir(parents=True)
    kept = {name: value for name, value in os.environ.items() if name not in PROCESSES[0]}
    root = str(Path(__file__).parents[2])
    command = [sys.executable, "-c", SCRIPT, str(folder / "runs"), str(threads)]
    return subprocess.Popen(
        command,
        cwd=folder / "elsewhere",
        env=kept | environment | {"PYTHONPATH": root},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        encoding="utf-8",
    )


def test_every_byte_is_the_same_in_other_processes(tmp_path):
    started = [_start(tmp_path / str(i), environment, threads=1) for i, environment in enumerate(PROCESSES)]
    printed = [process.communicate(timeout=300) for process in started]
    assert [process.returncode for process in started] == [0, 0, 0], printed
    first, *others = [out for out, _ in printed]
    names = {line.split()[0] for line in first.splitlines()}
    assert names > {
        "teacher/teacher.safetensors", "teacher/history.csv", "images/images.safetensors", "images/history.csv",
        "labels/teacher_logits.npy", "labels8/teacher_codes.npy", "labels8/teacher_scales.npy",
        "studentfixed/student.safetensors", "student/student.safetensors", "student/history.csv",
        "student/predictions.npz",
    }  # fmt: skip
    for environment, other in zip(PROCESSES[1:], others, strict=True):
        differing = set(first.splitlines()) ^ set(other.splitlines())
        assert not differing, f"{environment}: {sorted(differing)}"


@pytest.mark.parametrize("threads", [1, 2])
def test_a_stage_has_the_threads_of_its_settings_and_gives_them_back(threads):
    before = torch.get_num_threads()
    with pytest.raises(KeyError), deterministic(threads):
        assert torch.get_num_threads() == threads
        assert torch.are_deterministic_algorithms_enabled()
        raise KeyError
    assert torch.get_num_threads() == before
    assert not torch.are_deterministic_algorithms_enabled()


def test_the_manifest_names_the_threads_of_the_stage(tmp_path, data, recipe):
    settings = dataclasses.replace(recipe("random").distill, threads=2)
    folder = run_distill(settings, DistillInputs(data, []), tmp_path / "run", progress=False).folder
    assert read_manifest(folder, "distill")["provenance"]["threads"] == 2
