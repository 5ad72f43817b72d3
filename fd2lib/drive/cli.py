"""The command line, ``fd2lib`` or ``python -m fd2lib``: made from the requests that commands take.

A command imports what it does when it does it: the library takes seconds, and ``--help`` should not.
"""

import dataclasses
import functools
import inspect
import logging
import operator
import os
import signal
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal

import tyro
from tyro.conf import FlagCreatePairsOff, OmitSubcommandPrefixes, Positional, UseAppendAction, arg, subcommand

from fd2lib import __version__
from fd2lib.drive.recipe_text import NAME, format_all, format_diff, format_recipe, parse_recipe
from fd2lib.drive.request import (
    Additions,
    AttentionRequest,
    GeometryRequest,
    GridRequest,
    Machine,
    MeasureRequest,
    option,
)
from fd2lib.drive.signals import stopped_by_signals
from fd2lib.ground import ArtefactError, EvaluateSettings, Fd2Error, SettingError, is_first, together, world


class Command:
    """One command: a dataclass of its options that can be run."""

    shared: ClassVar[bool] = False  # whether several processes can run it together

    def run(self) -> None:
        """Do it."""
        raise NotImplementedError


@dataclass(frozen=True, kw_only=True)
class Run(GridRequest, Command):
    """Distill and evaluate: methods × starts × IPC × seeds, studies or a plan, then a page with the results.

    Runs or resumes every combination, writes OUT/runs.csv, OUT/gallery and OUT/page.
    """

    seeds: str = option("", f"seeds; by default {GridRequest.seeds}, and of a plan all of its own")
    plan: str = option("", "a plan in place of all that: a name, as `fd2lib plans` lists them, or a TOML file")
    out: str = option("my_results", "folder where rows, galleries and the page go")
    page: bool = option(True, "make a page after the rows")
    quiet: bool = option(False, "no progress bars")
    shared = True

    def run(self) -> None:
        """Run the grid or the plan."""
        from fd2lib.drive.page import write_page
        from fd2lib.drive.plans import load_plan, run_plan
        from fd2lib.drive.studies import experiments_of, grid_requests, run_grid

        out, progress = Path(self.out), not self.quiet and is_first()
        if self.plan:
            self._require_plan_alone()
            plan = load_plan(self.plan).on(self).of_seeds(self.seeds)
            run_plan(plan, out / Path(plan.file).name, progress)
            tell(f"The rows of plan {plan.name} are in {out / Path(plan.file).name}.")
            return
        grid = dataclasses.replace(self, seeds=self.seeds or GridRequest.seeds)
        experiments = experiments_of(grid_requests(grid), progress)
        run_grid(experiments, out / "runs.csv", progress)
        if self.page and is_first():
            print(f"Open {write_page(experiments, out)}")

    def _require_plan_alone(self) -> None:
        open_ = {*self.only(Machine), "seeds"}
        options = [field for field in dataclasses.fields(GridRequest) if field.name not in open_]
        given = [field.name for field in options if getattr(self, field.name) != field.default]
        if given:
            raise SettingError(f"plan {self.plan!r} says what is run, and so does {given[0]}; give one of the two.")


@dataclass(frozen=True, kw_only=True)
class Rerun(Machine, Command):
    """Run one row of a results file again from its settings, and say whether it comes out the same."""

    file: Positional[str] = option(help="a results file")
    row: Positional[str] = option(help="its place in the file (1 is the first), or the beginning of its fingerprint")
    weights: str = option("", "file of initial weights, of a row that started from one")
    out: str = option("my_results", "folder whose runs.csv gets the row")
    quiet: bool = option(False, "no progress bars")
    shared = True

    def run(self) -> None:
        """Run it."""
        from fd2lib.drive.rerun import experiment_of_row, find_row

        before = find_row(self.file, self.row)
        experiment = experiment_of_row(before, self, weights=self.weights, progress=not self.quiet and is_first())
        row = experiment.record(Path(self.out) / "runs.csv")
        same = str(row["fingerprint"]) == before["fingerprint"] and str(row["last_top1"]) == before["last_top1"]
        told = "as in the row, from the same run" if same else f"{before['last_top1']} % in the row"
        tell(f"{row['method']}, IPC {row['ipc']}, seed {row['seed']}: {row['last_top1']} %, {told}.")


@dataclass(frozen=True, kw_only=True)
class _Measure(MeasureRequest, Command):
    out: str = option("", "the table to write; by default results/COMMAND.csv")
    quiet: bool = option(False, "no progress bars")
    shared = True

    def run(self) -> None:
        """Measure."""
        from fd2lib.drive.plans import measure

        measure(self, self.out or f"results/{type(self).__name__.lower()}.csv", not self.quiet and is_first())


@dataclass(frozen=True, kw_only=True)
class Attention(_Measure, AttentionRequest):
    """Measure how much of the teachers' attention lies on the parts of the bird.

    Loads (or trains) teachers with and without attention head for each seed; writes one row for each kind of map.
    """


@dataclass(frozen=True, kw_only=True)
class Geometry(_Measure, GeometryRequest):
    """Measure how diverse, how distinct and how new distilled images are.

    Loads (or makes) the images of each method, start and seed, and compares them in pixels and in the features of
    networks that made none of them.
    """


@dataclass(frozen=True, kw_only=True)
class List(Additions, Command):
    """List image sets, with licences and sources."""

    def run(self) -> None:
        """Print them."""
        from fd2lib.data import format_listing

        print(format_listing())


@dataclass(frozen=True, kw_only=True)
class Prepare(Command):
    """Unpack the tars of a set below a data root."""

    name: Positional[str] = option(help="cub200, flowers102 or imagewoof")
    source: str = option(help="folder that holds NAME-train.tar and NAME-test.tar", name="from")
    root: str = option(help="data root; NAME/ is made below it")

    def run(self) -> None:
        """Unpack them."""
        from fd2lib.data import prepare

        print(prepare(self.name, self.source, self.root))


@dataclass(frozen=True, kw_only=True)
class All(Additions, Command):
    """Every setting's value and source, of every recipe; or those of one (show), or what differs (diff)."""

    def run(self) -> None:
        """Print all."""
        print(format_all())


@dataclass(frozen=True, kw_only=True)
class Show(Additions, Command):
    """One recipe in full."""

    name: Positional[str] = option(help=f"{NAME}, as in paper/fadrm_fd2/cub200/resnet50@release")

    def run(self) -> None:
        """Print it."""
        print(format_recipe(parse_recipe(self.name)))


@dataclass(frozen=True, kw_only=True)
class Diff(Additions, Command):
    """What differs between two recipes, as in: diff paper release."""

    first: Positional[str] = option(help=NAME)
    second: Positional[str] = option(help=NAME)

    def run(self) -> None:
        """Print it."""
        print(format_diff(self.first, self.second))


@dataclass(frozen=True, kw_only=True)
class Plans(Additions, Command):
    """Plans, each of which makes exactly the rows of a committed file of results: run --plan NAME."""

    def run(self) -> None:
        """Print them."""
        from fd2lib.drive.plans import list_plans, load_plan

        for name, title in list_plans().items():
            print(f"{name:12} {load_plan(name).file:24} {title}")


@dataclass(frozen=True, kw_only=True)
class Jobs(Machine, Command):
    """The jobs that a plan is split into for a scheduler: each teacher, then each distilled set with its students.

    Lists them, or runs one: it waits for none of the others, and makes what it does not find.
    """

    plan: Positional[str] = option(help="a plan's name or TOML file")
    job: str = option("", "name of the one job to run")
    out: str = option("", "file for what it made: of a teacher JSON, of students rows as CSV")
    quiet: bool = option(False, "no progress bars")

    def run(self) -> None:
        """List them, or run one."""
        from fd2lib.drive.jobs import plan_jobs, run_job
        from fd2lib.drive.plans import load_plan

        plan = load_plan(self.plan).on(self)
        if bool(self.job) != bool(self.out):
            raise SettingError(f"job is {self.job!r} and out {self.out!r}; give both to run a job, none to list them.")
        if self.job:
            run_job(plan, self.job, self.out, not self.quiet)
            return
        for job in plan_jobs(plan).values():
            print(f"{job.kind:8} {job.name}" + "".join(f"\n{'':11}after {name}" for name in job.needs))


@dataclass(frozen=True, kw_only=True)
class Notebook(Command):
    """Execute a notebook with papermill, strict about parameters."""

    source: Positional[str] = option(help="as notebooks/30_distill.ipynb")
    target: Positional[str] = option(help="the executed notebook")
    parameters: UseAppendAction[tuple[tuple[str, str], ...]] = option((), "name and value of a parameter", name="p")

    def run(self) -> None:
        """Execute it."""
        from fd2lib.drive.notebooks import parse_parameters, run_notebook

        print(run_notebook(self.source, self.target, parse_parameters(self.source, dict(self.parameters))))


@dataclass(frozen=True, kw_only=True)
class Verify(Command):
    """Compare every file of every run with the digest that was written with it; nothing is changed."""

    runs: Positional[str] = option("runs", "the folder that holds the runs")

    def run(self) -> None:
        """Check them."""
        from fd2lib.record import verify_runs

        counts = {"ok": 0, "unfinished": 0, "damaged": 0}
        for one in verify_runs(self.runs):
            counts[one.state] += 1
            print(f"{one.state:10} {one.folder}" + f": {one.told}" * bool(one.told), flush=True)
        told = ", ".join(f"{count} {state}" for state, count in counts.items())
        if counts["damaged"]:
            raise ArtefactError(
                f"runs below {self.runs}: {told}. Put back what is damaged, or move it away and run again."
            )
        print(f"Runs below {self.runs}: {told}.")


@dataclass(frozen=True, kw_only=True)
class Export(Command):
    """A distilled set as a folder that others use without fd2lib."""

    source: Positional[str] = option(help="finished run, as runs/relabel/NAME; distill: no soft labels", name="run")
    out: Positional[str] = option(help="a new or empty folder")
    dataset: str = option("", "the source set, where the folder's name does not tell it")
    temperature: float = option(EvaluateSettings.temperature, "of the soft-label loss in train.py")

    def run(self) -> None:
        """Write it."""
        from fd2lib.drive.export import export_run

        done = export_run(self.source, self.out, dataset=self.dataset, temperature=self.temperature)
        images = f"{done.num_images:,} images ({done.image_bytes:,} bytes)"
        print(f"{images}, labels ({done.label_bytes:,} bytes): {done.folder}")
        if not done.soft_labels:
            print("No soft labels and no train.py: export a relabel run that stores them (relabel.store = true).")


@dataclass(frozen=True, kw_only=True)
class Bench(Command):
    """Measure how long a stage's step takes beside the bare passes of its network on the same batch.

    Prints, and adds to a table, the time of both, their ratio, images a second and peak memory.
    """

    cases: str = option("table", "cases, or sets of cases (table, growth, gpu), separated by blanks")
    device: str = option("auto", "auto, cpu, cuda or cuda:N")
    clock: str = option("auto", "auto (processor on a CPU, wall on a GPU), processor or wall")
    threads: int = option(1, "CPU threads")
    quick: bool = option(False, "each case only twice: the table within a minute on one core")
    profile: str = option("", "cases whose time is also sorted by kind of operation, into profile.csv beside the table")
    out: str = option("results/bench.csv", "the table to write")
    quiet: bool = option(False, "no progress bar")

    def run(self) -> None:
        """Measure."""
        from fd2lib import measure
        from fd2lib.record import BENCH, PROFILE, put_rows

        bench = measure.Bench.on(self.device, self.clock, self.threads, self.quick)
        cases, profiled = (measure.choose_cases(names.split()) for names in (self.cases, self.profile))
        for row in bench.rows(cases, not self.quiet):
            put_rows([row], self.out, BENCH)
            print(measure.bench_line(row), flush=True)
        for case in profiled:
            put_rows(measure.profile_rows(bench, case), Path(self.out).with_name("profile.csv"), PROFILE)


def tell(text: str) -> None:
    """Print a line, once where several processes would."""
    if is_first():
        print(text)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; returns the exit status. Expected errors are one line on standard error."""
    logging.basicConfig(level=logging.INFO, format="%(message)s", stream=sys.stderr)
    given = list(sys.argv[1:] if arguments is None else arguments)
    if given == ["--version"]:
        print(f"fd2lib {__version__}")
        return 0
    command = tyro.cli(
        _commands(),
        args=given,
        prog="fd2lib",
        description="Fine-grained dataset distillation with FD².",
        config=(OmitSubcommandPrefixes, FlagCreatePairsOff),
    )
    try:
        with stopped_by_signals(), together():
            _require_shared(command)
            if isinstance(command, Additions):
                command.load()
            command.run()
        sys.stdout.flush()
    except Fd2Error as error:
        print(f"fd2lib: {type(error).__name__}: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt as error:
        said = f"stopped ({error})" if str(error) else "stopped"
        print(f"fd2lib: {said}. Run the same command again to continue where it was.", file=sys.stderr)
        return 128 + getattr(error, "number", signal.SIGINT)
    except BrokenPipeError:  # what reads the output has seen enough, as in `fd2lib recipes | head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # or Python says so again on leaving
        return 141
    return 0


def _require_shared(command: Command) -> None:
    if world() > 1 and not command.shared:
        name = type(command).__name__.lower()
        raise SettingError(f"{name} is not work that {world()} processes can share; call it without torchrun.")


def _commands() -> Any:
    """The type that tyro reads: one of the commands, some of which have commands of their own."""
    data = _either("data", List, Prepare)
    recipes = _either("recipes", All, Show, Diff)
    plain = [_named(kind) for kind in (Run, Rerun, Plans, Jobs, Notebook, Verify, Export, Attention, Geometry, Bench)]
    return functools.reduce(operator.or_, (data, recipes, *plain))


def _either(name: str, first: Any, *others: Any) -> Any:
    """A command that alone does the first thing, and others with a word behind it."""
    kinds = functools.reduce(operator.or_, (_named(kind) for kind in (first, *others)))
    told = inspect.getdoc(first)
    return Annotated[kinds, subcommand(name=name, description=told, default=_options(first)())]


def _named(kind: Any) -> Any:
    return Annotated[_options(kind), subcommand(name=kind.__name__.lower(), description=inspect.getdoc(kind))]


@functools.cache
def _options(kind: Any) -> Any:
    """A command whose fields carry, for tyro, what :func:`option` declares."""
    fields = []
    for field in dataclasses.fields(kind):
        about = field.metadata
        choices = Literal[about["choices"]] if about["choices"] else field.type
        old = [f"--{name.replace('_', '-')}" for name in about["formerly"]]
        old += [f"-{about['name']}"] * (len(about["name"]) == 1)
        place = (about["name"] or field.name).upper() if field.default is dataclasses.MISSING else None
        shown = arg(name=about["name"] or None, aliases=old or None, help=about["help"], metavar=place)
        copy = dataclasses.field(default=field.default, default_factory=field.default_factory, metadata=about)
        fields.append((field.name, Annotated[choices, shown], copy))
    return dataclasses.make_dataclass(kind.__name__, fields, bases=(kind,), frozen=True, kw_only=True)
