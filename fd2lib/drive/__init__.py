"""Drive: experiments, grids, plans, notebooks and the command line. Imports everything, nothing imports it."""

import typing

from fd2lib.ground import doors

if typing.TYPE_CHECKING:
    from fd2lib.drive.committed import PlannedStudy, committed_studies, committed_study
    from fd2lib.drive.experiment import Experiment
    from fd2lib.drive.jobs import Job, gather_rows, plan_jobs, run_job
    from fd2lib.drive.notebooks import run_notebook
    from fd2lib.drive.plans import Plan, list_plans, load_plan, planned
    from fd2lib.drive.questions import differences, evidence, planned_ladders, planned_verdicts
    from fd2lib.drive.request import GridRequest, Request, load_plugin
    from fd2lib.drive.runs import experiments_of, run_grid, run_plan, study_grid
    from fd2lib.drive.studies import (
        Arm,
        Study,
        grid_requests,
        list_studies,
        load_study,
        parse_studies,
        studies_found,
        study_rows,
    )

doors.open_at_first_use(__name__)
