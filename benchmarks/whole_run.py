"""Where the time of a seed goes: SRe²L++ + FD² on the 25 warblers at reduced scale, by stage, in processor time.

Stages run at a tenth or a twentieth of their length on one thread, and what they took is multiplied; what a stage does
once, such as testing a teacher, counts as often. To compare two versions of the library, run this file with each on
Python's path, in turn:

    PYTHONPATH=/path/to/version python benchmarks/whole_run.py results/whole_run.csv NAME --data-root /data
"""

import argparse
import csv
import tempfile
import time
from pathlib import Path

from fd2lib.drive import Experiment
from fd2lib.stages.course import write_history

TIMES = {"pretrain": 10, "distill": 10, "relabel": 20, "evaluate": 20}  # of the recipe's 10, 150, 80 and 80
SHORT = "pretrain.epochs=1 distill.iterations=15 relabel.epochs=4"


def minutes_of_stages(data_root: str) -> dict[str, float]:
    """Return processor minutes of each stage, scaled to its full length."""
    found = {}
    with tempfile.TemporaryDirectory() as folder:
        experiment = Experiment(
            scale="reduced", dataset="cub200", data_root=data_root, method="sre2lpp_fd2", ipc=3, device="cpu",
            runs_dir=folder, overrides=SHORT, progress=False,
        )  # fmt: skip
        print(f"{len(experiment.dataset.train)} training images")
        for stage, times in TIMES.items():
            begin = time.process_time()
            getattr(experiment, stage)()
            found[stage] = times * (time.process_time() - begin) / 60
    return found


def main() -> None:
    """Measure the version on the path and add its row; means over a version's rows are shown."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("table", type=Path)
    parser.add_argument("version", help="what the row is called")
    parser.add_argument("--data-root", default="")
    asked = parser.parse_args()
    rows: list[dict[str, str]] = (
        list(csv.DictReader(asked.table.open(encoding="utf-8"))) if asked.table.exists() else []
    )
    minutes = minutes_of_stages(asked.data_root)
    row = {"version": asked.version, **{f"{stage}_minutes": f"{value:.2f}" for stage, value in minutes.items()}}
    rows.append(row)
    write_history(asked.table, rows)
    print(row)


if __name__ == "__main__":
    main()
