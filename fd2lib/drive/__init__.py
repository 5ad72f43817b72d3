"""Drive: experiments, grids, notebooks and the command line. Imports everything, nothing imports it."""

from fd2lib.drive.experiment import Experiment, Request
from fd2lib.drive.grid import grid, run_grid
from fd2lib.drive.notebooks import run_notebook

__all__ = ["Experiment", "Request", "grid", "run_grid", "run_notebook"]
