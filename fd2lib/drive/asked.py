"""What a request asks for: its recipe, its images and the text of its settings; no network is needed to tell."""

import dataclasses
import json
from typing import Any

from fd2lib.drive.request import Request
from fd2lib.ground import DistillSettings, Recipe, SettingError, load_recipe, setting_values

_OF_RECIPE = (
    *("dataset", "method", "backbone", "ipc", "seed", "image_size", "bundle", "overrides"),
    *("teacher_kind", "label_teacher_kind", "teacher_backbones", "student"),
)


def resolve_recipe(request: Request, strict: bool = True) -> Recipe:
    """Return the recipe of a request, strict as :func:`fd2lib.ground.load_recipe` is.

    Raises:
        SettingError: an unknown scale, method, teacher or setting.
    """
    request.load()
    given = {name: getattr(request, name) for name in _OF_RECIPE}
    return load_recipe(request.scale, classes=request.classes or None, strict=strict, **given)


def asked_images(request: Request, recipe: Recipe) -> DistillSettings:
    """Return the recipe's settings of images, with as many per class as the request asks to distill."""
    settings = recipe.distill
    if 0 < request.distill_ipc < settings.ipc:
        raise SettingError(
            f"distill_ipc is {request.distill_ipc} and ipc {settings.ipc}, which are the first of them; expected at "
            "least as many. Leave distill_ipc away, or ask for more."
        )
    return dataclasses.replace(settings, ipc=(request.distill_ipc or settings.ipc) if settings.ipc else 0)


def settings_text(recipe: Recipe) -> str:
    """Return all settings of an experiment as JSON with sorted keys.

    ``teacher_settings`` is there where several make the images, ``label_teacher_settings`` where others make the
    labels, ``scorer_settings`` (of one) where another scores crops.
    :func:`fd2lib.record.row_identity` compares rows by them.
    """
    names = ("pretrain", "distill", "relabel", "evaluate")
    stages: dict[str, Any] = {name: setting_values(getattr(recipe, name)) for name in names}
    if len(recipe.teacher_settings) > 1:
        stages["teacher_settings"] = [setting_values(one) for one in recipe.teacher_settings]
    if recipe.label_teacher_settings != recipe.teacher_settings:
        stages["label_teacher_settings"] = [setting_values(one) for one in recipe.label_teacher_settings]
    if recipe.scorer_settings:
        stages["scorer_settings"] = [setting_values(recipe.scorer_settings)]
    return json.dumps(stages, sort_keys=True)
