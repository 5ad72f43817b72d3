"""What the room offers at its door, each name once; importing it imports the whole library."""

from fd2lib.drive.committed import PlannedStudy, committed_studies, committed_study
from fd2lib.drive.experiment import Experiment
from fd2lib.drive.jobs import Job, gather_rows, plan_jobs, run_job
from fd2lib.drive.notebooks import run_notebook
from fd2lib.drive.plans import Plan, list_plans, load_plan, planned, run_plan
from fd2lib.drive.questions import differences, evidence, planned_verdicts
from fd2lib.drive.request import GridRequest, Request, load_plugin
from fd2lib.drive.studies import (
    Arm,
    Study,
    experiments_of,
    grid_requests,
    list_studies,
    load_study,
    parse_studies,
    run_grid,
    studies_found,
    study_grid,
    study_rows,
)
