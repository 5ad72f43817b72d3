# Which notebooks run, with which parameters, into which pages; and grids of experiments.
#
# The book at toy scale, what `make book` does:
#   snakemake --cores 1
# The same pages at another scale or for own images; any parameter of a notebook goes to each notebook that has it,
# `out` is the folder of executed notebooks:
#   snakemake --cores 1 --config scale=reduced dataset=cub200 data_root=/data out=runs/pages-cub
# A grid: naming `datasets` runs methods × starts × IPC × seeds instead, a job per data set and seed, then a page of all:
#   snakemake --cores 1 --config datasets=cub200,flowers102 seeds=0,1,2 data_root=/data scale=reduced
# or, with `study`, the arms of one or more studies, some of them after a colon; then a page of each data set's studies:
#   snakemake --cores 1 --config datasets=cub200 study="parts factorial:cal_on_cal,plain_off_plain" data_root=/data scale=reduced
import os
import shlex
import sys
from pathlib import Path

GRID = "datasets" in config
OUT = str(config.get("out", "runs/grid" if GRID else "book/executed"))
NOTEBOOKS = sorted(path.stem for path in Path("notebooks").glob("*.ipynb"))
LIBRARY = sorted(str(path) for pattern in ("*.py", "*.toml", "*.css", "*.js") for path in Path("fd2lib").rglob(pattern))
RESULTS = sorted(str(path) for path in Path("results").rglob("*") if path.suffix in {".csv", ".png"})
# Snakemake reads config values as YAML; the command line reads the text again, as each parameter's own type.
GIVEN = {key: str(value) for key, value in config.items() if key != "out"}
DATASETS = GIVEN.get("datasets", "").split(",")
SEEDS = GIVEN.get("seeds", "0,1,2").split(",")
ACCEPTED = {name: set() for name in NOTEBOOKS}

if GIVEN:
    # Imported only where needed: the library takes seconds to import, and this file is parsed on every call.
    from fd2lib.drive.notebooks import notebook_parameters
    from fd2lib.drive.request import GridRequest, todays_names
    from fd2lib.ground import Fd2Error, unknown

    ACCEPTED = {name: set(notebook_parameters(f"notebooks/{name}.ipynb")) for name in NOTEBOOKS}
    try:
        if GRID:
            GIVEN = {key: GIVEN[key] for key in ("datasets",)} | todays_names(
                {key: value for key, value in GIVEN.items() if key != "datasets"}, GridRequest
            )
        else:
            known = sorted(set().union(*ACCEPTED.values()))
            for key in GIVEN:
                if key not in known:
                    sys.exit(unknown("notebook parameter", key, (*known, "out")))
    except Fd2Error as error:
        sys.exit(f"grid setting: {error}")


def parameters_for(name):
    """Command-line words for the parameters given that this notebook has."""
    mine = {key: value for key, value in sorted(GIVEN.items()) if key in ACCEPTED[name]}
    return " ".join(f"-p {key} {shlex.quote(value)}" for key, value in mine.items())


def options_for(wildcards):
    """Command-line words for the grid's settings, the same for each of its jobs."""
    mine = {key: value for key, value in sorted(GIVEN.items()) if key not in ("datasets", "seeds")}
    named = {"image_set": "name"}
    return " ".join(f"--{named.get(key, key).replace('_', '-')} {shlex.quote(value)}" for key, value in mine.items())


def study_parameters(wildcards):
    """Command-line words for the page of a study: what its jobs were given, under the notebook's names."""
    given = {"scale": "reduced", "ipc": "1,3", "overrides": "", "seeds": ",".join(SEEDS), **GIVEN, "dataset": wildcards.dataset}
    names = {"study": "studies"}
    wanted = ("dataset", "scale", "study", "ipc", "seeds", "overrides", "classes", "image_size", "backbone", "device")
    words = {names.get(key, key): given[key] for key in wanted if key in given}
    if "data_root" in given:
        words["data_root"] = os.path.abspath(given["data_root"])
    return " ".join(f"-p {name} {shlex.quote(str(value))}" for name, value in words.items())


GRID_PAGES = expand("{out}/{dataset}/studies.ipynb", out=OUT, dataset=DATASETS) if "study" in GIVEN else [f"{OUT}/results.ipynb"]


rule all:
    input:
        [f"{OUT}/runs.csv", *GRID_PAGES] if GRID else expand("{out}/{name}.ipynb", out=OUT, name=NOTEBOOKS),


if GRID:

    rule rows:
        input:
            expand("{out}/{dataset}/seed{seed}/runs.csv", out=OUT, dataset=DATASETS, seed=SEEDS),
        output:
            OUT + "/runs.csv",
        run:
            from fd2lib.record import STUDENTS, put_rows, read_rows

            put_rows([row for path in input for row in read_rows(path)], output[0], STUDENTS)

    rule results_page:
        input:
            OUT + "/runs.csv",
        output:
            OUT + "/results.ipynb",
        params:
            python=sys.executable,
            table=os.path.abspath(OUT + "/runs.csv"),
        shell:
            "{params.python:q} -m fd2lib notebook notebooks/60_results.ipynb {output:q} -p results {params.table:q}"

    rule study_page:
        input:
            expand(OUT + "/{{dataset}}/seed{seed}/runs.csv", seed=SEEDS),
        output:
            OUT + "/{dataset}/studies.ipynb",
        params:
            given=study_parameters,
            python=sys.executable,
        shell:
            "{params.python:q} -m fd2lib notebook notebooks/70_ablations.ipynb {output:q} {params.given}"

    rule seed:
        output:
            OUT + "/{dataset}/seed{seed}/runs.csv",
        params:
            options=options_for,
            python=sys.executable,
            folder=lambda wildcards: f"{OUT}/{wildcards.dataset}/seed{wildcards.seed}",
        wildcard_constraints:
            seed=r"\d+",
        shell:
            "{params.python:q} -m fd2lib run --dataset {wildcards.dataset:q} --seeds {wildcards.seed} {params.options}"
            " --out {params.folder:q} --no-page --quiet"

else:

    for position, name in enumerate(NOTEBOOKS):

        rule:
            name:
                f"page_{name}"
            input:
                notebook=f"notebooks/{name}.ipynb",
                library=LIBRARY,
                tables=RESULTS if name >= "60" else [],  # result pages also depend on the committed rows
            output:
                f"{OUT}/{name}.ipynb",
            params:
                given=parameters_for(name),
                python=sys.executable,
            threads: workflow.cores if GIVEN else 1  # PyTorch gets so many; the toy networks are faster on one
            priority:
                len(NOTEBOOKS) - position  # in order, so that a stage is run by its own page and loaded by later ones
            shell:
                "{params.python:q} -m fd2lib notebook {input.notebook:q} {output:q} {params.given}"
