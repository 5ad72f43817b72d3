# Which notebooks run, with which parameters, into which pages.
#
# Toy scale, what `make book` does:   snakemake --cores 1
# Another scale or own images:        snakemake --cores 1 --config scale=reduced dataset=cub200 data_root=/data out=runs/cub
#
# `out` is the folder of executed notebooks; every other key is a notebook parameter and goes to each notebook that has it.
import shlex
import sys
from pathlib import Path

RESERVED = ("out",)
NOTEBOOKS = sorted(path.stem for path in Path("notebooks").glob("*.ipynb"))
LIBRARY = sorted(str(path) for pattern in ("*.py", "*.toml", "*.css", "*.js") for path in Path("fd2lib").rglob(pattern))
RESULTS = sorted(str(path) for path in Path("results").rglob("*") if path.is_file() and path.suffix in {".csv", ".png"})
OUT = str(config.get("out", "book/executed"))


# Snakemake reads config values as YAML; the notebook runner reads the text again, as each parameter's own type.
GIVEN = {key: str(value) for key, value in config.items() if key not in RESERVED}
ACCEPTED = {name: set() for name in NOTEBOOKS}
if GIVEN:
    # Imported only where needed: the library takes seconds to import, and this file is parsed on every call.
    from fd2lib.drive.notebooks import notebook_parameters
    from fd2lib.ground import unknown

    ACCEPTED = {name: set(notebook_parameters(f"notebooks/{name}.ipynb")) for name in NOTEBOOKS}
    KNOWN = sorted({*RESERVED}.union(*ACCEPTED.values()))
    for key in GIVEN:
        if key not in KNOWN:
            sys.exit(unknown("notebook parameter", key, KNOWN))


def given_to(wildcards):
    """Command-line words for the parameters given that this notebook has."""
    mine = {key: value for key, value in sorted(GIVEN.items()) if key in ACCEPTED[wildcards.name]}
    return " ".join(f"-p {key} {shlex.quote(value)}" for key, value in mine.items())


def page_before(wildcards):
    """The page that comes before: it only has to exist, so that stages share artefacts instead of racing for them."""
    position = NOTEBOOKS.index(wildcards.name)
    return ancient(f"{OUT}/{NOTEBOOKS[position - 1]}.ipynb") if position else []


def tables_for(wildcards):
    """Result pages, numbered 60 and up, also depend on the committed results."""
    return RESULTS if wildcards.name >= "60" else []


rule all:
    input:
        expand("{out}/{name}.ipynb", out=OUT, name=NOTEBOOKS),


rule page:
    input:
        notebook="notebooks/{name}.ipynb",
        library=LIBRARY,
        tables=tables_for,
        before=page_before,
    output:
        OUT + "/{name}.ipynb",
    params:
        given=given_to,
        python=sys.executable,
    wildcard_constraints:
        name="|".join(NOTEBOOKS) or "none",
    shell:
        "{params.python:q} -m fd2lib notebook {input.notebook:q} {output:q} {params.given}"
