"""The teacher: backbone, attention head and prototypes in one bundle that can be saved and loaded."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from textwrap import shorten
from typing import Any, NamedTuple

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from fd2lib.ground import (
    ArtefactError,
    Fd2Error,
    PretrainSettings,
    SettingError,
    atomic_path,
    read_json,
    seeded_initialisation,
    unknown,
    write_json,
)
from fd2lib.models.attention import AttentionHead, AttentionOutput, ClassPrototypes
from fd2lib.models.backbones import Backbone, create_backbone

FORMAT = 1  # of teacher.json
WEIGHTS, DESCRIPTION = "teacher.safetensors", "teacher.json"
SOURCES = ("backbone", "head")


class TeacherOutput(NamedTuple):
    """What a teacher gives for B images and K classes."""

    logits: Tensor  # [B, K], the backbone's
    features: Tensor | None  # [B, C, h, w]
    attention: AttentionOutput | None  # None without head


class Teacher(nn.Module):
    """A pretrained network with what FD² adds to it; :func:`create_teacher` makes one from settings.

    Attributes:
        backbone: a :class:`Backbone`.
        head: an :class:`AttentionHead`, or ``None`` for the baselines' plain teacher.
        prototypes: :class:`ClassPrototypes` of the head's part features, or ``None``.
        attention_ratio: λ it was trained with; 0 without head.
        mean, std: of its pixels, buffers ``[1, 3, 1, 1]``.
        classes: names in label order.
    """

    mean: Tensor
    std: Tensor

    def __init__(
        self,
        backbone: Backbone,
        head: AttentionHead | None,
        prototypes: ClassPrototypes | None,
        *,
        attention_ratio: float,
        mean: Sequence[float],
        std: Sequence[float],
        classes: Sequence[str],
    ) -> None:
        super().__init__()
        self.backbone, self.head, self.prototypes = backbone, head, prototypes
        self.attention_ratio = attention_ratio if head is not None else 0.0
        self.classes = tuple(classes)
        self.register_buffer("mean", torch.tensor(mean, dtype=torch.float32).view(1, 3, 1, 1))
        self.register_buffer("std", torch.tensor(std, dtype=torch.float32).view(1, 3, 1, 1))

    @property
    def image_size(self) -> int:
        """Side of the images, pixels."""
        return self.backbone.image_size

    def normalize(self, images01: Tensor) -> Tensor:
        """Turn pixels in [0, 1] into what the networks take."""
        return (images01 - self.mean) / self.std

    def denormalize(self, x: Tensor) -> Tensor:
        """Turn normalised images back into pixels, in [0, 1] where they are valid."""
        return x * self.std + self.mean

    def clamp(self, x: Tensor) -> Tensor:
        """Return normalised images with every pixel moved into its valid range."""
        return torch.minimum(torch.maximum(x, -self.mean / self.std), (1 - self.mean) / self.std)

    def forward(
        self,
        x: Tensor,
        generator: torch.Generator | None = None,
        counterfactual_attention: Tensor | None = None,
        *,
        stop_gradient: bool = False,
        effect: bool = True,
    ) -> TeacherOutput:
        """Run backbone and head on normalised images ``[B, 3, S, S]``.

        In training mode ``generator``, on the CPU, draws the counterfactual attention where it is not given. With
        ``stop_gradient`` the head only reads the backbone: no gradient flows from one to the other. ``effect`` is the
        head's.
        """
        logits, features = self.backbone(x)
        read = features.detach() if stop_gradient and features is not None else features
        attention = None if self.head is None else self.head(read, generator, counterfactual_attention, effect=effect)
        return TeacherOutput(logits, features, attention)

    def logits(self, x: Tensor, source: str = "backbone") -> Tensor:
        """Return the logits ``[B, K]`` of the ``backbone`` or the ``head`` for normalised images ``[B, 3, S, S]``.

        Raises:
            SettingError: an unknown source, or the head's asked of a teacher without one.
        """
        if source not in SOURCES:
            raise SettingError(unknown("label_source", source, SOURCES))
        if source == "backbone":
            return self.backbone(x).logits
        output = self.forward(x, effect=False)
        if output.attention is None:
            raise SettingError("this teacher has no attention head. Use label_source='backbone', or another teacher.")
        return output.attention.logits

    def describe(self) -> dict[str, Any]:
        """Return what :meth:`load` needs besides the weights."""
        return {
            "format": FORMAT,
            "backbone": self.backbone.name,
            "stem": self.backbone.stem,
            "image_size": self.image_size,
            "num_maps": self.head.num_maps if self.head is not None else 0,
            "attention_ratio": self.attention_ratio,
            "prototype_rule": self.prototypes.rule if self.prototypes is not None else "",
            "prototype_momentum": self.prototypes.momentum if self.prototypes is not None else 0.0,
            "mean": self.mean.flatten().tolist(),
            "std": self.std.flatten().tolist(),
            "classes": list(self.classes),
        }

    def save(self, folder: str | Path, settings: dict[str, Any] | None = None) -> None:
        """Write ``teacher.safetensors`` and then ``teacher.json``, with plain ``settings`` kept beside its description.

        Raises:
            ArtefactError: a file could not be written; what was there is unchanged.
        """
        folder = Path(folder)
        state = {key: value.detach().cpu().contiguous() for key, value in self.state_dict().items()}
        with atomic_path(folder / WEIGHTS) as path:
            save_file(state, path)
        write_json(folder / DESCRIPTION, self.describe() | {"settings": settings or {}})

    @classmethod
    def load(cls, folder: str | Path, device: str | torch.device = "cpu") -> "Teacher":
        """Load a teacher in evaluation mode, without gradients to its weights.

        Raises:
            ArtefactError: a file is missing or broken, or weights and description do not fit.
        """
        folder = Path(folder)
        teacher = _from_description(folder / DESCRIPTION)
        try:
            teacher.load_state_dict(load_file(folder / WEIGHTS), strict=True)
        except (OSError, SafetensorError, RuntimeError) as error:
            raise ArtefactError(
                f"{folder / WEIGHTS} is missing, broken or does not fit {DESCRIPTION} beside it "
                f"({shorten(str(error), 300)}). Move the folder away and run pretraining again."
            ) from error
        return teacher.to(device).eval().requires_grad_(False)


def _from_description(source: Path) -> Teacher:
    description = read_json(source)
    try:
        if (written := description["format"]) == FORMAT:
            return _assemble(description)
    except (KeyError, TypeError, ValueError, RuntimeError, Fd2Error) as error:
        raise ArtefactError(
            f"{source} does not describe a teacher ({type(error).__name__}: {error}). "
            "Move the folder away and run pretraining again."
        ) from error
    raise ArtefactError(f"{source} has format {written}; this version of fd2lib reads {FORMAT}.")


def _assemble(description: Mapping[str, Any], init: str = "random", seed: int = 0) -> Teacher:
    """Make a teacher from its description, with a head of ``num_maps`` maps, or without head for 0."""
    classes, num_maps, size = tuple(description["classes"]), description["num_maps"], description["image_size"]
    name, stem = description["backbone"], description["stem"]
    body = create_backbone(name, len(classes), image_size=size, init=init, stem=stem, seed=seed, features=num_maps > 0)
    head = prototypes = None
    if num_maps > 0:
        with seeded_initialisation(seed, "attention head"):
            head = AttentionHead(body.num_features, len(classes), num_maps)
        rule, momentum = description["prototype_rule"], description["prototype_momentum"]
        prototypes = ClassPrototypes(len(classes), head.num_features, rule, momentum)
    pixels = {"mean": body.mean or description["mean"], "std": body.std or description["std"]}
    return Teacher(body, head, prototypes, attention_ratio=description["attention_ratio"], classes=classes, **pixels)


def create_teacher(
    settings: PretrainSettings, classes: Sequence[str], image_size: int, mean: Sequence[float], std: Sequence[float]
) -> Teacher:
    """Make a new teacher as the pretraining settings say, for images of ``image_size`` pixels.

    Mean and standard deviation are those of the data set's pixels in [0, 1]; pretrained weights that expect others
    bring their own.

    Raises:
        SettingError: the backbone cannot be made as asked.
    """
    names = ("backbone", "stem", "attention_ratio", "prototype_rule", "prototype_momentum")
    description = {name: getattr(settings, name) for name in names}
    description |= {"num_maps": settings.num_maps if settings.attention else 0}
    description |= {"classes": classes, "image_size": image_size, "mean": mean, "std": std}
    return _assemble(description, settings.init, settings.seed)
