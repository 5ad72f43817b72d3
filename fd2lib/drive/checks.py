"""What can be known before anything is computed: nobody should wait for a teacher to learn of a slip in a word."""

from pathlib import Path

import torch

from fd2lib.data import Dataset
from fd2lib.ground import DataError, DistillSettings, PretrainSettings, Recipe, SettingError
from fd2lib.ground.paths import require_output_folder
from fd2lib.ground.typed import parse_phases
from fd2lib.models.available import require_backbone
from fd2lib.stages.computing import compiled
from fd2lib.stages.objective import require_heads
from fd2lib.stages.room import require_room
from fd2lib.stages.starts import require_images


def require_ready(
    recipe: Recipe, images: DistillSettings, data: Dataset, runs_dir: str | Path, device: torch.device
) -> None:
    """Check what a recipe asks of images, networks and folders; its settings were checked when it was resolved.

    ``images`` are the settings that images are made with, perhaps more per class than the recipe asks for.

    Raises:
        DataError: too few images, or of one class; or a file of weights is missing.
        SettingError: a network or its weights do not exist or do not take the images, a term lacks the head that it
            reads, the device compiles nothing, the images do not fit into memory, or nothing can be written below
            ``runs_dir``.
    """
    require_output_folder(runs_dir)
    for settings in (recipe.relabel, recipe.evaluate):
        compiled(require_ready, settings.compiled, device)  # compiles nothing before it is called
    if data.num_classes < 2:
        raise DataError(
            f"{data.image_set or data.name} has {data.num_classes} class; expected at least 2, which can be told "
            "apart. Ask for more classes."
        )
    require_room(images, data.num_classes, data.image_size, device)
    require_images(images, data)
    _require_teachers(recipe, data)
    student = recipe.evaluate
    _require_network(student.student, student.student_init, student.stem, data, features=False)


def _require_teachers(recipe: Recipe, data: Dataset) -> None:
    sizes = [size for _, size in parse_phases(recipe.distill.phases)] if recipe.distill.iterations else []
    for teacher in recipe.image_teachers:
        _require_teacher(teacher, data, sizes)
        if recipe.distill.iterations:
            own = teacher.attention_ratio if teacher.attention else 0.0
            ratio = own if recipe.distill.own_ratio else recipe.distill.attention_ratio
            require_heads(recipe.distill, ratio, teacher.attention)
    for teacher in recipe.label_teachers:
        _require_teacher(teacher, data, [])
        if recipe.relabel.label_source == "head" and not teacher.attention:
            raise SettingError(
                f"relabel.label_source is 'head', and the teacher {teacher.backbone} of the labels has no attention "
                "head. Set it to backbone, or pretrain with attention = true."
            )
    if recipe.scorer_settings:
        _require_teacher(recipe.scorer_settings, data, [])


def _require_teacher(teacher: PretrainSettings, data: Dataset, sizes: list[int]) -> None:
    _require_network(teacher.backbone, teacher.init, teacher.stem, data, features=teacher.attention, sizes=sizes)


def _require_network(
    name: str, init: str, stem: str, data: Dataset, *, features: bool, sizes: list[int] | None = None
) -> None:
    require_backbone(
        name,
        data.num_classes,
        image_size=data.image_size,
        init=init,
        stem=stem,
        features=features,
        sizes=tuple(sizes or ()),
    )
