"""Studies in words: tables of arms, and sentences that say what the differences decide."""

from collections.abc import Mapping
from typing import Any

import pandas as pd

from fd2lib.show.frames import Html, points, sentences
from fd2lib.show.statistics import DECIDED, pair_titles, summarise, with_interval
from fd2lib.show.studies import SAME, StudyResults, arm_differences, by_arm, not_measured, per_class, shares, twins
from fd2lib.show.tables import html_table, results_table

_VERDICTS = {
    "above zero": "better",
    "below zero": "worse",
    "undecided": "undecided",
    "too few seeds": "too few seeds for a verdict",
    SAME: "the same images and students",
}


def study_table(*studies: StudyResults) -> Html:
    """Return one table for each study and IPC: every arm's mean with its 95 % interval, and its paired difference."""
    parts = []
    for results in studies:
        parts += [] if len(results.rows) else [sentences(f"{results.title}: not measured.")]
        parts += [_table(results, arm_differences(results), ipc) for ipc in results.ipcs]
    return Html("<br>".join(parts or [sentences("Nothing was measured.")]))


def _table(results: StudyResults, differences: pd.DataFrame, ipc: int) -> Html:
    means = by_arm(summarise(results.rows, by=["ipc", "arm"]), ipc, "arm")
    gaps = by_arm(differences, ipc, "a")
    lines = []
    for arm, title in results.titles.items():
        mean, gap = means.get(arm), gaps.get(arm)
        lines.append({
            "arm": title,
            "mean": with_interval(**_ends(mean)) if mean else "not measured",
            "n": mean["n"] if mean else 0,
            "gap": with_interval(**_ends(gap), signed=True) if gap else "–",
            "pairs": str(gap["n"]) if gap else "–",
            "verdict": "reference" if arm == results.reference else gap["verdict"] if gap else "–",
        })  # fmt: skip
    if all(line["pairs"] in ("–", str(line["n"])) for line in lines):
        lines = [{name: value for name, value in line.items() if name != "pairs"} for line in lines]
    change = 100 * results.rows[results.rows["ipc"] == ipc].groupby("arm")["mean_pixel_change"].mean()
    if change.min() == 0 < change.max():  # images that were not moved stand beside some that were
        for arm, line in zip(results.titles, lines, strict=True):
            line["moved"] = f"{change[arm]:.1f}" if arm in change else "–"
    titles = {"arm": "", "mean": "top-1, % [95 % interval]", "gap": "minus the reference, points", "n": "n (seeds)"}
    titles["moved"] = "pixels moved, %"
    caption = f"{results.title.rstrip('?')}, {per_class(ipc)}; {results.scale} scale, {results.images}"
    caption += f", guessing {results.guessing:.1f} %"
    return html_table(pd.DataFrame(lines), caption, titles)


def _ends(row: Mapping[str, Any]) -> dict[str, float]:
    return {name: row[name] for name in ("mean", "low", "high")}


def study_sentences(*studies: StudyResults) -> list[str]:
    """Return in words what each arm's paired difference from the reference decides, and what was not measured."""
    return [text for results in studies for text in _sentences(results)]


def _sentences(results: StudyResults) -> list[str]:
    if results.rows.empty:
        return [f"{results.title}: not measured."]
    differences, found = arm_differences(results), []
    study = f"{results.scale.capitalize()} scale. {results.title.rstrip('?')}"
    reference, arms = results.titles[results.reference], set(results.rows["arm"])
    if len(arms) < 2:
        return [f"{study}: only “{results.titles[arms.pop()]}” was measured, so there is nothing to compare."]
    for ipc in results.ipcs:
        base = results.accuracies(results.reference, ipc)
        if base.empty:
            found.append(f"{study}, {per_class(ipc)}: the reference, {reference}, was not measured.")
            continue
        part = differences[differences["ipc"] == ipc]
        words = [_group(results, part, verdict) for verdict in _VERDICTS if (part["verdict"] == verdict).any()]
        against = f"against {reference} ({base.mean():.1f} %, n {len(base)}; guessing {results.guessing:.1f} %)"
        found.append(f"{study}, {per_class(ipc)}, {against}: {'; '.join(words) or 'nothing to compare'}.")
    for ipc, equal in twins(results):
        names = " and ".join(f"“{results.titles[arm]}”" for arm in equal)
        found.append(
            f"{study}: at {per_class(ipc)}, {names} are the same: equal images and equal students in every seed."
        )
    absent = not_measured(results)
    return found + ([f"{study}: not measured: {'; '.join(absent)}."] if absent else [])


def _group(results: StudyResults, part: pd.DataFrame, verdict: str) -> str:
    rows = part[part["verdict"] == verdict].to_dict("records")
    arms = [f"“{results.titles[row['a']]}” {with_interval(**_ends(row), signed=True)}" for row in rows]
    return f"{_VERDICTS[verdict]}: {', '.join(arms)}"


def decided_sentences(*studies: StudyResults, effects: pd.DataFrame | None = None) -> list[str]:
    """Return how many comparisons exclude zero, then each that does, in words.

    Args:
        studies: their paired differences from the reference count, where there are enough seeds.
        effects: main effects that count as well (see :func:`factor_effects`).
    """
    judged, found = 0, []
    for results in studies:
        differences = arm_differences(results)
        judged += differences["verdict"].isin((*DECIDED, "undecided")).sum()
        for row in differences[differences["verdict"].isin(DECIDED)].to_dict("records"):
            arm, reference = results.titles[row["a"]], results.titles[results.reference]
            gap = f"{with_interval(**_ends(row), signed=True)} points, n {row['n']}"
            found.append(f"{results.title.rstrip('?')}, {per_class(row['ipc'])}: “{arm}” − “{reference}” {gap}.")
    if effects is not None:
        judged += effects["verdict"].isin((*DECIDED, "undecided")).sum()
        clear = effects[effects["verdict"].isin(DECIDED)]
        found += effect_sentences(clear) if len(clear) else []
    if not judged:
        return ["Nothing was measured with enough seeds for a verdict."]
    scales = " and ".join(dict.fromkeys(results.scale for results in studies if results.scale))
    told = f"Of {judged} comparisons at the {scales} scale, the intervals of {len(found)} exclude zero"
    return [f"{told}; if nothing differed, about {judged / 20:.0f} would.", *found]


def effects_table(effects: pd.DataFrame) -> Html:
    """Return :func:`factor_effects` as a table."""
    if effects.empty:
        return points(effect_sentences(effects))
    return results_table(effects.rename(columns={"over": "averaged over settings"}), "Main effects")


def effect_sentences(effects: pd.DataFrame) -> list[str]:
    """Return :func:`factor_effects` in words, one sentence for each effect and IPC."""
    if effects.empty:
        return ["No factor has two levels measured, so there is no main effect."]
    found = []
    for title, row in zip(pair_titles(effects), effects.itertuples(index=False), strict=True):
        place = f"{row.scale.capitalize()} scale. {title[0].upper()}{title[1:]}, {per_class(row.ipc)}"
        difference = with_interval(row.mean, row.low, row.high, signed=True)
        found.append(f"{place}, averaged over {row.over} settings: {difference} points, n {row.n}, {row.verdict}.")
    return found


def share_sentences(results: StudyResults, *of: str) -> list[str]:
    """Return :func:`shares` of each of some arms in words, one sentence for each of them and each IPC."""
    return [text for arm in of for text in _shares(results, arm)]


def _shares(results: StudyResults, of: str) -> list[str]:
    table, whole, found = shares(results, of), results.titles[of], []
    for ipc, part in table.groupby("ipc"):
        top = results.accuracies(of, ipc).mean()
        others = [
            f"“{results.titles[row['arm']]}” {with_interval(**_ends(row))}"
            for row in part.to_dict("records")
            if row["arm"] != of
        ]
        seeds = f"n {part['n'].min()}" + (f" to {part['n'].max()}" if part["n"].nunique() > 1 else "")
        place = f"{results.scale.capitalize()} scale, {per_class(ipc)}"
        found.append(f"{place}: “{whole}” reaches {top:.1f} %. In % of that ({seeds}): {', '.join(others)}.")
    return found or [f"Shares of “{whole}”: not measured."]


def study_numbers(results: StudyResults, name: str, ipc: int, of: str) -> dict[str, float]:
    """Return a study's numbers under names that a page's text can use (see :func:`glue_numbers`).

    Args:
        results: of a study.
        name: what the names start with.
        ipc: images per class.
        of: the arm that shares are of.

    Returns:
        For each arm measured, in %: ``NAME_ARM``, its mean accuracy, and ``NAME_share_ARM``, its share of ``of``'s.
    """
    means = by_arm(summarise(results.rows, by=["ipc", "arm"]), ipc, "arm")
    parts = by_arm(shares(results, of), ipc, "arm")
    return {f"{name}_{arm}": row["mean"] for arm, row in means.items()} | {
        f"{name}_share_{arm}": row["mean"] for arm, row in parts.items()
    }
