# Which notebooks run, with which parameters, into which pages; and grids of experiments.
#
# The book at toy scale, what `make book` does:
#   snakemake --cores 1
# The same pages at another scale or for own images; any parameter of a notebook goes to each notebook that has it,
# `out` is the folder of executed notebooks:
#   snakemake --cores 1 --config scale=reduced dataset=cub200 data_root=/data out=runs/pages-cub
# A grid: the jobs of a plan, a name or a TOML file, then a table of all rows and its pages. Profiles of
# examples/cluster/ run the same on this machine, on Slurm or on Kubernetes (the book's page on clusters):
#   snakemake --profile examples/cluster/local --config plan=my_grid.toml data_root=/data out=my_results
# Small grids need no file: `datasets` and options of `fd2lib run` become OUT/plan.toml:
#   snakemake --cores 1 --config datasets=cub200,flowers102 seeds=0,1,2 data_root=/data scale=reduced
#   snakemake --cores 1 --config datasets=cub200 study="parts factorial:cal_on_cal,plain_off_plain" data_root=/data
import dataclasses
import json
import os
import shlex
import sys
from pathlib import Path

GRID = "datasets" in config or "plan" in config
OUT = str(config.get("out", "runs/grid" if GRID else "book/executed"))
NOTEBOOKS = sorted(path.stem for path in Path("notebooks").glob("*.ipynb"))
# The first page runs every stage; pages that run none follow, rather than that others wait for what it makes; of those
# the last, which are the longest, come first.
RUNNING = [name for name in NOTEBOOKS if "runs_dir = " in Path(f"notebooks/{name}.ipynb").read_text(encoding="utf-8")]
READING = [name for name in NOTEBOOKS if name not in RUNNING or name >= "60"]  # the committed rows
IN_TURN = [*RUNNING[:1], *(name for name in NOTEBOOKS if name not in RUNNING), *reversed(RUNNING[1:])]
LIBRARY = sorted(str(path) for pattern in ("*.py", "*.toml", "*.css", "*.js") for path in Path("fd2lib").rglob(pattern))
RESULTS = sorted(str(path) for path in Path("results").rglob("*") if path.suffix in {".csv", ".png"})
# Snakemake reads config values as YAML; the command line reads the text again, as each parameter's own type.
GIVEN = {key: str(value) for key, value in config.items() if key != "out"}
ACCEPTED = {name: set() for name in NOTEBOOKS}
PYTHON = sys.executable  # each process asks anew: a job elsewhere has another


def require_notebook_parameters():
    """Fill in what notebooks accept; leave with an error for what none does, and for a value that does not fit."""
    from fd2lib.drive.notebooks import notebook_parameters, parse_parameters
    from fd2lib.ground import Fd2Error, unknown

    try:
        for name in NOTEBOOKS:
            ACCEPTED[name] = set(notebook_parameters(f"notebooks/{name}.ipynb"))
            mine = {key: value for key, value in GIVEN.items() if key in ACCEPTED[name]}
            parse_parameters(f"notebooks/{name}.ipynb", mine)
    except Fd2Error as error:
        sys.exit(str(error))
    known = sorted(set().union(*ACCEPTED.values()))
    for key in GIVEN:
        if key not in known:
            sys.exit(unknown("notebook parameter", key, (*known, "out", "plan", "datasets")))


def parameters_for(name):
    """Command-line words for the parameters given that this notebook has."""
    mine = {key: value for key, value in sorted(GIVEN.items()) if key in ACCEPTED[name]}
    return " ".join(f"-p {key} {shlex.quote(value)}" for key, value in mine.items())


def behind(name):
    """What lies behind a page besides its parameters: another text where images or tables that it is given changed."""
    from fd2lib.data.places import images_state
    from fd2lib.ground.paths import folder_state

    mine = {key: os.path.expanduser(value) for key, value in GIVEN.items() if key in ACCEPTED[name]}
    tables = ("project", "attention", "geometry", "gallery", *(["results"] if name >= "55" else []))
    # Notebooks run in their own folder.
    seen = folder_state(*(os.path.join("notebooks", mine[key]) for key in tables if mine.get(key)))
    root = os.path.join("notebooks", mine["data_root"]) if mine.get("data_root") else ""
    return " ".join([seen, *(images_state(one, root) for one in mine.get("dataset", "plumage").split())])


def written_plan(given):
    """OUT/plan.toml from the settings of a small grid, a part for each data set."""
    from fd2lib.ground import atomic_path

    # Texts are written in TOML as in JSON.
    told = {key: json.dumps(value, ensure_ascii=False) for key, value in given.items() if key != "datasets"}
    settings = [f"{key} = {text}" for key, text in sorted(told.items())]
    parts = [f"[[parts]]\ndataset = {json.dumps(name.strip())}" for name in given["datasets"].split(",")]
    path = Path(OUT) / "plan.toml"
    path.parent.mkdir(parents=True, exist_ok=True)
    with atomic_path(path) as temporary:
        temporary.write_text("\n".join([*settings, *parts, ""]), encoding="utf-8")
    return str(path)


def grid():
    """The plan, what the machine is told, and the plan's jobs and pages as plain tables, or leave with an error."""
    # Imported only where needed: the library takes seconds to import, and this file is parsed on every call.
    from fd2lib.data.places import images_state
    from fd2lib.drive import GridRequest, load_plan, plan_jobs
    from fd2lib.drive.request import Machine, todays_names
    from fd2lib.ground import Fd2Error, SettingError, write_json

    try:
        asked = {key: value for key, value in GIVEN.items() if key not in ("datasets", "plan")}
        asked = todays_names(asked, GridRequest)
        machine = {field.name: asked.pop(field.name) for field in dataclasses.fields(Machine) if field.name in asked}
        seeds = asked.pop("seeds", "") if "plan" in GIVEN else ""
        if "plan" in GIVEN and (asked or "datasets" in GIVEN):
            also = [*asked, "datasets"][0]
            raise SettingError(f"plan {GIVEN['plan']!r} says what is run, and so does {also}; give one of the two.")
        Machine(**machine).load()
        name = GIVEN["plan"] if "plan" in GIVEN else written_plan({**asked, "datasets": GIVEN["datasets"]})
        plan = load_plan(name).on(Machine(**machine)).of_seeds(seeds)
        jobs = plan_jobs(plan)
        told = {name: {key: getattr(job, key) for key in ("kind", "needs", "threads")} for name, job in jobs.items()}
        studies = {f"studies-{part.dataset}-{place}": part for place, part in enumerate(plan.parts, 1) if part.study}
        pages = {page: study_parameters(part) for page, part in studies.items()}
        root, sets = machine.get("data_root", ""), sorted({part.dataset for part in plan.parts})
        images = " ".join(images_state(one, root) for one in sets)  # other images, other rows
        table = {"plan": name, "seeds": seeds, "machine": machine, "jobs": told, "pages": pages, "images": images}
        if workflow.is_main_process:
            TABLE.parent.mkdir(parents=True, exist_ok=True)
            write_json(TABLE, table)
    except Fd2Error as error:
        sys.exit(f"grid setting: {error}")
    return table


def study_parameters(part):
    """Command-line words for the page of a study: what its jobs were given, under the notebook's names."""
    names = {"study": "studies"}
    wanted = ("dataset", "scale", "study", "ipc", "seeds", "overrides", "image_set", "classes", "image_size")
    words = {names.get(key, key): getattr(part, key) for key in (*wanted, "backbone", "bundle", "device")}
    # The notebook runs in its own folder.
    words |= {key: os.path.abspath(value) for key in ("data_root", "runs_dir") if (value := getattr(part, key))}
    return " ".join(f"-p {name} {shlex.quote(str(value))}" for name, value in words.items())


if GRID:
    # Jobs read what the main process wrote for them: it resolved the plan, which takes seconds.
    TABLE = Path(OUT) / "jobs.json"
    there = TABLE.is_file() and not workflow.is_main_process
    ASKED = json.loads(TABLE.read_text(encoding="utf-8")) if there else grid()
    JOBS = ASKED["jobs"]
    MACHINE = " ".join(f"--{key.replace('_', '-')} {shlex.quote(text)}" for key, text in ASKED["machine"].items())
elif GIVEN:
    require_notebook_parameters()


def file_of(job):
    """What a job leaves."""
    return f"{OUT}/teachers/{job}.json" if JOBS[job]["kind"] == "teacher" else f"{OUT}/students/{job}.csv"


GRID_PAGES = [] if not GRID else [f"{OUT}/{name}.ipynb" for name in ASKED["pages"]] or [f"{OUT}/results.ipynb"]


rule all:
    input:
        [f"{OUT}/runs.csv", *GRID_PAGES] if GRID else expand("{out}/{name}.ipynb", out=OUT, name=NOTEBOOKS),


if GRID:

    localrules:
        rows,
        results_page,

    # Teachers are jobs of their own, so that no two sets train one, or wait for it while they hold a GPU.
    rule teacher:
        output:
            OUT + "/teachers/{job}.json",
        params:
            plan=ASKED["plan"],
            machine=MACHINE,
            images=ASKED.get("images", ""),
        threads: lambda wildcards: JOBS[wildcards.job]["threads"]
        priority: 1
        shell:
            "{PYTHON:q} -m fd2lib jobs {params.plan:q} --job {wildcards.job} --out {output:q} --quiet {params.machine}"

    rule students:
        input:
            lambda wildcards: [file_of(job) for job in JOBS[wildcards.job]["needs"]],
        output:
            OUT + "/students/{job}.csv",
        params:
            plan=ASKED["plan"],
            machine=MACHINE,
            images=ASKED.get("images", ""),
        threads: lambda wildcards: JOBS[wildcards.job]["threads"]
        shell:
            "{PYTHON:q} -m fd2lib jobs {params.plan:q} --job {wildcards.job} --out {output:q} --quiet {params.machine}"

    rule rows:
        input:
            [file_of(job) for job, told in JOBS.items() if told["kind"] == "students"],
        output:
            OUT + "/runs.csv",
        run:
            from fd2lib.drive import gather_rows, load_plan
            from fd2lib.drive.request import Machine

            machine = Machine(**ASKED["machine"])
            machine.load()
            gather_rows(load_plan(ASKED["plan"]).on(machine).of_seeds(ASKED["seeds"]), input, output[0])

    rule results_page:
        input:
            OUT + "/runs.csv",
        output:
            OUT + "/results.ipynb",
        shell:
            '{PYTHON:q} -m fd2lib notebook notebooks/55_read_results.ipynb {output:q} -p results "$(realpath {input:q})"'

    rule study_page:
        input:
            OUT + "/runs.csv",
        output:
            OUT + "/{page}.ipynb",
        wildcard_constraints:
            page="studies-.*",
        params:
            given=lambda wildcards: ASKED["pages"][wildcards.page],
        shell:
            "{PYTHON:q} -m fd2lib notebook notebooks/70_ablations.ipynb {output:q} {params.given}"

else:

    for position, name in enumerate(IN_TURN):

        rule:
            name:
                f"page_{name}"
            input:
                notebook=f"notebooks/{name}.ipynb",
                library=LIBRARY,
                tables=RESULTS if name in READING else [],
            output:
                f"{OUT}/{name}.ipynb",
            params:
                given=parameters_for(name),
                behind=lambda wildcards, name=name: behind(name) if GIVEN else "",
            threads: workflow.cores if GIVEN else 1  # PyTorch gets so many; the toy networks are faster on one
            priority:
                len(NOTEBOOKS) - position
            shell:
                "{PYTHON:q} -m fd2lib notebook {input.notebook:q} {output:q} {params.given}"
