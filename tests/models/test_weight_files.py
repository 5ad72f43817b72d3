"""Files of weights as people have them: what is undone, what is told, and what is refused in one line."""

import argparse
import logging
import os
import pickle
import re
import sys
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor

from fd2lib.ground import DataError, Fd2Error, PretrainSettings, SettingError, identity
from fd2lib.models import create_backbone, read_weights

NAME = "resnet10_narrow"
OWN = create_backbone(NAME, 3, image_size=32, seed=3).network.state_dict()


def put(prefix: str) -> dict[str, Tensor]:
    return {prefix + key: value for key, value in OWN.items()}


HEADLESS = {key: value for key, value in OWN.items() if not key.startswith("fc")}
AVERAGED = {"n_averaged": torch.tensor(3), **put("module.")}
TAKEN = {  # file -> its content, and what is told besides that it was taken
    "plain.pth": (OWN, "all fit"),
    "data_parallel.pth": (put("module."), "undone module.*"),
    "example.pth.tar": ({"epoch": 3, "state_dict": put("module."), "optimizer": {}}, "undone ['state_dict'] module.*"),
    "reference.pth": ({"model": OWN, "args": argparse.Namespace(lr=0.1), "epoch": 1}, "undone ['model']"),
    "net.pth": ({"net": OWN, "acc": 93.1}, "undone ['net']"),
    "timm.pth.tar": ({"state_dict": put("module."), "state_dict_ema": {}}, "undone ['state_dict'] module.*"),
    "ema.pth": ({"state_dict_ema": OWN}, "undone ['state_dict_ema']"),
    "averaged.pth": ({"model_ema": AVERAGED}, "undone ['model_ema'] module.*; left out n_averaged (1 in all)"),
    "lightning.ckpt": ({"state_dict": put("model.")}, "undone ['state_dict'] model.*"),
    "lightning_net.ckpt": (
        {"state_dict": put("net.") | {"loss.scale": torch.ones(1)}},
        "left out loss.scale (1 in all)",
    ),
    "compiled.pth": (put("_orig_mod."), "undone _orig_mod.*"),
    "compiled_parallel.pth": (put("module._orig_mod."), "undone module.* _orig_mod.*"),
    "teacher.safetensors": (put("backbone.network."), "undone backbone.* network.*"),
    "headless.pth": (HEADLESS, "new, with random weights: fc.weight, fc.bias"),
    "head200.pth": (
        OWN | {"fc.weight": torch.ones(200, 32), "fc.bias": torch.ones(200)},
        "new, with random weights: fc",
    ),
    "plain.safetensors": (OWN, "all fit"),
    "no_suffix": (OWN, "all fit"),
}


def write(path: Path, content: object) -> str:
    """Write content as the suffix says."""
    if path.suffix == ".safetensors" or path.name == "no_suffix":
        save_file({key: value.contiguous() for key, value in content.items()}, path)
    else:
        torch.save(content, path)
    return str(path)


@pytest.mark.parametrize("name", TAKEN)
def test_what_fits_is_taken_and_told(tmp_path: Path, caplog: pytest.LogCaptureFixture, name: str) -> None:
    content, told = TAKEN[name]
    path = write(tmp_path / name, content)
    with caplog.at_level(logging.INFO):
        ours = create_backbone(NAME, 3, image_size=32, init=path, seed=1).network.state_dict()
    new = {key for key in ours if not torch.equal(ours[key], OWN[key])}
    assert new == ({"fc.weight", "fc.bias"} if "fc" in told else set())
    (line,) = [record.getMessage() for record in caplog.records if record.name == "fd2lib.models.weights"]
    assert line.startswith(f"{path}: {len(OWN) - len(new)} tensors taken; ") and told in line


def test_a_networks_own_names_are_no_prefixes(tmp_path: Path) -> None:
    """As of networks whose blocks are called ``network``."""
    state = {"network.0.weight": torch.ones(2), "network.1.weight": torch.ones(2), "norm.weight": torch.ones(2)}
    path = write(tmp_path / "x.pth", {f"module.{key}": value for key, value in state.items()})
    assert read_weights(path, state.keys()).state.keys() == state.keys()
    assert read_weights(path).left_out == ("norm.weight",)


@pytest.mark.parametrize("lost", ["conv1.weight", "fc.bias", "layer1.0.bn1.running_var"])
def test_what_is_missing_is_named_and_nothing_stays_random(tmp_path: Path, lost: str) -> None:
    path = write(tmp_path / "less.pth", {key: value for key, value in OWN.items() if key != lost})
    with pytest.raises(SettingError, match=rf"does not fit ResNet: it lacks {re.escape(lost)} \(1 in all\)"):
        create_backbone(NAME, 3, image_size=32, init=path)


def test_more_than_the_network_has_is_named(tmp_path: Path) -> None:
    path = write(tmp_path / "more.pth", OWN | {"fc2.weight": torch.ones(1)})
    with pytest.raises(SettingError, match=r"has besides fc2\.weight \(1 in all\)"):
        create_backbone(NAME, 3, image_size=32, init=path)


class Runs:
    """Code in a pickle: it would write a file when it is read."""

    def __init__(self, target: Path) -> None:
        self.target = target

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return os.mkdir, (str(self.target),)


@pytest.mark.parametrize("kind", ["zip", "legacy", "pickle", "module", "beside"])
def test_code_is_refused_and_does_not_run(tmp_path: Path, kind: str) -> None:
    path, target = tmp_path / "code.pth", tmp_path / "it ran"
    if kind == "pickle":
        path.write_bytes(pickle.dumps({"weight": Runs(target)}, protocol=2))
    elif kind == "module":
        torch.save(torch.nn.Linear(2, 2), path)
    else:
        content = {"state_dict": OWN, "hook": Runs(target)} if kind == "beside" else {"weight": Runs(target)}
        torch.save(content, path, _use_new_zipfile_serialization=kind != "legacy")
    with pytest.raises(
        DataError, match=r"code\.pth (holds Python objects \(\S+\), which can run code|is not a)"
    ) as error:
        create_backbone(NAME, 3, image_size=32, init=str(path))
    assert "\n" not in str(error.value) and len(str(error.value)) < 400 and not target.exists()
    assert kind == "pickle" or "so it is refused" in str(error.value)


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_weights_that_are_not_finite_are_refused_as_such(tmp_path: Path, value: float) -> None:
    bad = {key: torch.full_like(tensor, value) if tensor.is_floating_point() else tensor for key, tensor in OWN.items()}
    with pytest.raises(DataError, match=r"values that are not finite in conv1\.weight, .*earlier epoch"):
        create_backbone(NAME, 3, image_size=32, init=write(tmp_path / "nan.pth", bad))
    write(tmp_path / "one.pth", OWN | {"bn1.bias": OWN["bn1.bias"].clone().index_fill(0, torch.tensor([2]), value)})
    with pytest.raises(DataError, match=r"not finite in bn1\.bias \(1 in all\)"):
        create_backbone(NAME, 3, image_size=32, init=str(tmp_path / "one.pth"))


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"<!DOCTYPE html><html>Quota exceeded</html>", "it is a web page"),
        (b"\n <html><head>", "it is a web page"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:0\n", "a pointer of Git LFS"),
        (b"<?xml version='1.0'?><Error/>", "an XML answer"),
        (b"", "is empty"),
        (b"not a file of tensors", "not a readable state dict"),
        (b"\x00" * 100, "not a readable state dict"),
    ],
)
def test_files_that_are_often_taken_for_weights(tmp_path: Path, content: bytes, words: str) -> None:
    (tmp_path / "page.pth").write_bytes(content)
    with pytest.raises(DataError, match=rf"page\.pth .*{words}") as error:
        create_backbone(NAME, 3, image_size=32, init=str(tmp_path / "page.pth"))
    assert "\n" not in str(error.value) and "weights_only" not in str(error.value)


@pytest.mark.parametrize("name", ["plain.pth", "plain.safetensors"])
@pytest.mark.parametrize("share", [0.01, 0.5, 0.99])
def test_cut_files_are_refused(tmp_path: Path, name: str, share: float) -> None:
    path = Path(write(tmp_path / name, OWN))
    raw = path.read_bytes()
    path.write_bytes(raw[: int(len(raw) * share)])
    with pytest.raises(DataError, match="is cut short or damaged") as error:
        create_backbone(NAME, 3, image_size=32, init=str(path))
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("content", [[1, 2], {}, {"a": 1}, {"state_dict": {}}, OWN["conv1.weight"]])
def test_what_holds_no_named_tensors_is_refused(tmp_path: Path, content: object) -> None:
    with pytest.raises(DataError, match="does not hold named tensors"):
        create_backbone(NAME, 3, image_size=32, init=write(tmp_path / "x.pth", content))


def test_a_dictionary_that_holds_itself_ends(tmp_path: Path) -> None:
    content: dict[str, object] = {}
    content["model"] = content
    with pytest.raises(DataError, match="does not hold named tensors"):
        read_weights(write(tmp_path / "x.pth", content))


def test_no_file_a_folder_and_a_pipe(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no weights at"):
        read_weights(tmp_path / "nowhere.pth")
    with pytest.raises(DataError, match=r"cannot read weights at .*\(a folder, not a file\)"):
        read_weights(tmp_path)
    if sys.platform != "win32":
        os.mkfifo(tmp_path / "pipe.pth")
        with pytest.raises(DataError, match="a named pipe, not a file"):
            read_weights(tmp_path / "pipe.pth")
        with pytest.raises(SettingError, match=r"init is .*pipe\.pth.*\(a named pipe, not a file\)"):
            identity(PretrainSettings(backbone=NAME, seed=0, init=str(tmp_path / "pipe.pth")))


def test_a_file_that_may_not_be_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = Path(write(tmp_path / "x.pth", OWN))

    def refuse(*args: object, **more: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "open", refuse)
    with pytest.raises(Fd2Error, match=r"cannot read weights at .* \(Permission denied\)"):
        read_weights(path)


def test_what_is_in_the_file_is_of_the_runs_identity_and_not_where_it_lies(tmp_path: Path) -> None:
    def identified(path: str) -> dict[str, object]:
        return identity(PretrainSettings(backbone=NAME, seed=0, init=path))

    path = write(tmp_path / "plain.pth", OWN)
    first = identified(path)
    moved = tmp_path / "elsewhere" / "other.pth"
    moved.parent.mkdir()
    moved.write_bytes(Path(path).read_bytes())
    assert first["init"].startswith("sha256:") and identified(str(moved)) == first
    write(tmp_path / "plain.pth", OWN | {"fc.bias": torch.ones(3)})
    assert identified(path) != first
    assert [identified(name)["init"] for name in ("random", "imagenet")] == ["random", "imagenet"]


def test_the_home_folder_may_be_a_tilde(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    write(tmp_path / "plain.pth", OWN)
    assert identity(PretrainSettings(backbone=NAME, seed=0, init="~/plain.pth"))["init"].startswith("sha256:")
    assert read_weights("~/plain.pth").state.keys() == OWN.keys()
