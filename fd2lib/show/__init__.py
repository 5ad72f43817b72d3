"""Show: figures, tables and viewers made from artefacts and result rows. No training happens here."""

from fd2lib.show.attention import (
    Look,
    attention_figure,
    attention_frames,
    confused_pairs,
    examples,
    look,
    over_under,
    overlay,
)
from fd2lib.show.curves import entropy_figure, history_lines, label_entropy, student_curves, term_panels, top_labels
from fd2lib.show.distilled import class_frames, pixel_changes, side_by_side
from fd2lib.show.frames import Html, browse, frames_html, is_live, sentences, viewer
from fd2lib.show.images import captioned_images, encode_picture, image_grid, spread, strip, to_pixels
from fd2lib.show.page import file_provenance, glue_numbers, headline, project_path, provenance_table, settings_table
from fd2lib.show.prototypes import (
    class_centres,
    closest_pairs,
    cosine_matrix,
    lookalike_order,
    similarity_figure,
)
from fd2lib.show.results import difference_plot, dot_plot
from fd2lib.show.splits import lookalikes, mean_thumbnails, of_class, pixel_twins
from fd2lib.show.statistics import (
    GROUP,
    SETTING,
    binomial_interval,
    interval,
    load_rows,
    paired_difference,
    summarise,
    verdict,
    verdict_sentence,
)
from fd2lib.show.style import BookFigure, method_style, method_title
from fd2lib.show.tables import facts_table, html_table, results_table, students_table

__all__ = [
    "GROUP",
    "SETTING",
    "BookFigure",
    "Html",
    "Look",
    "attention_figure",
    "attention_frames",
    "binomial_interval",
    "browse",
    "captioned_images",
    "class_centres",
    "class_frames",
    "closest_pairs",
    "confused_pairs",
    "cosine_matrix",
    "difference_plot",
    "dot_plot",
    "encode_picture",
    "entropy_figure",
    "examples",
    "facts_table",
    "file_provenance",
    "frames_html",
    "glue_numbers",
    "headline",
    "history_lines",
    "html_table",
    "image_grid",
    "interval",
    "is_live",
    "label_entropy",
    "load_rows",
    "look",
    "lookalike_order",
    "lookalikes",
    "mean_thumbnails",
    "method_style",
    "method_title",
    "of_class",
    "over_under",
    "overlay",
    "paired_difference",
    "pixel_changes",
    "pixel_twins",
    "project_path",
    "provenance_table",
    "results_table",
    "sentences",
    "settings_table",
    "side_by_side",
    "similarity_figure",
    "spread",
    "strip",
    "student_curves",
    "students_table",
    "summarise",
    "term_panels",
    "to_pixels",
    "top_labels",
    "verdict",
    "verdict_sentence",
    "viewer",
]
