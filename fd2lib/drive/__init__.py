"""Drive: experiments, grids, notebooks and the command line. Imports everything, nothing imports it."""

from fd2lib.drive.experiment import Experiment, Request
from fd2lib.drive.grid import grid, run_grid
from fd2lib.drive.notebooks import run_notebook
from fd2lib.drive.studies import Arm, Study, list_studies, load_study, parse_studies, study_grid, study_rows

__all__ = [
    "Arm",
    "Experiment",
    "Request",
    "Study",
    "grid",
    "list_studies",
    "load_study",
    "parse_studies",
    "run_grid",
    "run_notebook",
    "study_grid",
    "study_rows",
]
