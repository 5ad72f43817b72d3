# Which notebooks run, with which parameters, into which pages.
#
# Toy scale, what `make book` does:   snakemake --cores 1
# Another scale or own images:        snakemake --cores 1 --config scale=reduced dataset=cub200 data_root=/data out=runs/cub
#
# `out` is the folder of executed notebooks; every other key is a notebook parameter and goes to each notebook that has it.
import ast
import difflib
import json
import shlex
import sys
from pathlib import Path

RESERVED = ("out",)
NOTEBOOKS = sorted(path.stem for path in Path("notebooks").glob("*.ipynb"))
LIBRARY = sorted(str(path) for pattern in ("*.py", "*.toml", "*.css", "*.js") for path in Path("fd2lib").rglob(pattern))
RESULTS = sorted(str(path) for path in Path("results").rglob("*") if path.is_file() and path.suffix in {".csv", ".png"})
OUT = str(config.get("out", "book/executed"))


def parameters_of(name):
    """Names in the notebook's parameters cell, read without importing the library (this file is parsed on every call)."""
    cells = json.loads(Path("notebooks", f"{name}.ipynb").read_text(encoding="utf-8"))["cells"]
    for cell in cells:
        if cell["cell_type"] == "code" and "parameters" in cell.get("metadata", {}).get("tags", []):
            tree = ast.parse("".join(cell["source"]))
            targets = [node.target for node in tree.body if isinstance(node, ast.AnnAssign)]
            targets += [target for node in tree.body if isinstance(node, ast.Assign) for target in node.targets]
            return {target.id for target in targets if isinstance(target, ast.Name)}
    return set()


ACCEPTED = {name: parameters_of(name) for name in NOTEBOOKS}
GIVEN = {key: str(value) for key, value in config.items() if key not in RESERVED}
KNOWN = sorted(set().union(*ACCEPTED.values(), RESERVED)) if NOTEBOOKS else list(RESERVED)
for key in GIVEN:
    if key not in KNOWN:
        close = difflib.get_close_matches(key, KNOWN, n=1)
        hint = f" Did you mean {close[0]!r}?" if close else ""
        sys.exit(f"No notebook has a parameter {key!r}.{hint} Choose from: {', '.join(KNOWN)}.")


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
