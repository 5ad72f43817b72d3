"""Every setting of the four stages, as frozen dataclasses.

Field comments carry the unit, the choices and the place in the method that the setting names.
Values come from recipes (see :mod:`fd2lib.ground.recipes`); a settings object never changes.
"""

import dataclasses
from dataclasses import dataclass
from typing import Any

from fd2lib.ground.errors import SettingError, unknown

CHOICES: dict[str, tuple[str, ...]] = {
    "stem": ("auto", "small", "standard"),
    "views": ("release", "paper", "random"),
    "head_gradient": ("flows", "stopped"),
    "prototype_rule": ("ema", "release"),
    "prototype_norm": ("unit", "raw"),
    "optimizer": ("sgd", "adamw"),
    "schedule": ("exponential", "cosine"),
    "precision": ("fp32", "bf16", "mixed"),
    "start": ("noise", "pool1", "pool2", "whole", "all"),
    "mosaics": ("distinct", "repeated"),
    "base_cross_entropy": ("replaced", "kept"),
    "similarity_views": ("plain", "cropped"),
    "label_mode": ("batch", "evaluation"),
    "label_source": ("backbone", "head"),
    "labels": ("soft", "hard"),
}


class _Checked:
    """Checks choices and ranges when a settings object is made."""

    def __post_init__(self) -> None:
        for field in dataclasses.fields(self):  # type: ignore[arg-type]
            value = getattr(self, field.name)
            choices = CHOICES.get(field.name)
            if choices and value not in choices:
                raise SettingError(unknown(field.name, value, choices))
            _check_range(field, value)


def _check_range(field: dataclasses.Field, value: Any) -> None:
    low, high = field.metadata.get("range", (None, None))
    if isinstance(value, bool) or not isinstance(value, int | float):
        return
    if (low is not None and value < low) or (high is not None and value > high) or value != value:
        bounds = f"at least {low}" if high is None else f"between {low} and {high}"
        raise SettingError(f"{field.name} is {value}; expected {bounds}.")


def _number(low: float, high: float | None = None, *, before: Any = dataclasses.MISSING) -> Any:
    """A number with a range; ``before`` as in :func:`_later`."""
    return dataclasses.field(
        default=before, metadata={"range": (low, high), "later": before is not dataclasses.MISSING}
    )


def _later(before: Any) -> Any:
    """A setting added after runs existed: ``before`` is what they were made with, and still identifies them."""
    return dataclasses.field(default=before, metadata={"later": True})


def _declared(before: int) -> Any:
    return dataclasses.field(default=before, metadata={"range": (1, None), "later": True, "declared": True})


def identity(settings: Any) -> dict[str, Any]:
    """Return what identifies settings: every value, but a setting added later only where it was changed.

    So a run made before a setting existed is found again, and a new value of it makes another run.
    """
    return {
        field.name: value
        for field in dataclasses.fields(settings)
        for value in [getattr(settings, field.name)]
        if not (field.metadata.get("later") and value == field.default)
    }


@dataclass(frozen=True, kw_only=True)
class PretrainSettings(_Checked):
    """Stage 1, a teacher on the whole training set (method section 3)."""

    backbone: str  # timm name or one of fd2lib's small variants
    init: str  # "random", "imagenet", or the path of a state dict
    stem: str  # "auto" is small for 64 px and below with random weights
    attention: bool  # True: attention head, counterfactual loss and prototypes (CAL)
    num_maps: int = _number(1)  # M, attention maps
    attention_ratio: float = _number(0, 1)  # λ, weight of the head's loss
    views: str  # "release" adds attention crop and drop, "random" two random crops; "paper" adds none
    prototype_rule: str  # how class prototypes are updated
    prototype_momentum: float = _number(0, 1)  # step of the prototype update
    epochs: int = _number(1)
    batch_size: int = _number(2)  # images
    optimizer: str  # "adamw" copes better with few epochs: the head multiplies its features by 100
    learning_rate: float = _number(0)  # for this batch size
    momentum: float = _number(0, 1)  # of SGD, or AdamW's first beta
    weight_decay: float = _number(0)
    schedule: str  # "exponential" is rate × 0.9^(epoch/2); "cosine" falls to final_learning_rate
    final_learning_rate: float = _number(0)
    jitter: float = _number(0, 1)  # brightness, contrast, saturation ±; hue ± half of it
    rotation: float = _number(0, 180)  # degrees, ±
    precision: str
    seed: int = _number(0)
    threads: int = _declared(1)
    head_gradient: str = _later("flows")  # "stopped": the head only reads the features, the backbone stays plain


@dataclass(frozen=True, kw_only=True)
class DistillSettings(_Checked):
    """Stage 2, images from a teacher (method section 4)."""

    ipc: int = _number(0)  # images per class; 0 for start "all"
    start: str  # what optimisation starts from; with iterations 0, the result. "all": every training image
    iterations: int = _number(0)  # optimisation steps per image index, all phases together
    learning_rate: float = _number(0)  # Adam, in units of the teacher's normalised pixels
    cross_entropy_weight: float = _number(0)  # of the classification term
    attention_ratio: float = _number(0, 1)  # λ, head against backbone cross-entropy; 0 for a teacher without head
    base_cross_entropy: str  # "kept": the backbone's cross-entropy is added once more beside the mixture
    bn_weight: float = _number(0)  # of the BatchNorm matching term
    bn_first_multiplier: float = _number(0)  # for the first BatchNorm layer
    characteristic_weight: float = _number(0)  # w_F
    similarity_weight: float = _number(0)  # w_S
    prototype_norm: str  # "unit" normalises prototypes before the characteristic constraint
    similarity_views: str  # how earlier images are seen: whole, or one random crop and flip
    group_size: int = _number(1)  # N_S, images of a class compared with each other
    min_crop_scale: float = _number(0.01, 1)  # smallest area of the random resized crop
    shift: int = _number(0)  # pixels, circular, both ways
    chunk_classes: int = _number(1)  # classes optimised together; BatchNorm matching sees a chunk
    precision: str
    seed: int = _number(0)
    threads: int = _declared(1)
    phases: str = _later("")  # "3@200 4@224": sizes (pixels) in turn and their shares of the iterations; "": one phase
    residual: float = _number(0, 1, before=0.0)  # share of the start mixed in between phases (FADRM)
    mosaics: str = _later("distinct")  # "repeated": drawn with replacement, so that a set may hold one twice
    own_ratio: bool = _later(False)  # True: each teacher's own λ in place of attention_ratio

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.start == "all" and self.iterations:
            raise SettingError(
                f"start 'all' with {self.iterations} iterations; expected 0: a whole training set is not optimised."
            )
        if self.start != "all" and self.ipc == 0:
            raise SettingError(f"ipc is 0 with start {self.start!r}; expected at least 1 (0 goes with start 'all').")


@dataclass(frozen=True, kw_only=True)
class RelabelSettings(_Checked):
    """Stage 3, soft labels for every augmented batch (method section 5)."""

    ipc: int = _number(0)  # the first this many images of each class; 0: all there are
    epochs: int = _number(1)
    batch_size: int = _number(2)  # images; each batch is used as two halves
    min_crop_scale: float = _number(0.01, 1)
    cutmix: bool
    label_mode: str  # "batch": BatchNorm statistics of each half batch; "evaluation": running statistics
    label_source: str  # whose logits are stored
    store: bool  # False: nothing is stored and evaluation asks the teachers again
    precision: str
    seed: int = _number(0)
    threads: int = _declared(1)


@dataclass(frozen=True, kw_only=True)
class EvaluateSettings(_Checked):
    """Stage 4, a student on distilled images and their labels (method section 6)."""

    student: str  # backbone name
    student_init: str  # "random", "imagenet", or the path of a state dict
    stem: str
    labels: str  # "soft" logits of the teachers, or "hard" class labels
    learning_rate: float = _number(0)  # AdamW
    weight_decay: float = _number(0)  # on weights with more than one dimension
    temperature: float = _number(0.01)
    test_every: int = _number(1)  # epochs between tests; the last epoch is always tested
    precision: str
    seed: int = _number(0)
    threads: int = _declared(1)


STAGES: dict[str, type] = {
    "pretrain": PretrainSettings,
    "distill": DistillSettings,
    "relabel": RelabelSettings,
    "evaluate": EvaluateSettings,
}


def declare_setting(
    stage: str, name: str, default: Any, *, low: float | None = None, high: float | None = None, source: str
) -> None:
    """Add a setting to a stage from outside; runs made with its default keep their identity."""
    field = dataclasses.field(
        default=default, metadata={"range": (low, high), "later": True, "declared": True, "source": source}
    )
    base = STAGES[stage]
    STAGES[stage] = dataclasses.make_dataclass(
        base.__name__, [(name, type(default), field)], bases=(base,), frozen=True, kw_only=True
    )


def build_settings(stage: str, values: dict[str, Any]) -> Any:
    """Build one stage's settings from a plain dictionary.

    Raises:
        SettingError: unknown stage or setting, a missing one, or a value of the wrong type.
    """
    if stage not in STAGES:
        raise SettingError(unknown("stage", stage, STAGES))
    fields = {field.name: field for field in dataclasses.fields(STAGES[stage])}
    for name in values:
        if name not in fields:
            raise SettingError(unknown(f"{stage} setting", name, fields))
    missing = [name for name in fields if name not in values]
    if missing:
        raise SettingError(f"{stage} settings lack {', '.join(missing)}; a recipe or an override must give them.")
    return STAGES[stage](**{name: _coerce(stage, fields[name], values[name]) for name in fields})


def _coerce(stage: str, field: dataclasses.Field, value: Any) -> Any:
    """Accept exactly the declared type; an int is a float where a float is expected."""
    kind = (
        field.type if isinstance(field.type, type) else {"int": int, "float": float, "bool": bool}.get(field.type, str)
    )
    if kind is float and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if type(value) is not kind:
        raise SettingError(f"{stage}.{field.name} is {value!r}; expected {kind.__name__}, got {type(value).__name__}.")
    return value
