"""The study of controls: what labels bring with the images held fixed, and what images bring with the labels fixed."""

import pandas as pd

from fd2lib.analyse.studies import StudyResults, contrast_differences

# Panel -> arm, reference and title of each comparison: two arms that differ in one thing.
CONTROLS: dict[str, list[tuple[str, str, str]]] = {
    "Labels change, images stay": [
        ("random_hard", "random_soft", "real images: true classes − soft labels"),
        ("fd2_hard", "fd2_soft", "FD²'s images: true classes − soft labels"),
        ("random_cal", "random_soft", "real images: CAL's labels − plain labels"),
    ],
    "Images change, labels stay": [
        ("fd2_soft", "random_cal", "CAL's labels: FD²'s images − real ones"),
        ("fd2_hard", "random_hard", "true classes: FD²'s images − real ones"),
        ("rded", "random_soft", "plain labels: RDED's mosaics − real ones"),
    ],
}


def control_effects(results: StudyResults) -> dict[str, pd.DataFrame]:
    """Return :func:`contrast_differences` of the study of controls, by what changes: labels, or images."""
    return {title: contrast_differences(results, pairs) for title, pairs in CONTROLS.items()}
