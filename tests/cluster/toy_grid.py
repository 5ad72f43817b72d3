"""Four toy runs through Snakemake's executor for Slurm, two jobs killed on the way, and what was submitted and why.

    python tests/cluster/toy_grid.py FOLDER [TABLE.csv]

1. ``fd2lib run`` makes the rows on this machine, without Snakemake.
2. The same plan goes through Slurm without retries. One job is killed (scancel) while its student is training.
3. The same command again, with the profile's retries: what is missing is submitted, and killed once more. Snakemake
   submits it again by itself, and each time it goes on where it was.
4. The same command again has nothing to do.
"""

import csv
import json
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from slurm import ask, slurm

ROOT = Path(__file__).parents[2]
PLAN = ROOT / "tests" / "cluster" / "plan.toml"
PROFILE = ROOT / "examples" / "cluster" / "slurm"
COLUMNS = ("command", "slurm_job", "job", "state", "seconds", "why")
# For a cluster on one machine: no accounting that could be asked, states looked up soon, a folder of no network.
HERE = ["--slurm-status-command", "squeue", "--slurm-init-seconds-before-status-checks", "5", "--latency-wait", "5"]
HERE += ["--slurm-keep-successful-logs"]


@dataclass
class Seen:
    """What happened: rows of both ways, Slurm's jobs of each command, and what the commands said."""

    folder: Path
    environment: dict[str, str] = field(default_factory=dict)
    jobs: list[dict[str, str]] = field(default_factory=list)
    told: list[str] = field(default_factory=list)  # by Snakemake, a text for each command
    statuses: list[int] = field(default_factory=list)
    killed: list[str] = field(default_factory=list)  # Slurm's numbers

    def rows(self, way: str) -> list[dict[str, str]]:
        """The rows made ``locally`` or on ``slurm``, in one order."""
        with open(self.folder / way / "runs.csv", encoding="utf-8", newline="") as stream:
            return sorted(csv.DictReader(stream), key=lambda row: (row["method"], row["seed"]))

    def log_of(self, slurm_job: str) -> str:
        """What a job wrote."""
        (path,) = self.folder.rglob(f"{slurm_job}.log")
        return path.read_text(encoding="utf-8", errors="replace")


def run(folder: Path) -> Seen:
    """Do all of it below a folder, which is made."""
    seen = Seen(folder)
    folder.mkdir(parents=True, exist_ok=True)
    words = ["--plan", str(PLAN), "--out", str(folder / "locally"), "--runs-dir", str(folder / "runs-locally")]
    subprocess.run([sys.executable, "-m", "fd2lib", "run", *words, "--device", "cpu", "--quiet"], cwd=ROOT, check=True)
    # The same settings have the same folder wherever they run, so that the victim's is known.
    row = seen.rows("locally")[-1]
    (victim,) = (folder / "runs-locally" / "evaluate").glob(f"*-{row['fingerprint'][:12]}")
    victim = folder / "runs" / "evaluate" / victim.name
    job = f"sre2lpp_fd2-whole-seed{row['seed']}-"
    with slurm(folder / "cluster") as seen.environment:
        for words, kill in ((["--retries", "0"], True), ([], True), ([], False)):
            with _snakemake(seen, words) as process:
                if kill:
                    _kill(seen, job, victim, process)
            _note(seen)
    return seen


@contextmanager
def _snakemake(seen: Seen, words: list[str]) -> Iterator[subprocess.Popen[str]]:
    """The command of the book's page, for this cluster, in the folder."""
    config = [
        "--config",
        f"plan={PLAN}",
        f"out={seen.folder / 'slurm'}",
        f"runs_dir={seen.folder / 'runs'}",
        "device=cpu",
    ]
    command = [sys.executable, "-m", "snakemake", "--snakefile", str(ROOT / "Snakefile"), "--profile", str(PROFILE)]
    command += ["--directory", str(seen.folder), *HERE, *words, *config, "--", str(seen.folder / "slurm" / "runs.csv")]
    log = seen.folder / f"snakemake-{len(seen.told) + 1}.log"
    environment = {**seen.environment, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    with open(log, "w", encoding="utf-8") as stream:
        process = subprocess.Popen(command, env=environment, stdout=stream, stderr=subprocess.STDOUT)
        try:
            yield process
            process.wait(600)
        finally:
            process.kill()
            process.wait()
    seen.told.append(log.read_text(encoding="utf-8"))
    seen.statuses.append(process.returncode)


def _kill(seen: Seen, job: str, victim: Path, process: subprocess.Popen[str]) -> None:
    """Cancel the victim's job in the middle: it goes on from the checkpoint that it finds, and has written another."""
    before = set(victim.glob("checkpoint-*"))
    while not set(victim.glob("checkpoint-*")) - before:
        if process.poll() is not None:
            raise RuntimeError(f"Snakemake ended before {victim} was reached; see {seen.folder}/snakemake-*.log")
        time.sleep(0.05)
    running = ask(["squeue", "--noheader", "--states=RUNNING", "--format=%i|%k"], seen.environment).split("\n")
    (number,) = [line.split("|")[0] for line in running if job in line]
    ask(["scancel", number], seen.environment)
    seen.killed.append(number)


def _note(seen: Seen) -> None:
    """Add Slurm's jobs that are new since the last command, and why each was submitted."""
    command = len(seen.told)
    known = {one["slurm_job"]: one for one in seen.jobs}
    again = {one["job"] for one in seen.jobs}
    listed = json.loads(ask(["squeue", "--states=all", "--json"], seen.environment))["jobs"]
    for one in sorted(listed, key=lambda one: one["job_id"]):
        number = str(one["job_id"])
        if number in known:
            continue
        name = re.sub(r"^rule_(\w+?)_wildcards_", "", one["comment"])
        why = "first" if name not in again else "killed before"
        again.add(name)
        seconds = str(one["end_time"] - one["start_time"])
        told = (command, number, name, one["job_state"], seconds, why)
        seen.jobs.append(dict(zip(COLUMNS, map(str, told), strict=True)))


def write_table(seen: Seen, path: Path) -> None:
    """Write Slurm's jobs as the book's page shows them."""
    with open(path, "w", encoding="utf-8", newline="") as stream:
        writer = csv.DictWriter(stream, COLUMNS, lineterminator="\n")
        writer.writeheader()
        writer.writerows(seen.jobs)


if __name__ == "__main__":
    done = run(Path(sys.argv[1]).resolve())
    for line in done.jobs:
        print(*line.values())
    if len(sys.argv) > 2:
        write_table(done, Path(sys.argv[2]))
