"""What the costs say, in sentences that are computed, so that they read right whatever the numbers are."""

import math

import pandas as pd

from fd2lib.show.costs import BY, COMPARED, LOGIT_BYTES, PLACE, STAGES, WHOLE, break_even, costs, plain_teachers
from fd2lib.show.style import method_title

SAME = 0.02  # sizes within this share of each other count as equal
STEADY = 1.5  # times for the same work within this factor count as comparable


def seconds_sentences(rows: pd.DataFrame) -> list[str]:
    """Return how far seconds can be trusted: how long the same training of the same student took in different rows."""
    found = []
    timed = rows[(rows["evaluate_images"] > 0) & (rows["evaluate_seconds"] > 0)]
    for key, part in timed.groupby([*PLACE, "device"], sort=False):
        same = part.groupby([*COMPARED, "evaluate_images"])["evaluate_seconds"].agg(["min", "max", "size"])
        same = same[same["size"] > 1]
        if same.empty:
            continue
        low, high = same.loc[(same["max"] / same["min"]).idxmax(), ["min", "max"]]
        verdict = (
            "that is what else the machine was doing, so count images, not seconds."
            if high > STEADY * low
            else "so seconds compare within this machine."
        )
        found.append(
            f"{place_words(key)}: the same training of a student took from {low:,.0f} to {high:,.0f} s, "
            f"a factor of {high / low:.1f}; {verdict}"
        )
    return found


def stage_sentences(rows: pd.DataFrame) -> list[str]:
    """Return, for each scale and set of images, which stage passes most images through networks."""
    found = []
    columns = [f"{stage}_images" for stage in STAGES]
    table = costs(rows[rows["method"] != WHOLE].dropna(subset=columns), "images")
    for place, part in table.groupby(PLACE, sort=False):
        top = part.loc[part[columns].sum(axis=1).idxmax()]
        total, stage = top[columns].sum(), top[columns].astype(float).idxmax()
        share = 100 * top[stage] / total
        found.append(
            f"{place_words(place)}: the dearest set is that of {method_title(top['method'])}, {total / 1000:,.1f} "
            f"thousand images through networks to make it and train one student, {share:.0f} % of them to "
            f"{stage.split('_')[0]}."
        )
    return found


def bytes_sentences(table: pd.DataFrame) -> list[str]:
    """Return whether images or labels take more of a set's bytes, and how they compare with the whole training set's.

    Args:
        table: :func:`fd2lib.show.stored_bytes`.
    """
    found = []
    for place, part in table.groupby(PLACE, sort=False):
        soft, whole = part[part["labels"] > 0], part[part["method"] == WHOLE]
        if soft.empty:
            continue
        sentence = f"{place_words(place)}: {_ratio_words(soft['ratio'].min(), soft['ratio'].max())}"
        if len(whole):
            least, most = (whole["total"].mean() / soft["total"].agg(end) for end in ("max", "min"))
            sentence += f"; the whole training set takes {span(least, most)} times the bytes of a set with labels"
        found.append(f"{sentence}. {_doubling_words(soft)}".rstrip())
    return found


def teacher_sentences(rows: pd.DataFrame) -> list[str]:
    """Return what the plain teacher reaches, itself trained on the whole set, beside students on the best set."""
    found = []
    for place, part in plain_teachers(rows).groupby(PLACE, sort=False):
        accuracy, images = part["teacher_top1"].mean(), part["pretrain_images"].mean()
        here = rows[(rows[PLACE] == list(place)).all(axis=1) & (rows["method"] != WHOLE)]
        best = here.groupby(BY)["last_top1"].mean().max()
        work = f" after {images / 1000:,.1f} thousand images" if images == images else ""
        found.append(
            f"{place_words(place)}: the plain teacher is itself a network trained on the whole set, {accuracy:.1f} %"
            f"{work}; students on the best set reach {best:.1f} % on average. Who needs a single network has one "
            "before any image is distilled."
        )
    return found


def break_even_sentences(rows: pd.DataFrame) -> list[str]:
    """Return whether and when making a set pays off, counted in images, and what its students lose or gain by it."""
    found, compared = [], break_even(rows)
    for place, _ in rows.groupby(PLACE, sort=False):
        part = compared[(compared[PLACE] == list(place)).all(axis=1)]
        known = part["students"].dropna()
        if known.empty:
            found.append(f"{place_words(place)}: without images counted for a student on the whole set, nothing is "
                         "said about paying off.")  # fmt: skip
            continue
        paying = known[known < math.inf]
        never = len(known) - len(paying)
        sentence = f"{place_words(place)}, counted in images: "
        if len(paying):
            first, last = int(paying.min()), int(paying.max())
            when = f"from student {first:,} on"
            if last > first:
                when = f"the first {when}, the last from student {last:,} on"
            sentence += f"{len(paying)} of {len(known)} sets pay{'s' * (len(paying) == 1)} off, {when}"
        sentence += "; " * bool(len(paying) and never)
        sentence += f"{never} of {len(known)} never do{'es' * (never == 1)}" if never else ""
        found.append(f"{sentence}. {_accuracy_words(part['mean'] - part['whole_mean'])}")
    return found


def store_sentences(table: pd.DataFrame) -> list[str]:
    """Return what storing no labels saves: bytes less those of the networks that must be kept.

    Args:
        table: :func:`fd2lib.show.without_store`.
    """
    found = []
    for place, part in table.groupby(PLACE, sort=False):
        ratio = part["teachers"] / part["labels"]
        low, high = ratio.min(), ratio.max()
        if low > 1:
            words = f"the teachers that must then be kept take {span(low, high)} times the bytes of the labels: more"
        elif high < 1:
            words = f"the labels take {span(1 / high, 1 / low)} times the bytes of the teachers kept instead: less"
        else:
            words = f"the teachers kept instead take {span(low, high)} times the bytes of the labels: it depends"
        share = part["again_images"].mean() / 1000
        found.append(
            f"{place_words(place)}: without stored labels, {words}; and each student asks them about "
            f"{share:,.1f} thousand images again, on average over these sets."
        )
    return found


def published_sentence(table: pd.DataFrame) -> str:
    """Return whether the release's label sizes agree with the formula, and what the labels are beside pixels.

    Args:
        table: :func:`fd2lib.show.published_labels`.
    """
    known = table.dropna(subset=["release"])
    if known.empty:
        return "The release gives no sizes for these images."
    factor = known["release"] / known["formula"]
    if (factor - 1).abs().max() < SAME:
        words = "agree with the formula"
    else:
        words = f"are {span(factor.min(), factor.max(), 2)} times what the formula gives"
        taken = known["logit_bytes"]
        words += f", that is {span(taken.min(), taken.max())} bytes a logit where half precision takes {LOGIT_BYTES}"
        if (taken / 4 - 1).abs().max() < SAME:
            words += ": as much as single precision, or as two copies; sizes alone do not say which"
    pixels = known["formula"] / known["pixels"]
    return (
        f"Paper scale: the release's sizes {words}. By the formula alone the labels take "
        f"{span(pixels.min(), pixels.max(), 2)} times the images' uncompressed pixels."
    )


def _doubling_words(soft: pd.DataFrame) -> str:
    """What twice the bytes buy, from the smallest to the largest set of each method."""
    gains = []
    for _, sets in soft.groupby([*COMPARED, "start", "method"]):
        small, large = sets.loc[sets["total"].idxmin()], sets.loc[sets["total"].idxmax()]
        if large["total"] > small["total"]:
            gains.append((large["mean"] - small["mean"]) / math.log2(large["total"] / small["total"]))
    if not gains:
        return ""
    bought = span(min(gains), max(gains))
    return f"Twice the bytes, spent on more images per class, buy {bought} points, depending on the method."


def _accuracy_words(gaps: pd.Series) -> str:
    low, high = gaps.min(), gaps.max()
    if low != low:
        return ""
    start = "Their students' mean accuracy"
    if high <= 0:
        return f"{start} lies {span(-high, -low)} points below that of students on the whole set."
    if low >= 0:
        return f"{start} lies {span(low, high)} points above that of students on the whole set."
    return f"{start} lies between {-low:.1f} points below and {high:.1f} above that of students on the whole set."


def _ratio_words(low: float, high: float) -> str:
    if high < 1:
        return f"images take {span(1 / high, 1 / low)} times the bytes of the labels"
    return f"labels take {span(low, high)} times the bytes of the images"


def span(low: float, high: float, digits: int = 1) -> str:
    """Return one number, or two where they differ as written."""
    first, last = (f"{value:,.{digits}f}".replace("-", "−") for value in (low, high))
    return first if first == last else f"{first} to {last}"


def place_words(key: tuple) -> str:
    """Return scale and set of images, the first two of a group's values, in words."""
    return f"{str(key[0]).capitalize()} scale, {key[1]}"
