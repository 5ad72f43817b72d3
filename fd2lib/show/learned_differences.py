"""Differences between two teachers, or two methods' images, paired by seed: as rows, as a table, in sentences."""

from collections.abc import Sequence
from typing import Any

import pandas as pd

from fd2lib.show.frames import Html, sentences
from fd2lib.show.learned import MAP_TITLES, QUANTITIES, SPACE_TITLES, by_set
from fd2lib.show.statistics import interval, verdict
from fd2lib.show.tables import START_TITLES, html_table

_DIFFERENCE = ["set", "what", "where", "mean", "low", "high", "n", "verdict"]


def mass_differences(rows: pd.DataFrame) -> pd.DataFrame:
    """Return, for maps defined alike on both, mass of the CAL teacher minus the plain one, paired by seed.

    Returns:
        Columns ``set, what, where, mean, low, high, n, verdict``; in points of percent.
    """
    pairs = {name: (name, name) for name in ("class_activation", "channel_mean", "occlusion")}
    pairs["head_occlusion"] = ("head_occlusion", "occlusion")  # each network's own answer
    found = []
    for title, part in by_set(rows):
        for cal, plain in pairs.values():
            sides = [
                part[(part["teacher"] == teacher) & (part["map"] == kind)].groupby("seed")["mass"].mean()
                for teacher, kind in (("cal", cal), ("plain", plain))
            ]
            what = MAP_TITLES[cal] + (" (plain: backbone's)" if cal != plain else "")
            found.append(_difference(title, what, "", sides[0] - sides[1]))
    return pd.DataFrame([row for row in found if row["n"]], columns=_DIFFERENCE)


def _difference(title: str, what: str, where: str, gaps: pd.Series) -> dict[str, Any]:
    mean, low, high, number = interval(gaps)
    values = (title, what, where, mean, low, high, number, verdict(low, high, number))
    return dict(zip(_DIFFERENCE, values, strict=True))


def geometry_differences(
    rows: pd.DataFrame, a: str, b: str, spaces: Sequence[str] = ("imagenet", "judge")
) -> pd.DataFrame:
    """Return ``a − b`` of every quantity, space and start, paired by seed; columns as :func:`mass_differences`."""
    found = []
    made = rows[rows["images"] == "distilled"] if "images" in rows else rows
    for title, part in by_set(made):
        chosen = part[part["space"].isin(spaces)]
        for (space, start, ipc), group in chosen.groupby(["space", "start", "ipc"], sort=False):
            where = f"{SPACE_TITLES[space]}, {START_TITLES.get(start, start)}"
            for name in [name for name in QUANTITIES if name != "copies"]:
                sides = [group[group["method"] == method].groupby("seed")[name].mean() for method in (a, b)]
                found.append(_difference(f"{title}; {ipc} per class", QUANTITIES[name], where, sides[0] - sides[1]))
    return pd.DataFrame([row for row in found if row["n"]], columns=_DIFFERENCE)


def differences_table(differences: pd.DataFrame, digits: int = 1) -> Html:
    """Return paired differences as one table for each scale and set of images."""
    if differences.empty:
        return sentences("No seed was measured on both sides.")
    form = f"{{:+.{digits}f}}"
    parts = []
    for title, part in differences.groupby("set", sort=False):
        shown = part.assign(
            mean=[form.format(value).replace("-", "−") for value in part["mean"]],
            interval=[
                "one seed" if low != low else f"{form.format(low)} to {form.format(high)}".replace("-", "−")
                for low, high in zip(part["low"], part["high"], strict=True)
            ],
        )
        columns = ["what", *(["where"] if part["where"].any() else []), "mean", "interval", "n", "verdict"]
        parts.append(
            html_table(shown[columns], str(title), {"what": "", "mean": "mean difference", "n": "n (paired seeds)"})
        )
    return Html("<br>".join(parts))


def difference_sentences(differences: pd.DataFrame, what: str) -> list[str]:
    """Return for each scale and set which quantities a difference decides, counted from its rows.

    Args:
        differences: of :func:`mass_differences` or :func:`geometry_differences`.
        what: the difference in words.
    """
    if differences.empty:
        return [f"{what}: nothing was measured on both sides."]
    found = []
    for title, part in differences.groupby("set", sort=False):
        decided = part[part["verdict"] != "too few seeds"]
        parts = [
            f"{word}: {_counted(decided.loc[decided['verdict'] == name, 'what'])}"
            for name, word in (("above zero", "more"), ("below zero", "less"), ("undecided", "undecided"))
            if (decided["verdict"] == name).any()
        ]
        said = "; ".join(parts) if parts else "fewer than three paired seeds, so there is no verdict"
        by_chance = f" By chance alone about {0.05 * len(decided):.1f} of {len(decided)} would be decided."
        found.append(f"{what}, {title}. {said[0].upper()}{said[1:]}.{by_chance if len(decided) >= 5 else ''}")
    return found


def _counted(names: pd.Series) -> str:
    counts = names.value_counts(sort=False)
    return ", ".join(f"{name} ({number}×)" if number > 1 else str(name) for name, number in counts.items())
