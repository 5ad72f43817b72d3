"""Commands that measure: teachers' attention, distilled images, and how long a step takes.

As in :mod:`fd2lib.drive.commands`, a command imports what it does when it does it.
"""

from dataclasses import dataclass
from pathlib import Path

from fd2lib.drive.parsing import Command
from fd2lib.drive.request import AttentionRequest, GeometryRequest, MeasureRequest, option
from fd2lib.ground import SettingError, is_first
from fd2lib.ground.paths import require_output
from fd2lib.ground.typed import MOST_THREADS


@dataclass(frozen=True, kw_only=True)
class _Measure(MeasureRequest, Command):
    out: str = option("", "the table to write; by default results/COMMAND.csv", path=True)
    quiet: bool = option(False, "no progress bars")
    shared = True

    def run(self) -> None:
        """Measure."""
        from fd2lib.drive.measuring import measure

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
class Bench(Command):
    """Measure how long a stage's step takes beside the bare passes of its network on the same batch.

    Prints, and adds to a table, the time of both, their ratio, images a second and peak memory.
    """

    cases: str = option("table", "cases, or sets of cases (table, growth, gpu), separated by blanks")
    device: str = option("auto", "auto, cpu, cuda or cuda:N")
    clock: str = option("auto", "auto (processor on a CPU, wall on a GPU), processor or wall")
    threads: int = option(1, "CPU threads", high=MOST_THREADS)
    quick: bool = option(False, "each case only twice: the table within a minute on one core")
    profile: str = option("", "cases whose time is also sorted by kind of operation, into profile.csv beside the table")
    out: str = option("results/bench.csv", "the table to write", path=True)
    quiet: bool = option(False, "no progress bar")

    def run(self) -> None:
        """Measure."""
        from fd2lib import measure
        from fd2lib.record import BENCH, PROFILE, put_rows, read_rows

        bench = measure.Bench.on(self.device, self.clock, self.threads, self.quick)
        cases, profiled = (measure.choose_cases(names.split()) for names in (self.cases, self.profile))
        if not cases and not profiled:
            raise SettingError(f"cases are {self.cases!r} and profile {self.profile!r}; name at least one case.")
        require_output(self.out)
        read_rows(self.out, BENCH, missing_ok=True)
        for row in bench.rows(cases, not self.quiet):
            put_rows([row], self.out, BENCH)
            print(measure.bench_line(row), flush=True)
        for case in profiled:
            put_rows(measure.profile_rows(bench, case), Path(self.out).with_name("profile.csv"), PROFILE)
