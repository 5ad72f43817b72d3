"""Recipes: TOML tables that say what every setting is, and where the value comes from.

A recipe is resolved from (scale, bundle, data set, backbone, method); :mod:`fd2lib.ground.layers` says how tables are
laid over one another. Methods are data: ``methods.toml`` lists, for each, the scale-independent pieces it is made of.
"""

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from fd2lib.ground.errors import SettingError, unknown
from fd2lib.ground.layers import Layers, build_stage, parse_overrides, plain_value, read_tables
from fd2lib.ground.settings import STAGES, DistillSettings, EvaluateSettings, PretrainSettings, RelabelSettings

SCALES = ("toy", "reduced", "paper")


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """The settings of all four stages for one experiment, with the source of each value."""

    scale: str
    dataset: str
    backbone: str
    method: str
    title: str  # the method's display name
    bundle: str  # "paper", "release", or "" for the scale's own reading
    headline: str  # which accuracy the bundle's reading compares: "last" or "best" (selected on test images)
    image_size: int  # pixels, square
    classes: str  # class subset, "" for all
    teacher: str  # kind of the teachers that make the images
    label_teacher: str  # kind of the teachers that make the labels
    teachers: tuple[PretrainSettings, ...]  # of the images, used in turn
    label_teachers: tuple[PretrainSettings, ...]  # of the labels, averaged
    distill: DistillSettings
    relabel: RelabelSettings
    evaluate: EvaluateSettings
    sources: Mapping[str, str] = field(hash=False)  # "distill.learning_rate" -> where the value comes from

    @property
    def pretrain(self) -> PretrainSettings:
        """The first teacher's settings."""
        return self.teachers[0]

    @property
    def needs_label_teachers(self) -> bool:
        """Whether labels are asked of teachers: not where the student learns from the true classes."""
        return self.evaluate.labels == "soft" or self.relabel.store

    @property
    def needs_image_teachers(self) -> bool:
        """Whether images are: optimisation asks, and mosaics are ranked by one."""
        return self.distill.iterations > 0 or self.distill.start.startswith("pool")

    def values(self) -> dict[str, Any]:
        """Return every setting: ``general.*``, and every stage's, keyed ``stage.setting``.

        Of further teachers, ``pretrain[2].setting`` and so on say what differs from the first.
        """
        general = {f"general.{name}": getattr(self, name) for name in ("image_size", "classes", "headline")}
        general["general.teachers"] = " ".join(teacher.backbone for teacher in self.teachers)
        stages = {
            f"{stage}.{name}": value
            for stage in STAGES
            for name, value in dataclasses.asdict(getattr(self, stage)).items()
        }
        further = {
            f"pretrain[{number}].{name}": value
            for number, teacher in enumerate(self.teachers[1:], 2)
            for name, value in dataclasses.asdict(teacher).items()
            if value != getattr(self.pretrain, name)
        }
        return general | stages | further


def list_methods() -> dict[str, str]:
    """Return every method's name and display title."""
    return _titles("method")


def list_teachers() -> dict[str, str]:
    """Return every kind of teacher and its display title."""
    return _titles("teacher")


def list_bundles() -> dict[str, str]:
    """Return every bundle's name and display title."""
    return {name: table["title"] for name, table in read_tables("bundles").items()}


def _titles(kind: str) -> dict[str, str]:
    return {name: table["title"] for name, table in read_tables("methods")[kind].items()}


def load_recipe(
    scale: str,
    *,
    dataset: str,
    method: str,
    backbone: str = "",
    ipc: int = 1,
    seed: int = 0,
    image_size: int = 0,
    classes: str | None = None,
    bundle: str = "",
    teacher: str = "",
    label_teacher: str = "",
    teachers: str = "",
    student: str = "",
    overrides: Mapping[str, Any] | str | None = None,
) -> Recipe:
    """Resolve a recipe.

    Args:
        scale: ``toy``, ``reduced`` or ``paper``.
        dataset: a registered data set; sets without tables of their own take the scale's defaults.
        method: one of :func:`list_methods`.
        backbone: teacher and student; empty takes the scale's default for the data set.
        ipc: images per class.
        seed: seed of every stage.
        image_size: pixels; 0 takes the scale's default for the data set.
        classes: class subset; ``None`` takes the scale's default for the data set, ``""`` all classes.
        bundle: ``paper`` or ``release`` sets everything that the two read differently; empty keeps the scale's values.
        teacher: kind of teacher that makes the images, one of :func:`list_teachers`; empty takes the method's.
        label_teacher: kind of teacher that makes the labels; empty takes ``teacher``.
        teachers: the teachers' backbones separated by blanks; empty takes the method's (most have one: ``backbone``).
        student: the student's backbone; empty takes ``backbone``.
        overrides: ``{"distill.iterations": 100}``, or the same as ``"distill.iterations=100 pretrain.epochs=3"``.
            What makes a method what it is stays: random real images are not optimised whatever is asked of others.

    Raises:
        SettingError: an unknown scale, method, bundle, teacher or setting, or a value out of range.
    """
    methods = read_tables("methods")
    _require("method", method, methods["method"])
    layers = Layers(_tables(scale, bundle), methods["piece"], dataset)
    kind, pieces = _with_teacher(methods, method, teacher)
    label_kind, label_pieces = _with_teacher(methods, method, label_teacher or kind, for_labels=True)
    chosen = backbone or _plain(layers.stage("general", "", pieces), "backbone")
    general = layers.stage("general", chosen, pieces)
    given = {"backbone": chosen, "student": student or chosen, "ipc": ipc, "seed": seed}
    asked = parse_overrides(overrides)
    values, sources = layers.resolve(pieces, given, asked)
    if values["evaluate.labels"] == "hard" and "relabel.store" not in asked:
        values["relabel.store"], sources["relabel.store"] = False, "hard labels need no teacher"
    names = (teachers or _plain(general, "teachers") or chosen).split()
    step = _plain(general, "seed_step")
    makers, maker_sources = _teachers(layers, pieces, given, asked, names, step)
    sources |= maker_sources
    sources |= {f"general.{name}": entry["from"] for name, entry in general.items()}
    caller = {"image_size": image_size, "classes": classes is not None, "teachers": teachers}
    sources |= {f"general.{name}": "caller" for name, given_by_caller in caller.items() if given_by_caller}
    return Recipe(
        scale=scale,
        dataset=dataset,
        backbone=chosen,
        method=method,
        title=methods["method"][method]["title"],
        bundle=bundle,
        headline=_plain(general, "headline"),
        image_size=image_size or _plain(general, "image_size"),
        classes=_plain(general, "classes") if classes is None else classes,
        teacher=kind,
        label_teacher=label_kind,
        teachers=makers,
        label_teachers=_teachers(layers, label_pieces, given, asked, names, step)[0],
        sources=sources,
        **{stage: build_stage(stage, values) for stage in ("distill", "relabel", "evaluate")},
    )


def _require(kind: str, name: str, choices: Any) -> None:
    if name not in choices:
        raise SettingError(unknown(kind, name, choices))


def _tables(scale: str, bundle: str) -> list[dict]:
    """The scale's tables, then the bundle's where one is asked for."""
    _require("scale", scale, SCALES)
    if not bundle:
        return [read_tables(scale)]
    _require("bundle", bundle, read_tables("bundles"))
    return [read_tables(scale), read_tables("bundles")[bundle]]


def _with_teacher(methods: dict, method: str, kind: str, for_labels: bool = False) -> tuple[str, list[str]]:
    """The kind of teacher and the method's pieces, with another teacher's piece where one is asked for."""
    pieces = list(methods["method"][method]["pieces"])
    kinds = methods["teacher"]
    own = next(name for name, table in kinds.items() if table["pieces"][0] in pieces)
    if not kind or kind == own:
        return own, pieces
    _require("teacher", kind, kinds)
    if kind == "plain" and "constraints" in pieces and not for_labels:
        raise SettingError(
            f"method {method!r} with teacher 'plain': its constraints need an attention head, which a plain teacher "
            "lacks. Take teacher 'probed', the same backbone with a head that only reads it."
        )
    place = pieces.index(kinds[own]["pieces"][0])
    return kind, pieces[:place] + kinds[kind]["pieces"] + pieces[place + 1 :]


def _teachers(
    layers: Layers,
    pieces: Sequence[str],
    given: Mapping[str, Any],
    asked: Mapping[str, Any],
    names: Sequence[str],
    seed_step: int,
) -> tuple[tuple[PretrainSettings, ...], dict[str, str]]:
    """One teacher's settings per name, and their sources; those that share a backbone get seeds ``seed_step`` apart."""
    made, sources = [], {}
    for position, name in enumerate(names):
        seed = given["seed"] + seed_step * names[:position].count(name)
        values, own = layers.resolve(pieces, {**given, "backbone": name, "seed": seed}, asked)
        made.append(build_stage("pretrain", values))
        prefix = f"pretrain[{position + 1}]" if position else "pretrain"
        sources |= {
            f"{prefix}.{key.removeprefix('pretrain.')}": text
            for key, text in own.items()
            if key.startswith("pretrain.")
        }
    return tuple(made), sources


def _plain(entries: dict[str, dict], name: str) -> Any:
    if name not in entries:
        raise SettingError(f"the recipe says nothing about {name}; give it explicitly.")
    return plain_value(entries[name])
