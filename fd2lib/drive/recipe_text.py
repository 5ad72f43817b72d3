"""Recipes for people: all of them, one in full, or two side by side, every value with its source."""

from typing import Any

from fd2lib.ground import (
    SCALES,
    Recipe,
    SettingError,
    list_bundles,
    list_methods,
    load_recipe,
    read_tables,
    require,
    unknown,
)

DEFAULT_METHOD = "sre2lpp_fd2"
NAME = "SCALE[/METHOD[/DATASET[/BACKBONE]]][@BUNDLE]"


def parse_recipe(name: str) -> Recipe:
    """Return the recipe that a name says: ``SCALE[/METHOD[/DATASET[/BACKBONE]]][@BUNDLE]``.

    What is left out: method ``sre2lpp_fd2``; data set ``plumage`` at toy scale, else ``cub200``; the scale's backbone.
    A bundle's name alone stands for that bundle at the paper's scale.

    Raises:
        SettingError: there is no such recipe, or it names a bundle, data set or network that there is not.
    """
    path, sign, bundle = name.strip().partition("@")
    if path not in SCALES and path in list_bundles() and not bundle:
        path, bundle = "paper", path
    scale, *rest = path.rstrip("/").split("/")
    if scale not in SCALES or len(rest) > 3 or (sign and not bundle):
        raise SettingError(f"{unknown('recipe', name, (*SCALES, *list_bundles()))} Names look like {NAME}.")
    method, dataset, backbone = (*rest, "", "", "")[:3]
    dataset = dataset or ("plumage" if scale == "toy" else "cub200")
    _require_known(scale, dataset, backbone)
    return load_recipe(scale, method=method or DEFAULT_METHOD, dataset=dataset, backbone=backbone, bundle=bundle)


def _require_known(scale: str, dataset: str, backbone: str) -> None:
    """Check names that recipes need not mention; most do, and what lists them all takes seconds to import."""
    tables = read_tables(scale)
    if dataset not in ("plumage", "cub200", *tables.get("dataset", {})):
        from fd2lib.data import list_datasets

        require("data set", dataset, list_datasets())
    if backbone and not any(backbone == pair.split("/")[1] for pair in tables.get("pair", {})):
        from fd2lib.models import resolve_name

        resolve_name(backbone)


def diff_recipes(first: Recipe, second: Recipe) -> dict[str, tuple[Any, Any]]:
    """Return the settings in which two recipes differ, as ``{"stage.setting": (first's, second's)}``."""
    ours, theirs = first.values(), second.values()
    pairs = {key: (ours.get(key, ""), theirs.get(key, "")) for key in ours | theirs}
    return {key: pair for key, pair in pairs.items() if pair[0] != pair[1]}


def format_recipe(recipe: Recipe) -> str:
    """Return every value of a recipe and where it comes from, a line each."""
    return _table([(key, _text(value), recipe.sources[key]) for key, value in recipe.values().items()])


def format_diff(first: str, second: str) -> str:
    """Return the settings in which two recipes differ, side by side, then where their values come from."""
    recipes = parse_recipe(first), parse_recipe(second)
    differing = diff_recipes(*recipes)
    if not differing:
        return "The two recipes are the same."
    values = [("", first, second)] + [(key, _text(ours), _text(theirs)) for key, (ours, theirs) in differing.items()]
    sources = [
        (key if not number else "", name, recipe.sources.get(key, ""))
        for key in differing
        for number, (name, recipe) in enumerate(zip((first, second), recipes, strict=True))
    ]
    return f"{_table(values)}\n\nWhere the values come from:\n\n{_table(sources)}"


def format_all() -> str:
    """Return every scale's values in full, and what each method and bundle changes in them, all with sources."""
    parts = []
    for scale in SCALES:
        base = parse_recipe(scale)
        parts.append(f"{scale} ({base.title}, {base.dataset}, {base.backbone})\n\n{format_recipe(base)}")
        others = {f"{scale}/{name}": title for name, title in list_methods().items() if name != DEFAULT_METHOD}
        others |= {f"{scale}@{name}": title for name, title in list_bundles().items()}
        parts += [_changes(base, name, title) for name, title in others.items()]
    return "\n\n".join(parts)


def _changes(base: Recipe, name: str, title: str) -> str:
    other = parse_recipe(name)
    rows = [(key, _text(theirs), other.sources.get(key, "")) for key, (_, theirs) in diff_recipes(base, other).items()]
    return f"{name} ({title}): as {base.scale}, but\n\n{_table(rows) if rows else '  nothing changes'}"


def _text(value: Any) -> str:
    return '""' if value == "" else str(value).lower() if isinstance(value, bool) else str(value)


def _table(rows: list[tuple[str, str, str]]) -> str:
    widths = [max(len(row[column]) for row in rows) for column in (0, 1)]
    return "\n".join(f"  {key:<{widths[0]}}  {value:<{widths[1]}}  {source}".rstrip() for key, value, source in rows)
