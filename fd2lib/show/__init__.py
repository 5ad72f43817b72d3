"""Show: tables, figures and viewers of what the rooms above found. No statistics, and no network runs here."""

import typing

from fd2lib.ground import doors

if typing.TYPE_CHECKING:
    from fd2lib.data import display_name as class_name
    from fd2lib.show.budgets import formats_table, label_budget_plot, label_tables
    from fd2lib.show.charts import (
        bytes_figure,
        entropy_figure,
        plane_figure,
        similarity_figure,
        stages_figure,
        student_curves,
        term_panels,
    )
    from fd2lib.show.contrasts import evidence_table, variance_table, verdict_plot, verdict_table
    from fd2lib.show.dots import difference_plot, dot_plot, factorial_plot, mass_figure, study_plot
    from fd2lib.show.effects import claims_plot, claims_table, effect_plot, effect_table, level_table
    from fd2lib.show.explorer import explorer
    from fd2lib.show.frames import Html, class_viewer, folded, is_live, points
    from fd2lib.show.grids import captioned_images, over_under, strip, to_pixels
    from fd2lib.show.html_tables import grouped_tables, html_table
    from fd2lib.show.ladders import gains_figure, gains_table, grain_pictures, trends_table
    from fd2lib.show.pages import (
        file_provenance,
        gallery_viewer,
        glue_intervals,
        glue_numbers,
        glue_spans,
        glue_table,
        headline,
        project_path,
        provenance_table,
        settings_table,
    )
    from fd2lib.show.pictures import (
        attention_figure,
        class_frames,
        class_rows,
        copies_figure,
        maps_figure,
        side_by_side,
    )
    from fd2lib.show.published import paper_table
    from fd2lib.show.students import everyone_table, write_everyone
    from fd2lib.show.style import BookFigure
    from fd2lib.show.tables import (
        break_even_table,
        bytes_table,
        costs_table,
        counts_table,
        coverage_table,
        differences_table,
        facts_table,
        geometry_table,
        pairs_table,
        registry_table,
        results_tables,
        shares_table,
        store_table,
        students_table,
        study_table,
    )
    from fd2lib.show.timing import estimates_table, growth_figure, time_tables
    from fd2lib.show.titles import method_title

doors.open_at_first_use(__name__)
