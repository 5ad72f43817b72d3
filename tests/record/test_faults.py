"""Whatever happens to a run's files, it ends as if nothing had happened, or says in one line what is wrong.

A sample by default; FD2LIB_ALL_FAULTS=1 tries every operation, limit and byte of the plan, and FD2LIB_RECORD=1 writes
what came of each to results/faults.csv.
"""

import contextlib
import csv
import math
import os
import time
import traceback
from pathlib import Path

import pytest
from faults import FULL, KILLED, Death, content, in_child, limited, operations, struck
from tiny_pipeline import RUN, STAGES, Pipeline, tiny_recipe

from fd2lib.record import STUDENTS, put_rows

EVERY = bool(os.environ.get("FD2LIB_ALL_FAULTS"))
FILE = Path(__file__).parents[2] / "results" / "faults.csv"
COLUMNS = ("fault", "stage", "operation", "file", "moment", "outcome", "seconds")
ROWS: list[dict[str, object]] = []
THREE = {"pretrain.epochs": 3, "relabel.epochs": 3}  # so that a third checkpoint drops the first


@pytest.fixture(scope="module", autouse=True)
def recorded(request):
    """What is recorded goes into the file when all is done.

    Children are forks, which PyTorch forbids to train once their parent has: these tests want a process of their own.
    """
    if len({item.path for item in request.session.items}) > 1:
        pytest.skip("runs in a process of its own, as make unit starts it: pytest tests/record/test_faults.py")
    yield
    if os.environ.get("FD2LIB_RECORD") and ROWS:
        with open(FILE, "w", encoding="utf-8", newline="") as stream:
            writer = csv.DictWriter(stream, COLUMNS, lineterminator="\n")
            writer.writeheader()
            writer.writerows(ROWS)


@pytest.fixture(scope="module")
def work(tmp_path_factory):
    """``work(stage, out)`` runs a stage into a folder; what it reads was made before."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("fd2lib.record.folders.provenance", lambda device: {})  # asks git, each time
        patch.setattr("fd2lib.record.folders.CHECKPOINT_SHARE", math.inf)  # one after each epoch
        yield _work(tmp_path_factory)


def _work(tmp_path_factory):
    pipeline = Pipeline(tmp_path_factory.mktemp("runs"), tiny_recipe(**THREE))
    made = {stage: (RUN[stage], getattr(pipeline.recipe, stage), pipeline.inputs(stage)) for stage in STAGES}

    def run(stage, out):
        if stage == "results":
            return put_rows([dict.fromkeys(STUDENTS.columns, 1) | {"settings": "{}"}], out / "runs.csv")
        function, settings, inputs = made[stage]
        return function(settings, inputs, out, progress=False)

    run.place = lambda stage, name: pipeline.runs / stage / name
    return run


def _sample(plan, step):
    return plan if EVERY else plan[step // 2 :: step]


@contextlib.contextmanager
def _case(fault, stage, operation, file, moment, outcome):
    """One fault, and what should come of it; of all, those that come out otherwise are counted first."""
    started = time.perf_counter()
    try:
        yield
    except AssertionError:
        if not EVERY:
            raise
        outcome = "BAD"
        traceback.print_exc()
    values = (fault, stage, operation, file, moment, outcome, round(time.perf_counter() - started, 2))
    ROWS.append(dict(zip(COLUMNS, values, strict=True)))


@pytest.fixture(autouse=True)
def none_bad():
    """Of all cases none may come out otherwise."""
    before = len(ROWS)
    yield
    assert not [row for row in ROWS[before:] if row["outcome"] == "BAD"]


@pytest.mark.parametrize("stage", [*STAGES, "results"])
def test_a_process_that_dies_or_meets_a_full_disk_leaves_what_ends_the_same(work, stage):
    out = work.place(stage, "watched")
    out.parent.mkdir(exist_ok=True)  # or the first run would have an operation more
    seen = operations(lambda: work(stage, out), out)
    expected = content(out)
    plan = [(place, moment) for place, one in enumerate(seen) for moment in one.moments]
    for place, moment in _sample(plan, 47):
        folder, one = work.place(stage, f"struck-{place}-{moment.replace(' ', '-')}"), seen[place]
        fault = FULL if moment == FULL else "killed"
        with _case(fault, stage, one.name, one.file, moment, "ended the same"):
            status, told = struck(lambda folder=folder: work(stage, folder), folder, Death(place, moment))
            if moment == FULL:
                _require_one_line(status, told, one)
            else:
                assert status == KILLED, (one, told)
            status, told = in_child(lambda folder=folder: work(stage, folder))
            assert status == 0, (one, moment, told)
            assert content(folder) == expected, (one, moment)


def _require_one_line(status, told, at):
    """The work ended well in spite of it, or in an error of the library's own."""
    if status:
        (line, _) = told
        assert line.startswith("ArtefactError: ") and "\n" not in line and "No space" in line, (at, told)


@pytest.mark.parametrize("stage", STAGES)
def test_a_limit_on_the_size_of_files_is_said_in_one_line(work, stage):
    out = work.place(stage, "unlimited")
    work(stage, out)
    expected = content(out)
    sizes = sorted({len(value) for value in expected.values() if isinstance(value, bytes)})
    limits = [1, *(size - 1 for size in sizes), 5000, 20000]
    for limit in limits if EVERY else limits[1::3]:
        folder = work.place(stage, f"limit-{limit}")
        with _case("limit on file size", stage, "", "", f"{limit} bytes", "one line, then ended the same"):
            status, told = limited(lambda folder=folder: work(stage, folder), limit)
            if status:
                (line, _) = told
                assert line.startswith("ArtefactError: could not write") and "File too large" in line, (limit, told)
            status, told = in_child(lambda folder=folder: work(stage, folder))
            assert status == 0 and content(folder) == expected, (limit, told)


READ = {
    "pretrain": ("distill", ["teacher.safetensors", "teacher.json", "manifest.json"]),
    "distill": ("relabel", ["images.safetensors", "manifest.json"]),
    "relabel": ("evaluate", ["teacher_logits.npy", "manifest.json"]),
}


@pytest.mark.parametrize("stage", READ)
def test_a_flipped_byte_is_noticed_by_the_stage_that_reads_it(work, stage):
    reader, names = READ[stage]
    folder = next(path for path in work.place(stage, "").iterdir() if path.name.startswith("plumage"))
    reference = work.place(reader, "unflipped")
    work(reader, reference)
    expected = content(reference)
    for name in names:
        path = folder / name
        whole = path.read_bytes()
        places = range(0, len(whole), max(1, len(whole) // (16 if EVERY else 3)))
        for place in places:
            out = work.place(reader, f"flipped-{name}-{place}")
            with _case("flipped byte", reader, "read", f"{stage}/{name}", f"byte {place}", "one line"):
                path.write_bytes(whole[:place] + bytes([whole[place] ^ 1 << place % 8]) + whole[place + 1 :])
                status, told = in_child(lambda out=out: work(reader, out))
                path.write_bytes(whole)
                assert status == 1, place
                assert told[0].startswith("ArtefactError: ") and "\n" not in told[0] and name in told[0], (place, told)
                status, told = in_child(lambda out=out: work(reader, out))
                assert status == 0 and content(out) == expected, (place, told)


# What an interrupted run goes on from, and the operation after which it is interrupted.
UNDER_WAY = {
    "pretrain": ["checkpoint-000002.*"],
    "distill": ["chunks/*", "checkpoint-*"],
    "relabel": ["checkpoint-000002.*", "teacher_logits.npy"],
    "evaluate": ["checkpoint-000002.*"],
}


@pytest.mark.parametrize("damage", ["flipped byte", "cut short"])
@pytest.mark.parametrize("stage", UNDER_WAY)
def test_an_interrupted_run_goes_on_from_what_is_whole(work, stage, damage):
    out = work.place(stage, f"under way, {damage}")
    out.mkdir(parents=True)
    seen = operations(lambda: work(stage, out / "whole"), out / "whole")
    expected = content(out / "whole")
    saved = [place for place, one in enumerate(seen) if one.name == "replace" and "checkpoint" in one.file]
    for name in UNDER_WAY[stage]:
        for share in (0, 1, 2, 3, 5, 7) if EVERY else (5,):
            folder = out / f"{name.split('/')[0]} {share}"
            struck(lambda folder=folder: work(stage, folder), folder, Death(saved[1], "after"))
            path = sorted(folder.glob(name))[-1]
            whole, place = path.read_bytes(), path.stat().st_size * share // 8
            flipped = whole[:place] + bytes([whole[place] ^ 1 << share]) + whole[place + 1 :]
            path.write_bytes(flipped if damage == "flipped byte" else whole[:place])
            with _case(damage, stage, "resume", name, f"byte {place}", "ended the same"):
                status, told = in_child(lambda folder=folder: work(stage, folder))
                assert status == 0 and content(folder) == expected, (name, share, told)
