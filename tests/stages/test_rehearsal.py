"""Every stage rehearsed on a second device: nothing mixes, no loop waits for the device, and results are the CPU's.

Each case runs three times on the device: as it is, with more steps, and with more epochs or chunks; what a step costs
is what the longer run does more. The counts stand in ``results/rehearsal.csv``; after a change that is meant to alter
them: ``FD2LIB_RECORD=1 pytest -p no:xdist tests/stages/test_rehearsal.py``. They count what would make the host wait
for a GPU; for how long, only a GPU tells.
"""

import csv
import os
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from rehearsal_device import DEVICE, Rehearsal
from safetensors.numpy import load_file
from stage_cases import DISTILL, PRETRAIN, RELABEL

from fd2lib.stages import (
    DistillInputs,
    EvaluateInputs,
    PretrainInputs,
    RelabelInputs,
    evaluate,
    labels,
    optimise,
    pretrain,
    run_distill,
    run_evaluate,
    run_pretrain,
    run_relabel,
)
from fd2lib.stages.computing import sent_ahead
from fd2lib.stages.lesson import Lesson
from fd2lib.stages.teacher_views import Draws
from fd2lib.views import per_channel

FILE = Path(__file__).parents[2] / "results" / "rehearsal.csv"
TEACHERS = PRETRAIN | {"random views, no head": ("sre2lpp", {"pretrain.views": "random"})}
KEPT = {
    "kept pixels": ("sre2lpp_fd2", "cal", {"distill.optimised": "unattended"}),
    "kept pixels, no head": ("sre2lpp", "plain", {"distill.optimised": "shifted"}),
}
IMAGES = DISTILL | KEPT
FORMATS = {"8 bits": {"relabel.bits": 8}, "fixed": {"relabel.regime": "fixed"}}
LABELS = RELABEL | FORMATS | {"on the fly": {"relabel.store": False}, "true classes": {"evaluate.labels": "hard"}}
# The device has no autocast, and one epoch or two iterations are enough to tell what a step costs.
BASE = {f"{stage}.precision": "fp32" for stage in ("pretrain", "distill", "relabel")}
BASE |= {"pretrain.epochs": 1, "distill.iterations": 2, "relabel.epochs": 1}
STEPS = {"pretrain.batch_size": 4, "distill.iterations": 4, "relabel.batch_size": 2}
UNITS = {"pretrain.epochs": 2, "distill.chunk_classes": 1, "relabel.epochs": 2}
CASES = [
    *(("pretrain", case) for case in TEACHERS),
    *(("distill", case) for case in IMAGES),
    *(("relabel", case) for case in RELABEL | FORMATS),
    *(("evaluate", case) for case in LABELS),
]


pytestmark = pytest.mark.usefixtures("every_checkpoint")


@dataclass(frozen=True)
class Seen:
    """One run on the device: its folder, its inner steps and its epochs or chunks, and what was recorded."""

    folder: Path
    steps: int
    units: int
    reads: Counter[str]
    copies: Counter[str]
    copied_bytes: int


Run = Callable[..., tuple[Path, int, int]]  # (device, folder, changes) to the run's folder, its steps and its units


def rehearse(run: Run, folder: Path, changes: dict[str, object]) -> Seen:
    """Run a stage on the device, which holds nothing yet."""
    per_channel.cache_clear()
    with Rehearsal() as seen:
        done, steps, units = run(DEVICE, folder, changes)
    return Seen(done, steps, units, seen.reads, seen.copies, seen.copied_bytes)


def count(stage: str, case: str, run: Run, root: Path) -> dict[str, object]:
    """Rehearse a case and return its row; fails where a step makes the host wait."""
    base, longer, wider = (
        rehearse(run, root / name, changes) for name, changes in (("base", {}), ("steps", STEPS), ("units", UNITS))
    )
    assert longer.steps > base.steps and longer.units == base.units and wider.units > base.units
    reads, copies = longer.reads - base.reads, longer.copies - base.copies
    steps, units = longer.steps - base.steps, wider.units - base.units
    assert not reads, f"{stage}, {case}: {steps} steps more read the device at {dict(reads)}"
    assert copies.total() <= steps, f"{stage}, {case}: {steps} steps more copy to the device at {dict(copies)}"
    checkpoints = {place: n / units for place, n in (wider.reads - base.reads).items() if "record/checkpoints" in place}
    return {
        "stage": stage,
        "case": case,
        "method": {"pretrain": TEACHERS, "distill": IMAGES}.get(stage, {}).get(case, ["sre2lpp_fd2"])[0],
        "unit": "chunk" if stage == "distill" else "epoch",
        "steps_per_unit": base.steps // base.units,
        "reads_per_step": reads.total() / steps,
        "copies_per_step": copies.total() / steps,
        "reads_per_unit": (wider.reads - base.reads).total() / units - sum(checkpoints.values()),
        "copies_per_unit": (wider.copies - base.copies).total() / units,
        "bytes_per_unit": (wider.copied_bytes - base.copied_bytes) / units,
        "checkpoint_reads_per_unit": sum(checkpoints.values()),
    }


def compare(row: dict[str, object]) -> None:
    """The row is the one in the file, or becomes it."""
    with open(FILE, encoding="utf-8", newline="") as stream:
        known = {(one["stage"], one["case"]): one for one in csv.DictReader(stream)}
    text = {name: f"{value:g}" if isinstance(value, float) else str(value) for name, value in row.items()}
    key = (text["stage"], text["case"])
    if os.environ.get("FD2LIB_RECORD"):
        with open(FILE, "w", encoding="utf-8", newline="") as stream:
            writer = csv.DictWriter(stream, text, lineterminator="\n")
            writer.writeheader()
            writer.writerows((known | {key: text}).values())
        known[key] = text
    assert known[key] == text


def assert_same(first: Path, second: Path) -> None:
    """Two runs' files say the same, up to what another alignment of memory does to sums."""
    names = {path.name for path in first.iterdir() if path.suffix in (".safetensors", ".npy", ".npz", ".csv")}
    assert names and names == {
        path.name for path in second.iterdir() if path.suffix in {Path(one).suffix for one in names}
    }
    for name in sorted(names):
        one, two = (_arrays(folder / name) for folder in (first, second))
        assert one.keys() == two.keys()
        for key, value in one.items():
            close = 8 if value.dtype == np.uint8 else 1e-4  # of 255: FADRM's rate amplifies rounding, at a pixel or two
            found, wanted = two[key].astype(float), value.astype(float)
            np.testing.assert_allclose(found, wanted, rtol=1e-4, atol=close, err_msg=name)
            assert value.dtype != np.uint8 or np.abs(found - wanted).mean() < 0.01


def _arrays(path: Path) -> dict[str, np.ndarray]:
    if path.suffix == ".safetensors":
        return load_file(path)
    if path.suffix == ".csv":
        return {"rows": pd.read_csv(path).to_numpy(float)}
    loaded = np.load(path)
    return dict(loaded) if path.suffix == ".npz" else {"values": loaded}


@pytest.fixture(scope="module")
def images(tmp_path_factory, data, recipe, teachers):
    """A distilled set of three images per class."""
    made = DistillInputs(data, [teachers["cal"]])
    return run_distill(recipe(ipc=3).distill, made, tmp_path_factory.mktemp("images"), progress=False).folder


@pytest.fixture
def stage_run(data, recipe, teachers, images):
    """Return a function that gives a stage's run of one case."""

    def pretraining(case):
        method, own = TEACHERS[case]

        def run(device, folder, changes):
            asked = recipe(method, **(own | BASE | changes)).pretrain
            folder = run_pretrain(asked, PretrainInputs(data), folder, device=device, progress=False).folder
            return folder, asked.epochs * -(-len(data.train) // asked.batch_size), asked.epochs

        return run

    def distilling(case):
        method, which, own = IMAGES[case]

        def run(device, folder, changes):
            asked = recipe(method, **{"ipc": 2, **own, **BASE, **changes}).distill
            inputs = DistillInputs(data, [teachers[one] for one in which.split()])
            folder = run_distill(asked, inputs, folder, device=device, progress=False).folder
            chunks = asked.ipc * -(-4 // asked.chunk_classes)
            return folder, asked.iterations * chunks, chunks

        return run

    def labelling(case):
        def run(device, folder, changes):
            asked = recipe(ipc=3, **(LABELS[case] | BASE | changes)).relabel
            inputs = RelabelInputs(images, [teachers["cal"], teachers["cal"]])
            folder = run_relabel(asked, inputs, folder, device=device, progress=False).folder
            return folder, asked.epochs * -(-12 // asked.batch_size), asked.epochs

        return run

    def evaluating(case):
        def run(device, folder, changes):
            asked = recipe(ipc=3, **(LABELS[case] | BASE | changes)).evaluate
            made, steps, epochs = labelling(case)("cpu", folder.with_name(f"{folder.name} labels"), changes)
            inputs = EvaluateInputs(data, made)
            return run_evaluate(asked, inputs, folder, device=device, progress=False).folder, steps, epochs

        return run

    kinds = {"pretrain": pretraining, "distill": distilling, "relabel": labelling, "evaluate": evaluating}
    return lambda stage, case: kinds[stage](case)


@pytest.mark.parametrize(("stage", "case"), CASES)
def test_no_loop_waits_and_results_are_the_cpus(stage, case, stage_run, tmp_path):
    run = stage_run(stage, case)
    plain, steps, _ = run("cpu", tmp_path / "cpu", {})
    if steps:
        compare(count(stage, case, run, tmp_path))
    else:  # a set that is its start
        rehearse(run, tmp_path / "base", {})
    assert_same(plain, tmp_path / "base")


LOOPS = {
    "pretrain": (pretrain, "_losses", "cal"),
    "distill": (optimise, "_view", "sre2lpp_fd2"),
    "relabel": (labels, "apply_plan", "batch"),
    "evaluate": (Lesson, "loss", "batch"),
}


@pytest.mark.parametrize("stage", LOOPS)
def test_a_read_that_someone_adds_to_a_loop_is_found(stage, stage_run, tmp_path, monkeypatch):
    module, name, case = LOOPS[stage]
    original = getattr(module, name)

    def reading(*args, **kwargs):
        made = original(*args, **kwargs)
        (made["total"] if isinstance(made, dict) else made).sum().item()
        return made

    monkeypatch.setattr(module, name, reading)
    with pytest.raises(AssertionError, match=r"read the device at \{'stages/"):
        count(stage, case, stage_run(stage, case), tmp_path)


def test_a_constant_that_someone_makes_in_a_loop_is_counted(stage_run, tmp_path, monkeypatch):
    original = evaluate.normalize_pixels

    def copying(images, mean, std):
        return (
            original(images, mean, std) - torch.zeros(3, 1, 1).to(images.device) - torch.tensor(0.0).to(images.device)
        )

    monkeypatch.setattr(evaluate, "normalize_pixels", copying)
    with pytest.raises(AssertionError, match="copy to the device at"):
        count("evaluate", "batch", stage_run("evaluate", "batch"), tmp_path)


def test_draws_are_sent_for_many_steps_at_once_and_stay_what_they_are():
    draws = [Draws(*(torch.rand(2, step + 1, 3) for _ in range(6))) for step in range(5)]
    assert list(sent_ahead(draws, torch.device("cpu"))) == draws
    with Rehearsal() as seen:
        there = list(sent_ahead(draws, DEVICE, steps=2))
        assert all(value.device == DEVICE for draw in there for value in draw)
        back = [Draws(*(value.cpu() for value in draw)) for draw in there]
    assert all(torch.equal(*pair) for one, two in zip(draws, back, strict=True) for pair in zip(one, two, strict=True))
    assert seen.copies.total() == 3 * 6
