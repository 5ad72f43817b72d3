"""Every stage computes what it computed when these values were recorded: to the bit where the machine is the same.

After a change that is meant to alter results: ``FD2LIB_RECORD=1 pytest tests/stages/test_results_stay.py``.
"""

import hashlib
import json
import os
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from safetensors.torch import load_file
from stage_cases import DISTILL, PRETRAIN, RELABEL

from fd2lib.record import provenance
from fd2lib.stages import (
    DistillInputs,
    EvaluateInputs,
    PretrainInputs,
    RelabelInputs,
    run_distill,
    run_evaluate,
    run_pretrain,
    run_relabel,
)

FILE = Path(__file__).with_name("recorded.json")
# In bfloat16, which processors round each in their own way, or at FADRM's rate of 0.1, which amplifies rounding.
ROUGH = ("pretrain: jittered", "distill: raw, cropped, replaced", "distill: fadrm", "distill: fadrm_fd2")


def _digest(*parts: bytes) -> str:
    return hashlib.sha256(b"\0".join(parts)).hexdigest()[:16]


def _of_tensors(path: Path) -> bytes:
    tensors = load_file(path)
    return b"".join(name.encode() + tensors[name].numpy().tobytes() for name in sorted(tensors))


def _last(folder: Path, rough: bool = False) -> list[float]:
    """The numbers of a history's last row, for machines whose last bits differ.

    A rough run's accuracy is left to its digest: of 24 images one that lies between two classes is a step of 4 %.
    """
    history = pd.read_csv(folder / "history.csv").drop(columns=["train_accuracy"] if rough else [])
    return [] if history.empty else [float(f"{value:.6g}") for value in history.iloc[-1].fillna(0)]


def made(root, data, recipe) -> dict[str, dict]:
    """Digest and last numbers of tiny runs of each stage."""
    found, teachers, images = {}, {}, {}
    for name, (method, changes) in PRETRAIN.items():
        settings = recipe(method, **changes).pretrain
        folder = run_pretrain(settings, PretrainInputs(data), root / "pretrain" / name, progress=False).folder
        teachers[name] = folder
        parts = [_of_tensors(folder / "teacher.safetensors"), (folder / "history.csv").read_bytes()]
        found[f"pretrain: {name}"] = {"digest": _digest(*parts), "last": _last(folder, f"pretrain: {name}" in ROUGH)}
    for name, (method, which, changes) in DISTILL.items():
        settings = recipe(method, **{"ipc": 3, **changes}).distill
        inputs = DistillInputs(data, [teachers[one] for one in which.split()])
        folder = run_distill(settings, inputs, root / "distill" / name, progress=False).folder
        images[name] = folder
        history = folder / "history.csv"
        parts = [_of_tensors(folder / "images.safetensors"), history.read_bytes() if history.exists() else b""]
        found[f"distill: {name}"] = {"digest": _digest(*parts), "last": _last(folder) if history.exists() else []}
    for name, changes in RELABEL.items():
        made = recipe("sre2lpp_fd2", ipc=3, **changes)
        inputs = RelabelInputs(images["sre2lpp_fd2"], [teachers["cal"], teachers["paper views, release rule"]])
        labels = run_relabel(made.relabel, inputs, root / "relabel" / name, progress=False).folder
        logits = np.load(labels / "teacher_logits.npy")
        first = [float(f"{value:.3g}") for value in logits[0, 0]]
        found[f"relabel: {name}"] = {"digest": _digest(logits.tobytes()), "last": first}
        student = run_evaluate(made.evaluate, EvaluateInputs(data, labels), root / "evaluate" / name, progress=False)
        predicted = np.load(student.folder / "predictions.npz")["logits"]
        parts = [predicted.tobytes(), (student.folder / "history.csv").read_bytes()]
        found[f"evaluate: {name}"] = {"digest": _digest(*parts), "last": _last(student.folder)}
    return found


@pytest.fixture(scope="module")
def machine():
    """What last bits depend on."""
    made = provenance("cpu")
    return f"{made['device']}, {torch.backends.cpu.get_cpu_capability()}, torch {made['versions']['torch']}"


def test_results_stay(tmp_path, data, recipe, machine):
    found = made(tmp_path, data, recipe)
    if os.environ.get("FD2LIB_RECORD"):
        FILE.write_text(json.dumps({"machine": machine, "values": found}, indent=1) + "\n", encoding="utf-8")
    recorded = json.loads(FILE.read_text(encoding="utf-8"))
    assert found.keys() == recorded["values"].keys()
    for name, value in found.items():
        expected = recorded["values"][name]
        close = 0.2 if name in ROUGH else 0.02
        assert value["last"] == pytest.approx(expected["last"], rel=close, abs=close), name
        if machine == recorded["machine"]:
            assert value["digest"] == expected["digest"], name
