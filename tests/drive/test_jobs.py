"""Plans as files, and the jobs that they are split into: nothing made twice, nothing missing."""

import csv
import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fd2lib.drive import gather_rows, grid_requests, list_plans, load_plan, plan_jobs, planned, run_job, run_plan
from fd2lib.drive.asked import resolve_recipe
from fd2lib.drive.cli import main
from fd2lib.drive.plans import GridRequest, Plan
from fd2lib.drive.request import Machine
from fd2lib.ground import ArtefactError, SettingError, load_recipe
from fd2lib.record import STUDENTS, put_rows, read_rows, row_identity

FAST = "pretrain.epochs=1 distill.iterations=2 relabel.epochs=2"
PLAN = f"""
scale = "toy"
seeds = "0"
ipc = "1,2"
overrides = "{FAST}"
[[parts]]
methods = "random,sre2lpp"
[[parts]]
study = "controls:random_soft,random_hard"
"""


def write(folder: Path, text: str) -> str:
    path = folder / "grid.toml"
    path.write_text(text, encoding="utf-8")
    return str(path)


def test_a_file_is_a_plan(tmp_path):
    plan = load_plan(write(tmp_path, PLAN))
    assert (plan.title, plan.file, plan.table) == ("grid", "runs.csv", STUDENTS)
    assert [(part.scale, part.methods, part.study) for part in plan.parts] == [
        ("toy", "random,sre2lpp", ""),
        ("toy", GridRequest().methods, "controls:random_soft,random_hard"),
    ]
    (alone,) = load_plan(write(tmp_path, 'scale = "toy"\nmethods = "rded"')).parts
    assert alone.methods == "rded"


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("scale = ", "cannot read a plan from .*expected a TOML file"),
        ('sedes = "0"', "unknown option 'sedes'. Did you mean 'seeds'"),
        ('rows = "teachers"', "unknown kind of rows 'teachers'"),
        ('device = "cuda"', "says device, which is its caller's; take it out"),
        ('[[parts]]\ndata_root = "/data"', "says data_root, which is its caller's"),
        ('parts = "cub200"', r"parts is 'cub200'; expected tables, each under \[\[parts\]\]"),
    ],
)
def test_a_file_that_is_none_says_why(text, told, tmp_path):
    with pytest.raises(SettingError, match=told):
        load_plan(write(tmp_path, text))
    with pytest.raises(SettingError, match="cannot read a plan from"):
        load_plan(str(tmp_path / "none.toml"))


STUDENT_PLANS = [name for name in list_plans() if load_plan(name).table is STUDENTS]


@pytest.mark.parametrize("name", STUDENT_PLANS)
def test_the_jobs_of_a_plan_make_all_of_its_rows_and_train_each_teacher_once(name):
    from fd2lib.drive.studies import request_identity

    plan = load_plan(name)
    jobs = plan_jobs(plan)
    made = {request_identity(request) for job in jobs.values() if not job.teacher for request in job.requests}
    assert made == set(planned(plan))
    trained = [(job.teacher, job.requests[0].dataset, job.requests[0].classes) for job in jobs.values() if job.teacher]
    assert len(trained) == len(set(trained))
    order = list(jobs)
    for job in jobs.values():
        assert all(jobs[need].teacher and order.index(need) < order.index(job.name) for need in job.needs)


@given(
    seeds=st.lists(st.integers(0, 3), min_size=1, max_size=3, unique=True),
    methods=st.lists(
        st.sampled_from(["random", "random_cal", "rded", "sre2lpp", "sre2lpp_fd2"]), min_size=1, unique=True
    ),
)
def test_a_plan_that_grows_keeps_the_jobs_that_it_had(seeds, methods):
    def jobs(seeds, methods):
        part = GridRequest(scale="toy", seeds=",".join(map(str, seeds)), methods=",".join(methods), ipc="1")
        return plan_jobs(Plan("grown", "", "runs.csv", STUDENTS, (part,)))

    whole = jobs(seeds, methods)
    for name, job in jobs(seeds[:1], methods[:1]).items():
        assert whole[name] == job or (job.teacher and whole[name].teacher == job.teacher)


def test_a_set_that_grows_is_another_job_of_the_same_images(tmp_path):
    def sets(arms):
        plan = load_plan(write(tmp_path, f'scale = "toy"\nseeds = "0"\nipc = "1"\nstudy = "controls:{arms}"'))
        return {name: job.requests for name, job in plan_jobs(plan).items() if not job.teacher}

    few, more = sets("random_soft"), sets("random_soft,random_hard")
    assert len(few) == len(more) == 1, "one set of images, with one kind of labels, then with two"
    assert few.keys() != more.keys() and [len(job) for job in (*few.values(), *more.values())] == [1, 2]


def test_the_plan_of_the_papers_table_asks_for_its_rows_as_the_paper_made_them():
    root = Path(__file__).parents[2]
    plan = load_plan(str(root / "examples" / "cluster" / "paper_table.toml"))
    requests = [request for part in plan.parts for request in grid_requests(part)]
    with open(root / "results" / "paper.csv", encoding="utf-8", newline="") as stream:
        table = {(row["dataset"], row["student"], row["ipc"]) for row in csv.DictReader(stream)}
    assert len(requests) == 90 and {(one.dataset, one.backbone, str(one.ipc)) for one in requests} == table
    for one in requests:
        own = load_recipe("paper", dataset=one.dataset, backbone=one.backbone, method=one.method, ipc=one.ipc)
        assert resolve_recipe(one) == own
    jobs = plan_jobs(plan).values()
    # Four networks with and without head for each data set; FADRM+'s images are the same for both students.
    assert [sum(job.kind == kind for job in jobs) for kind in ("teacher", "students")] == [3 * 4 * 2, 3 * (5 + 4)]


def test_jobs_make_the_rows_of_one_run_and_one_alone_makes_what_it_needs(tmp_path, caplog):
    plan = load_plan(write(tmp_path, PLAN)).on(Machine(device="cpu", runs_dir=str(tmp_path / "runs")))
    jobs = plan_jobs(plan)
    teacher, *sets = jobs
    assert jobs[teacher].teacher and [job.needs for job in jobs.values()] == [(), *[(teacher,)] * len(sets)]
    files = [tmp_path / f"{name}.csv" for name in sets]
    for name, path in zip(sets, files, strict=True):  # the first finds no teacher
        run_job(plan, name, path, progress=False)
    caplog.clear()
    with caplog.at_level("INFO"):
        run_job(plan, teacher, tmp_path / "teacher.json", progress=False)
    assert "pretrain: reusing" in caplog.text
    told = json.loads((tmp_path / "teacher.json").read_text(encoding="utf-8"))
    assert told["job"] == teacher and (Path(told["folder"]) / "manifest.json").is_file()

    gather_rows(plan, files, tmp_path / "jobs.csv")
    here = plan.on(Machine(device="cpu", runs_dir=str(tmp_path / "elsewhere")))
    run_plan(here, tmp_path / "whole.csv", progress=False)
    one, other = (
        {
            row_identity(row): (row["fingerprint"], row["last_top1"], row["best_top1"])
            for row in read_rows(tmp_path / name)
        }
        for name in ("jobs.csv", "whole.csv")
    )
    assert one == other and len(one) == len(planned(plan)) == 6

    with pytest.raises(ArtefactError, match=r"of 6 rows of plan .* are not in the files of its jobs"):
        gather_rows(plan, files[:1], tmp_path / "some.csv")
    assert not (tmp_path / "some.csv").exists()


def test_the_command_lists_jobs_and_refuses_half_of_a_question(tmp_path, capsys):
    path = write(tmp_path, PLAN)
    assert main(["jobs", path]) == 0
    listed = capsys.readouterr().out.splitlines()
    assert [line.split()[-1] for line in listed if line[0] != " "] == list(plan_jobs(load_plan(path)))
    assert main(["jobs", path, "--job", "some"]) == 2
    assert "give both to run a job, none to list them" in capsys.readouterr().err
    assert main(["jobs", path, "--job", "some", "--out", str(tmp_path / "out.csv")]) == 2
    assert "unknown job 'some'" in capsys.readouterr().err
    assert main(["jobs", "attention"]) == 2
    assert "jobs are of plans that train students" in capsys.readouterr().err


def test_rows_of_other_jobs_do_not_hide_that_some_are_missing(tmp_path, student):
    plan = load_plan(write(tmp_path, PLAN))
    put_rows([student(seed=9)], tmp_path / "other.csv")
    with pytest.raises(ArtefactError, match="6 of 6 rows"):
        gather_rows(plan, [tmp_path / "other.csv"], tmp_path / "all.csv")
