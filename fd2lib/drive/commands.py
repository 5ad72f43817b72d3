"""Commands that compute or write: each a dataclass of its options that can be run.

A command imports what it does when it does it: the library takes seconds, and ``--help`` should not.
"""

import dataclasses
from dataclasses import dataclass
from pathlib import Path

from tyro.conf import Positional, UseAppendAction

from fd2lib.drive.parsing import Command
from fd2lib.drive.request import GridRequest, Machine, option
from fd2lib.ground import ArtefactError, EvaluateSettings, SettingError, is_first
from fd2lib.ground.paths import require_output_folder


@dataclass(frozen=True, kw_only=True)
class Run(GridRequest, Command):
    """Distill and evaluate: methods × starts × IPC × seeds, studies or a plan, then a page with the results.

    Runs or resumes every combination, writes OUT/runs.csv, OUT/gallery and OUT/page.
    """

    seeds: str = option("", f"seeds; by default {GridRequest.seeds}, and of a plan all of its own")
    plan: str = option("", "a plan in place of all that: a name, as `fd2lib plans` lists them, or a TOML file")
    out: str = option("my_results", "folder where rows, galleries and the page go", path=True)
    page: bool = option(True, "make a page after the rows")
    quiet: bool = option(False, "no progress bars")
    shared = True

    def run(self) -> None:
        """Run the grid or the plan."""
        from fd2lib.drive.page import require_page, write_page
        from fd2lib.drive.plans import load_plan
        from fd2lib.drive.runs import experiments_of, run_grid, run_plan
        from fd2lib.drive.studies import grid_requests

        out, progress = Path(self.out), not self.quiet and is_first()
        require_output_folder(out)
        if self.plan:
            self._require_plan_alone()
            plan = load_plan(self.plan).on(self).of_seeds(self.seeds)
            run_plan(plan, out / Path(plan.file).name, progress)
            tell(f"The rows of plan {plan.name} are in {out / Path(plan.file).name}.")
            return
        grid = dataclasses.replace(self, seeds=self.seeds or GridRequest.seeds)
        experiments = experiments_of(grid_requests(grid), progress)
        if self.page:
            require_page(out)
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

    file: Positional[str] = option(help="a results file", path=True)
    row: Positional[str] = option(help="its place in the file (1 is the first), or the beginning of its fingerprint")
    weights: str = option("", "file of initial weights, of a row that started from one", path=True)
    out: str = option("my_results", "folder whose runs.csv gets the row", path=True)
    quiet: bool = option(False, "no progress bars")
    shared = True

    def run(self) -> None:
        """Run it."""
        from fd2lib.drive.rerun import experiment_of_row, find_row
        from fd2lib.drive.runs import require_ready

        before = find_row(self.file, self.row)
        experiment = experiment_of_row(before, self, weights=self.weights, progress=not self.quiet and is_first())
        require_ready([experiment], Path(self.out) / "runs.csv")
        row = experiment.record(Path(self.out) / "runs.csv")
        same = str(row["fingerprint"]) == before["fingerprint"] and str(row["last_top1"]) == before["last_top1"]
        told = "as in the row, from the same run" if same else f"{before['last_top1']} % in the row"
        tell(f"{row['method']}, IPC {row['ipc']}, seed {row['seed']}: {row['last_top1']} %, {told}.")


@dataclass(frozen=True, kw_only=True)
class Jobs(Machine, Command):
    """The jobs that a plan is split into for a scheduler: each teacher, then each distilled set with its students.

    Lists them, or runs one: it waits for none of the others, and makes what it does not find.
    """

    plan: Positional[str] = option(help="a plan's name or TOML file")
    job: str = option("", "name of the one job to run")
    out: str = option("", "file for what it made: of a teacher JSON, of students rows as CSV", path=True)
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

    source: Positional[str] = option(help="as notebooks/30_distill.ipynb", path=True)
    target: Positional[str] = option(help="the executed notebook", path=True)
    parameters: UseAppendAction[tuple[tuple[str, str], ...]] = option((), "name and value of a parameter", name="p")

    def run(self) -> None:
        """Execute it."""
        from fd2lib.drive.notebooks import parse_parameters, run_notebook

        print(run_notebook(self.source, self.target, parse_parameters(self.source, self._parameters())))

    def _parameters(self) -> dict[str, str]:
        given = dict(self.parameters)
        if len(given) < len(self.parameters):
            raise SettingError(
                f"of {', '.join(name for name, _ in self.parameters)} one is there twice; give each once."
            )
        return given


@dataclass(frozen=True, kw_only=True)
class Verify(Command):
    """Compare every file of every run with the digest that was written with it; nothing is changed."""

    runs: Positional[str] = option("runs", "the folder that holds the runs", path=True)

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

    source: Positional[str] = option(
        help="finished run, as runs/relabel/NAME; distill: no soft labels", name="run", path=True
    )
    out: Positional[str] = option(help="a new or empty folder", path=True)
    dataset: str = option("", "the source set, where the folder's name does not tell it")
    temperature: float = option(EvaluateSettings.temperature, "of the soft-label loss in train.py", high=1e6)

    def run(self) -> None:
        """Write it."""
        from fd2lib.drive.export import export_run

        done = export_run(self.source, self.out, dataset=self.dataset, temperature=self.temperature)
        images = f"{done.num_images:,} images ({done.image_bytes:,} bytes)"
        print(f"{images}, labels ({done.label_bytes:,} bytes): {done.folder}")
        if not done.soft_labels:
            print("No soft labels and no train.py: export a relabel run that stores them (relabel.store = true).")


def tell(text: str) -> None:
    """Print a line, once where several processes would."""
    if is_first():
        print(text)
