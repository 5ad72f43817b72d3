# Which notebooks run, with which parameters, into which pages; and grids of experiments.
#
# The book at toy scale, what `make book` does:
#   snakemake --cores 1
# The same pages at another scale or for own images; any parameter of a notebook goes to each notebook that has it,
# `out` is the folder of executed notebooks:
#   snakemake --cores 1 --config scale=reduced dataset=cub200 data_root=/data out=runs/pages-cub
# A grid: naming `datasets` runs methods × starts × IPC × seeds instead, a job per data set and seed:
#   snakemake --cores 1 --config datasets=cub200,flowers102 seeds=0,1,2 data_root=/data scale=reduced
# or, with `study`, the arms of one or more studies, some of them after a colon:
#   snakemake --cores 1 --config datasets=cub200 study="parts factorial:cal_on_cal,plain_off_plain" data_root=/data scale=reduced
import shlex
import sys
from pathlib import Path

GRID_KEYS = ("datasets", "seeds", "scale", "study", "methods", "starts", "ipc", "classes", "image_size", "backbone", "set", "device")
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
    from fd2lib.ground import unknown

    ACCEPTED = {name: set(notebook_parameters(f"notebooks/{name}.ipynb")) for name in NOTEBOOKS}
    KNOWN = (*GRID_KEYS, "data_root") if GRID else sorted(set().union(*ACCEPTED.values()))
    for key in GIVEN:
        if key not in KNOWN:
            sys.exit(unknown("grid setting" if GRID else "notebook parameter", key, (*KNOWN, "out")))


def parameters_for(name):
    """Command-line words for the parameters given that this notebook has."""
    mine = {key: value for key, value in sorted(GIVEN.items()) if key in ACCEPTED[name]}
    return " ".join(f"-p {key} {shlex.quote(value)}" for key, value in mine.items())


def options_for(wildcards):
    """Command-line words for the grid's settings, the same for each of its jobs."""
    mine = {key: value for key, value in sorted(GIVEN.items()) if key not in ("datasets", "seeds")}
    return " ".join(f"--{key.replace('_', '-')} {shlex.quote(value)}" for key, value in mine.items())


rule all:
    input:
        [f"{OUT}/runs.csv"] if GRID else expand("{out}/{name}.ipynb", out=OUT, name=NOTEBOOKS),


if GRID:

    rule rows:
        input:
            expand("{out}/{dataset}/seed{seed}/runs.csv", out=OUT, dataset=DATASETS, seed=SEEDS),
        output:
            OUT + "/runs.csv",
        run:
            import pandas

            rows = pandas.concat([pandas.read_csv(path, dtype=str, keep_default_na=False) for path in input])
            rows.to_csv(output[0], index=False, lineterminator="\n")

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
