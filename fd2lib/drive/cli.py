"""The command line, ``python -m fd2lib``: data, run, notebook, recipes, export, attention, geometry."""

import argparse
import dataclasses
import logging
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from fd2lib import __version__
from fd2lib.data import format_listing, prepare
from fd2lib.drive.attention import add_attention
from fd2lib.drive.experiment import Request
from fd2lib.drive.export import add_export
from fd2lib.drive.geometry import add_geometry
from fd2lib.drive.grid import grid, run_grid
from fd2lib.drive.notebooks import parse_parameters, run_notebook
from fd2lib.drive.page import write_page
from fd2lib.drive.recipes import add_recipes
from fd2lib.drive.studies import parse_studies, study_grid
from fd2lib.ground import SCALES, Fd2Error, parse_numbers


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; returns the exit status. Expected errors are one line on standard error."""
    logging.basicConfig(level=logging.INFO, format="%(message)s", stream=sys.stderr)
    options = _parser().parse_args(arguments)
    try:
        options.command(options)
        sys.stdout.flush()
    except Fd2Error as error:
        print(f"fd2lib: {type(error).__name__}: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("fd2lib: stopped. Run the same command again to continue where it was.", file=sys.stderr)
        return 130
    except BrokenPipeError:  # what reads the output has seen enough, as in `fd2lib recipes | head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # or Python says so again on leaving
        return 141
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m fd2lib", description="Fine-grained dataset distillation with FD².")
    parser.add_argument("--version", action="version", version=f"fd2lib {__version__}")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    _add_data(commands)
    _add_run(commands)
    _add_notebook(commands)
    add_recipes(commands)
    add_export(commands)
    add_attention(commands)
    add_geometry(commands)
    return parser


def _add_data(commands: argparse._SubParsersAction) -> None:
    data = commands.add_parser("data", help="list image sets, or unpack one")
    data.set_defaults(command=lambda _: print(format_listing()))
    inner = data.add_subparsers(metavar="prepare")
    unpack = inner.add_parser("prepare", help="unpack the tars of a set below a data root")
    unpack.add_argument("name", help="cub200, flowers102 or imagewoof")
    unpack.add_argument(
        "--from", dest="source", required=True, help="folder that holds NAME-train.tar and NAME-test.tar"
    )
    unpack.add_argument("--root", required=True, help="data root; NAME/ is made below it")
    unpack.set_defaults(command=lambda options: print(prepare(options.name, options.source, options.root)))


def _add_run(commands: argparse._SubParsersAction) -> None:
    run = commands.add_parser(
        "run",
        help="distill and evaluate: methods × starts × IPC × seeds, then a page with the results",
        description="Runs or resumes every combination, writes OUT/runs.csv, OUT/gallery and OUT/page.",
    )
    run.add_argument("--dataset", default=Request.dataset, help="see: python -m fd2lib data (folder: your own images)")
    run.add_argument(
        "--data-root", default="", help="folder that holds the set; for 'folder', the one with train/ and test/"
    )
    run.add_argument("--classes", default="", help="subset: a pattern (Warbler), a count (10) or both (Warbler:10)")
    run.add_argument("--image-size", type=int, default=0, help="pixels; 0 takes the scale's default")
    run.add_argument("--backbone", default="", help="timm name; empty takes the scale's default")
    run.add_argument("--scale", default="reduced", choices=SCALES)
    run.add_argument("--study", default="", help="a study in place of --methods and --starts, as NAME or NAME:ARM,ARM")
    run.add_argument("--bundle", default="", help="paper or release: all their readings at once")
    run.add_argument("--teacher", default="", help="kind of teacher that makes the images: plain, probed, crops, cal")
    run.add_argument("--label-teacher", default="", help="kind of teacher that makes the labels")
    run.add_argument("--teachers", default="", help="the teachers' backbones, separated by blanks")
    run.add_argument("--student", default="", help="the student's backbone; empty takes --backbone")
    run.add_argument("--methods", default="random,random_cal,sre2lpp,sre2lpp_fd2", help="comma-separated")
    run.add_argument("--starts", default="whole", help="comma-separated: whole, pool2, pool1, noise")
    run.add_argument("--ipc", default="1,3", help="images per class, comma-separated")
    run.add_argument("--seeds", default="0,1,2", help="comma-separated")
    run.add_argument(
        "--set", dest="settings", default="", help="overrides, as 'distill.iterations=100 pretrain.epochs=5'"
    )
    run.add_argument("--device", default="auto")
    run.add_argument("--runs-dir", default="runs", help="where stages keep their artefacts")
    run.add_argument("--out", default="my_results", help="where rows, galleries and the page go")
    run.add_argument("--no-page", action="store_true", help="stop after the rows")
    run.add_argument("--quiet", action="store_true", help="no progress bars")
    run.set_defaults(command=_run)


def _run(options: argparse.Namespace) -> None:
    names = {field.name for field in dataclasses.fields(Request)} - {"method", "ipc", "distill_ipc", "seed", "progress"}
    request = {name: getattr(options, name) for name in names} | {"progress": not options.quiet}
    ipcs, seeds = parse_numbers("--ipc", options.ipc), parse_numbers("--seeds", options.seeds)
    if options.study:
        experiments = [
            run for study in parse_studies(options.study) for run in study_grid(study, ipcs, seeds, **request)
        ]
    else:
        experiments = list(grid(_split(options.methods), _split(options.starts), ipcs, seeds, **request))
    out = Path(options.out)
    run_grid(experiments, out / "runs.csv", progress=not options.quiet)
    if not options.no_page:
        print(f"Open {write_page(experiments, out)}")


def _add_notebook(commands: argparse._SubParsersAction) -> None:
    notebook = commands.add_parser("notebook", help="execute a notebook with papermill, strict about parameters")
    notebook.add_argument("source", help="such as notebooks/30_distill.ipynb")
    notebook.add_argument("target", help="the executed notebook")
    notebook.add_argument("-p", dest="parameters", nargs=2, action="append", default=[], metavar=("NAME", "VALUE"))
    notebook.set_defaults(command=_notebook)


def _notebook(options: argparse.Namespace) -> None:
    parameters = parse_parameters(options.source, dict(options.parameters))
    print(run_notebook(options.source, options.target, parameters))


def _split(text: str) -> list[str]:
    return [item.strip() for item in text.split(",") if item.strip()]
