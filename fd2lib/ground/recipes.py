"""Recipes: TOML tables that say what every setting is, and where the value comes from.

A recipe is resolved from (scale, bundle, data set, backbone, method); :mod:`fd2lib.ground.layers` says how tables are
laid over one another. Methods are data: ``methods.toml`` lists, for each, the scale-independent pieces it is made of.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from fd2lib.ground.errors import SettingError, require
from fd2lib.ground.layers import SEED_OFFSETS, Layers, Resolved, parse_overrides
from fd2lib.ground.ranks import world
from fd2lib.ground.recipe import Recipe
from fd2lib.ground.recipe_files import SCALES, read_tables
from fd2lib.ground.settings import PretrainSettings


def list_methods() -> dict[str, str]:
    """Return every method's name and display title."""
    return _titles(read_tables("methods")["method"])


def list_teacher_kinds() -> dict[str, str]:
    """Return every kind of teacher and its display title."""
    return _titles(read_tables("methods")["teacher"])


def list_bundles() -> dict[str, str]:
    """Return every bundle's name and display title."""
    return _titles(read_tables("bundles"))


def _titles(tables: Mapping[str, Any]) -> dict[str, str]:
    return {name: table["title"] for name, table in tables.items()}


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
    teacher_kind: str = "",
    label_teacher_kind: str = "",
    teacher_backbones: str = "",
    student: str = "",
    overrides: Mapping[str, Any] | str | None = None,
    strict: bool = True,
) -> Recipe:
    """Resolve a recipe.

    Args:
        scale: ``toy``, ``reduced`` or ``paper``.
        dataset: a registered data set; sets without tables of their own take the scale's defaults.
        method: one of :func:`list_methods`.
        backbone: teacher and student; empty takes the scale's default for the data set.
        ipc: images per class.
        seed: seed of every stage that no setting gives another.
        image_size: pixels; 0 takes the scale's default for the data set.
        classes: class subset; ``None`` takes the scale's default for the data set, ``""`` all classes.
        bundle: ``paper`` or ``release`` sets everything that the two read differently; empty keeps the scale's values.
        teacher_kind: of the teachers that make the images, one of :func:`list_teacher_kinds`; empty: the method's.
        label_teacher_kind: of the teachers that make the labels; empty takes the images'.
        teacher_backbones: the teachers' networks, by blanks; empty: the method's (most have one: ``backbone``).
        student: the student's backbone; empty takes ``backbone``.
        overrides: ``{"distill.iterations": 100}``, or the same as ``"distill.iterations=100 pretrain.epochs=3"``.
        strict: an override that the method does not allow is an error; else it is left out and in ``not_followed``.

    Raises:
        SettingError: an unknown scale, method, bundle, kind or setting, a value out of range, or an override that the
            method does not allow.
    """
    methods = read_tables("methods")
    require("method", method, methods["method"])
    layers = Layers(_tables(scale, bundle), methods["piece"], dataset, parse_overrides(overrides))
    kind, pieces = _with_teacher(methods, method, teacher_kind)
    label_kind, label_pieces = _with_teacher(methods, method, label_teacher_kind or kind, for_labels=True)
    chosen = backbone or layers.general("", pieces)[0].backbone
    general, sources = layers.general(chosen, pieces)
    given = {"backbone": chosen, "student": student or chosen, "ipc": ipc, "seed": seed, "threads": general.threads}
    given |= {name: getattr(general, name) for name in SEED_OFFSETS.values()}
    given["processes"] = general.processes or world()
    resolved = layers.resolve(pieces, given)
    not_followed = tuple(f"{key}={layers.asked[key]}: fixed at {why}" for key, why in resolved.refused.items())
    if strict and resolved.refused:
        raise SettingError(_not_followed(layers, methods, method, resolved))
    names = (teacher_backbones or general.teacher_backbones or chosen).split()
    makers, maker_sources = _teachers(layers, pieces, given, names, general.seed_step, resolved)
    labellers = makers
    if label_pieces != pieces:
        labellers = _teachers(layers, label_pieces, given, names, general.seed_step)[0]
    scorers: tuple[PretrainSettings, ...] = ()
    if resolved.settings("distill").scorer == "plain":
        plain = _with_teacher(methods, method, "plain", for_labels=True)[1]
        scorers = _teachers(layers, plain, given, names[:1], general.seed_step)[0]
    caller = {"image_size": image_size, "classes": classes is not None, "teacher_backbones": teacher_backbones}
    sources |= {f"general.{name}": "caller" for name, given_by_caller in caller.items() if given_by_caller}
    return Recipe(
        scale=scale,
        dataset=dataset,
        backbone=chosen,
        method=method,
        title=methods["method"][method]["title"],
        bundle=bundle,
        headline=general.headline,
        image_size=image_size or general.image_size,
        classes=general.classes if classes is None else classes,
        teacher_kind=kind,
        label_teacher_kind=label_kind,
        teacher_settings=makers,
        label_teacher_settings=labellers,
        scorer_settings=scorers[0] if scorers else None,
        sources=resolved.sources | maker_sources | sources,
        not_followed=not_followed,
        **{stage: resolved.settings(stage) for stage in ("distill", "relabel", "evaluate")},
    )


def _not_followed(layers: Layers, methods: Mapping[str, Any], method: str, resolved: Resolved) -> str:
    """The sentence about the first override that a method does not allow, with the methods that do."""
    key, why = next(iter(resolved.refused.items()))
    stage, name = key.split(".", 1)

    def fixes(pieces: Sequence[str]) -> bool:
        return any(name in layers.fixing[piece].get(stage, {}) for piece in pieces)

    free = [other for other, table in methods["method"].items() if not fixes(table["pieces"])]
    remedy = f"Take a method that leaves it open ({', '.join(free)}), or leave it away." if free else "Leave it away."
    return f"override {key}={layers.asked[key]} is not of method {method!r}, which fixes it at {why}. {remedy}"


def _tables(scale: str, bundle: str) -> list[Mapping[str, Any]]:
    """The scale's tables, then the bundle's where one is asked for."""
    require("scale", scale, SCALES)
    if not bundle:
        return [read_tables(scale)]
    require("bundle", bundle, read_tables("bundles"))
    return [read_tables(scale), read_tables("bundles")[bundle]]


def _with_teacher(
    methods: Mapping[str, Any], method: str, kind: str, for_labels: bool = False
) -> tuple[str, list[str]]:
    """The kind of teacher and the method's pieces, with another teacher's piece where one is asked for."""
    pieces: list[str] = list(methods["method"][method]["pieces"])
    for piece in pieces:
        require("piece", piece, methods["piece"])
    kinds = methods["teacher"]
    own = next((name for name, table in kinds.items() if table["pieces"][0] in pieces), "")
    require(f"teacher among the pieces of {method}:", own, kinds)
    if not kind or kind == own:
        return own, pieces
    require("kind of teacher", kind, kinds)
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
    names: Sequence[str],
    seed_step: int,
    there: Resolved | None = None,
) -> tuple[tuple[PretrainSettings, ...], dict[str, str]]:
    """One teacher's settings per name, and their sources; those that share a backbone get seeds ``seed_step`` apart.

    What is ``there`` was resolved of the same pieces and what is given.
    """
    made: list[PretrainSettings] = []
    sources: dict[str, str] = {}
    for position, name in enumerate(names):
        seed = given["seed"] + seed_step * names[:position].count(name)
        own = {**given, "backbone": name, "seed": seed}
        resolved = there if there and own == given else layers.resolve(pieces, own)
        made.append(resolved.settings("pretrain"))
        prefix = f"pretrain[{position + 1}]" if position else "pretrain"
        told = {key: text for key, text in resolved.sources.items() if key.startswith("pretrain.")}
        sources |= {key.replace("pretrain", prefix, 1): text for key, text in told.items()}
    return tuple(made), sources
