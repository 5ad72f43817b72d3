"""Backbones: any timm network by name, and a few small ones, as one module that gives logits and features."""

import difflib
from typing import Any, NamedTuple, cast

import timm
import torch
from timm.models.efficientnet import EfficientNet
from torch import Tensor, nn

from fd2lib.ground import SettingError, seeded_initialisation, unknown
from fd2lib.models.small import SMALL_IMAGE, SMALL_NETWORKS, Network, has_small_stem, make_small_stem
from fd2lib.models.weight_files import read_state_dict
from fd2lib.models.weights import PACKAGED, load_file_weights, load_weights, packaged_path

STEMS = ("auto", "small", "standard")
SMALL_NETWORK_IMAGE = 32  # pixels; up to this side fd2lib's own networks start with stride 1
# Names of torchvision and of the packaged weights -> timm's.
ALIASES = {"mobilenet_v2": "mobilenetv2_100"}
ALIASES |= {name.removeprefix("tf_").replace("_", link): name for name in PACKAGED for link in "_-"}


class BackboneOutput(NamedTuple):
    """What a backbone gives for B images and K classes."""

    logits: Tensor  # [B, K]
    features: Tensor | None  # [B, C, h, w] after the last activation; None for networks without a feature map


class Backbone(nn.Module):
    """A classification network that also gives the feature map its logits are pooled from; see create_backbone.

    Attributes:
        name: resolved name.
        stem: ``small`` or ``standard``.
        image_size: side of its images, pixels.
        num_features: C, channels of the feature map.
        feature_size: height and width of the feature map; ``(0, 0)`` without one.
        has_feature_map: whether ``features`` is given; an attention head needs it.
        mean: per-channel mean the weights expect, in [0, 1]; ``None`` to use the data set's.
        std: likewise the standard deviation.
    """

    def __init__(self, network: Network, name: str, *, stem: str, image_size: int, probe: Tensor) -> None:
        # The probe is what ``forward_features`` gives for one image.
        super().__init__()
        self.network, self.name, self.stem, self.image_size = network, name, stem, image_size
        self.channels_last = getattr(network, "output_fmt", "NCHW") == "NHWC"
        self.has_feature_map = probe.ndim == 4
        shape = self._channels_first(probe).shape if self.has_feature_map else (1, network.num_features, 0, 0)
        self.num_features = int(shape[1])
        self.feature_size: tuple[int, int] = (shape[2], shape[3])
        self.mean: tuple[float, ...] | None = None
        self.std: tuple[float, ...] | None = None

    @property
    def classifier(self) -> nn.Module:
        """The layer that gives the logits."""
        return self.network.get_classifier()

    def forward(self, x: Tensor) -> BackboneOutput:
        """Classify normalised images ``[B, 3, S, S]``."""
        features = self.network.forward_features(x)
        logits = self.network.forward_head(features)
        return BackboneOutput(logits, self._channels_first(features) if self.has_feature_map else None)

    def _channels_first(self, features: Tensor) -> Tensor:
        return features.permute(0, 3, 1, 2) if self.channels_last else features


def list_backbones() -> dict[str, str]:
    """Return fd2lib's own small networks, name and description.

    :func:`create_backbone` also takes every name that ``timm.list_models()`` gives, and torchvision's names of the
    networks in the paper.
    """
    return {name: entry.description for name, entry in SMALL_NETWORKS.items()}


def create_backbone(
    name: str,
    num_classes: int,
    *,
    image_size: int,
    init: str = "random",
    stem: str = "auto",
    seed: int = 0,
    features: bool = True,
) -> Backbone:
    """Make a backbone by name.

    Args:
        name: one of :func:`list_backbones`, a timm name, or torchvision's name of a network that timm has.
        num_classes: K.
        image_size: side of the images, pixels.
        init: ``random``; ``imagenet`` (EfficientNet-Lite0, 1 and 2 come from pip packages, others from timm's
            download); or the path of a file of weights in timm's or torchvision's keys, see :func:`read_weights`,
            whose classifier may be missing or have another size.
        stem: ``small`` keeps more of small images; ``auto`` is ``small`` for 64 px and below (fd2lib's own
            networks: 32 px) with random weights where the network has one, else ``standard``.
        seed: of the random weights.
        features: ``False`` also accepts networks without a feature map, such as ViT, for students.

    Raises:
        SettingError: an unknown name, a stem or weights that do not fit the network, an image too small for it, or
            no feature map where one is asked for.
        DataError: the file of weights is missing or broken, or holds values that are not finite.
    """
    resolved = resolve_name(name)
    if stem not in STEMS:
        raise SettingError(unknown("stem", stem, STEMS))
    if num_classes < 1 or image_size < 1:
        raise SettingError(f"num_classes is {num_classes} and image_size {image_size}; expected both at least 1.")
    with seeded_initialisation(seed, "backbone", resolved):
        network, stem = _build(resolved, num_classes, image_size, init, stem)
    probe = _probe(network, resolved, image_size)
    backbone = Backbone(network, resolved, stem=stem, image_size=image_size, probe=probe)
    if features and not backbone.has_feature_map:
        raise SettingError(
            f"backbone {name!r} has no feature map [B, C, h, w], which an attention head needs. "
            "Choose a convolutional network, or pass features=False where only logits are used (students)."
        )
    if init == "imagenet":
        backbone.mean, backbone.std = (tuple(network.pretrained_cfg[name]) for name in ("mean", "std"))
    return backbone


def resolve_name(name: str) -> str:
    """Return timm's or fd2lib's own name for a backbone; SettingError where there is no such network."""
    resolved = ALIASES.get(name, name)
    if resolved in SMALL_NETWORKS or timm.is_model(resolved.partition(".")[0]):
        return resolved
    if name.startswith("shufflenet"):
        raise SettingError(
            f"backbone {name!r} is not in timm, which fd2lib takes networks from. "
            "Choose another small network: mobilenet_v2, mobilenetv3_small_100 or mobilenet_narrow."
        )
    choices = [*SMALL_NETWORKS, *ALIASES, *timm.list_models()]
    near = difflib.get_close_matches(name, choices, n=5, cutoff=0.4)
    sentence = unknown("backbone", name, dict.fromkeys([*near, *SMALL_NETWORKS]))
    raise SettingError(f"{sentence} Any name of timm.list_models() works too.")


def _build(name: str, num_classes: int, image_size: int, init: str, stem: str) -> tuple[Network, str]:
    """Make the network and load its weights; returns it with the stem that it got."""
    if name in SMALL_NETWORKS:
        if init == "imagenet":
            raise SettingError(f"backbone {name!r} has no ImageNet weights. Use init='random', or a timm name.")
        small = image_size <= SMALL_NETWORK_IMAGE if stem == "auto" else stem == "small"
        network = SMALL_NETWORKS[name].build(num_classes, 1 if small else 2)
    else:
        network = _create_timm(name, num_classes, image_size, pretrained=init == "imagenet" and name not in PACKAGED)
        wanted = image_size <= SMALL_IMAGE and init == "random" and has_small_stem(network)
        small = wanted if stem == "auto" else stem == "small"
        if small:
            require_kept_weights(network, name, init)
            make_small_stem(network, name)
    if init == "imagenet" and name in PACKAGED:
        load_weights(network, read_state_dict(packaged_path(name)), "the packaged file")
    elif init not in ("random", "imagenet"):
        load_file_weights(network, init)
    return network, "small" if small else "standard"


def require_kept_weights(network: nn.Module, name: str, init: str) -> None:
    """Check that a network with a small stem still takes the weights; SettingError where it does not."""
    if init == "imagenet" and not isinstance(network, EfficientNet):  # only theirs keeps its weights
        raise SettingError(f"ImageNet weights of {name!r} do not fit its small stem. Use stem='standard'.")


def _create_timm(name: str, num_classes: int, image_size: int, *, pretrained: bool) -> Network:
    config = timm.get_pretrained_cfg(name, allow_unregistered=True)
    size: dict[str, Any] = {"img_size": image_size} if config is not None and config.fixed_input_size else {}
    try:
        return cast(Network, timm.create_model(name, pretrained=pretrained, num_classes=num_classes, **size))
    except Exception as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        if pretrained:
            raise SettingError(
                f"ImageNet weights of {name!r} could not be fetched by timm ({reason}). "
                "Connect to the network, or pass init the path of a state dict file (timm's or torchvision's keys)."
            ) from error
        raise SettingError(f"timm could not make {name!r} for {image_size} px ({reason}). Try another size.") from error


@torch.no_grad()
def _probe(network: Network, name: str, image_size: int) -> Tensor:
    """Run one black image through; afterwards the network is in training mode, as new modules are."""
    try:
        return network.eval().forward_features(torch.zeros(1, 3, image_size, image_size))
    except (RuntimeError, AssertionError) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise SettingError(f"backbone {name!r} does not take {image_size} px ({reason}). Try another size.") from error
    finally:
        network.train()
