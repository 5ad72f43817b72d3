"""Analyse: rows, runs and sets as numbers: summaries, differences, verdicts, costs. Nothing is drawn here."""

import typing

from fd2lib.ground import doors

if typing.TYPE_CHECKING:
    from fd2lib.analyse.budget import (
        LabelBudget,
        expected_label_bytes,
        label_budget,
        label_bytes,
        label_sizes,
        published_labels,
    )
    from fd2lib.analyse.controls import control_effects
    from fd2lib.analyse.costs import break_even, cost_rows, costs, spans, stored_bytes, timings, without_store
    from fd2lib.analyse.estimates import PEAKS, paper_estimates, passes_per_image
    from fd2lib.analyse.everyone import load_students
    from fd2lib.analyse.factorial import FACTORS, factor_effects, judged, teacher_results
    from fd2lib.analyse.grain import Ladder, gains, slopes, trends
    from fd2lib.analyse.learned import (
        MEASURED,
        geometry_differences,
        geometry_summary,
        load_attention,
        load_geometry,
        mass_differences,
        mass_summary,
    )
    from fd2lib.analyse.nested import nested_components, variance_components
    from fd2lib.analyse.paper import beside_paper, load_paper
    from fd2lib.analyse.reading import (
        GROUP,
        LEARNER,
        PLACE,
        SETTING,
        coverage,
        load_rows,
        parts,
        records,
        settings_behind,
    )
    from fd2lib.analyse.scores import SCORES, ranking_scores, robust_score
    from fd2lib.analyse.speed import growth, load_speed, speed_spans, time_shares, waits, whole_run
    from fd2lib.analyse.statistics import (
        BAND,
        DECIDED,
        NUMBERS,
        Interval,
        binomial_interval,
        contradictions,
        control_difference,
        interval,
        named,
        paired_difference,
        summarise,
    )
    from fd2lib.analyse.studies import (
        StudyResults,
        arm_differences,
        arm_means,
        compared,
        contrast_differences,
        shares,
        study_results,
        twins,
    )
    from fd2lib.analyse.verdicts import NOT_MEASURED, Contrast, counted_seeds, decide, holm, verdict_words, verdicts

doors.open_at_first_use(__name__)
