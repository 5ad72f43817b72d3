"""Which device a stage gets, one that has no float64, and networks that are compiled."""

import os
import shutil

import numpy as np
import pandas as pd
import pytest
import torch
from rehearsal_device import DEVICE, Rehearsal

from fd2lib.ground import SettingError, devices, identity
from fd2lib.models import Teacher, create_backbone
from fd2lib.stages import (
    DistillInputs,
    EvaluateInputs,
    PretrainInputs,
    RelabelInputs,
    resolve_device,
    run_distill,
    run_evaluate,
    run_pretrain,
    run_relabel,
    soft_labels,
)
from fd2lib.stages.computing import compiled
from fd2lib.stages.labels import load_teachers

COMPILER = shutil.which(os.environ.get("CXX", "g++"))


@pytest.fixture
def machine(monkeypatch):
    """Return a function that lets PyTorch see so many devices."""

    def see(**count):
        for kind in ("cuda", "mps", "xpu"):
            number = count.get(kind, 0)
            monkeypatch.setattr(getattr(torch, kind), "is_available", lambda number=number: number > 0)
            monkeypatch.setattr(getattr(torch, kind), "device_count", lambda number=number: number)

    return see


@pytest.mark.parametrize(
    ("there", "asked", "found"),
    [
        ({}, "auto", "cpu"),
        ({"mps": 1}, "auto", "mps"),
        ({"mps": 1, "cuda": 1}, "auto", "cuda"),
        ({"cuda": 1}, "cpu", "cpu"),
        ({"cuda": 1}, " CPU", "cpu"),
        ({"cuda": 2}, "CUDA:1 ", "cuda:1"),
        ({"cuda": 2}, "cuda:1", "cuda:1"),
        ({"mps": 1}, "mps", "mps"),
        ({}, str(DEVICE), str(DEVICE)),
    ],
)
def test_a_device_is_what_it_says(machine, there, asked, found):
    machine(**there)
    assert str(resolve_device(asked)) == found


@pytest.mark.parametrize(
    ("there", "asked", "words"),
    [
        ({}, "cuda", "'cuda', but PyTorch sees none of that kind"),
        ({"cuda": 1}, "cuda:1", "'cuda:1', but PyTorch sees 1 of that kind, numbered from 0"),
        ({"cuda": 1}, "mps", "none of that kind; use another, cpu or auto"),
        ({}, "xpu", "none of that kind"),
        ({}, "meta", "expected auto, cpu, cuda, cuda:N or mps"),
        ({}, "gpu", "expected auto, cpu, cuda, cuda:N or mps"),
    ],
)
def test_a_device_that_is_not_there_is_refused(machine, there, asked, words):
    machine(**there)
    with pytest.raises(SettingError, match=words):
        resolve_device(asked)


def test_the_stages_need_no_float64(tmp_path, data, recipe, monkeypatch):
    """As on MPS, which has none."""
    monkeypatch.setattr(devices, "WITHOUT_FLOAT64", {DEVICE.type})
    asked = {"pretrain.epochs": 1, "distill.iterations": 1, "relabel.epochs": 1, "distill.start": "pool2"}
    made = recipe(ipc=1, **asked)
    with Rehearsal(float64=False):
        with pytest.raises(TypeError, match="no float64"):
            torch.zeros(1, device=DEVICE).double()
        where = {"device": DEVICE, "progress": False}
        teacher = run_pretrain(made.pretrain, PretrainInputs(data), tmp_path / "teacher", **where).folder
        images = run_distill(made.distill, DistillInputs(data, [teacher]), tmp_path / "images", **where).folder
        labels = run_relabel(made.relabel, RelabelInputs(images, [teacher]), tmp_path / "labels", **where).folder
        student = run_evaluate(made.evaluate, EvaluateInputs(data, labels), tmp_path / "student", **where)
    assert 0 <= student.last_accuracy <= 100


def test_compiling_is_a_setting_that_leaves_runs_of_before_alone(recipe):
    plain, fused = recipe(), recipe(**{"evaluate.compiled": "kernels"})
    assert "compiled" not in identity(plain.evaluate) and identity(fused.evaluate)["compiled"] == "kernels"
    assert identity(plain.relabel) == identity(fused.relabel)


def test_what_cannot_be_compiled_is_refused(monkeypatch):
    network = create_backbone("convnet4", 4, image_size=32)
    assert compiled(network, "off", torch.device("cpu")) is network
    with pytest.raises(SettingError, match="'graphs' on cpu; expected a CUDA device"):
        compiled(network, "graphs", torch.device("cpu")) if COMPILER else pytest.skip("no compiler")
    monkeypatch.setenv("CXX", "no_such_compiler")
    with pytest.raises(SettingError, match=r"there is no C\+\+ compiler; install g\+\+"):
        compiled(network, "kernels", torch.device("cpu"))


@pytest.mark.slow
@pytest.mark.skipif(not COMPILER, reason="needs a C++ compiler")
def test_compiled_networks_give_the_same_up_to_rounding(tmp_path, data, recipe, teachers, monkeypatch):
    """Labels within 1e-4, a student's loss of its first epochs within 0.01 %."""
    import torch._inductor.config as inductor

    monkeypatch.setattr(inductor, "compile_threads", 1)  # in this process: others take longer to start
    views = torch.rand(8, 3, 32, 32, generator=torch.Generator().manual_seed(0))
    plain, fused = (load_teachers([teachers["cal"]], torch.device("cpu"), how)[0] for how in ("off", "kernels"))
    assert isinstance(fused, Teacher) and fused.logits != plain.logits
    for mode in ("batch", "evaluation"):
        torch.testing.assert_close(soft_labels(fused, views, mode=mode), soft_labels(plain, views, mode=mode),
                                   rtol=1e-4, atol=1e-4)  # fmt: skip
    options = recipe(ipc=2)
    images = run_distill(options.distill, DistillInputs(data, [teachers["cal"]]), tmp_path / "images", progress=False)
    labels = run_relabel(options.relabel, RelabelInputs(images.folder, [teachers["cal"]]), tmp_path / "labels",
                         progress=False)  # fmt: skip
    histories = []
    for how in ("off", "kernels"):
        asked = recipe(ipc=2, **{"evaluate.compiled": how}).evaluate
        done = run_evaluate(asked, EvaluateInputs(data, labels.folder), tmp_path / how, progress=False)
        histories.append(pd.read_csv(done.folder / "history.csv")["loss"])
    np.testing.assert_allclose(histories[1], histories[0], rtol=1e-4)
