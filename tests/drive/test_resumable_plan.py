"""The plan for a GPU, rehearsed on a CPU with tiny settings: stopped again and again, it makes the rows of one run."""

import dataclasses

import pytest

from fd2lib.drive import load_plan, planned
from fd2lib.drive.cli import main
from fd2lib.record import STUDENTS, RunFolder, read_rows

TINY = {"scale": "toy", "dataset": "plumage", "classes": "2", "image_size": 32, "ipc": "1"}
FAST = "pretrain.epochs=2 pretrain.batch_size=64 distill.iterations=2 relabel.epochs=2 evaluate.test_every=2"


@pytest.fixture
def tiny(tmp_path):
    """The plan `gpu` as a file, its study and the first of its parts, on two drawn birds."""
    (study,) = {part.study for part in load_plan("gpu").parts}
    told = TINY | {"study": study, "seeds": load_plan("gpu").parts[0].seeds, "overrides": FAST}
    lines = [f"{name} = {value if isinstance(value, int) else repr(value)}" for name, value in told.items()]
    (tmp_path / "tiny.toml").write_text("\n".join(lines), encoding="utf-8")
    return tmp_path / "tiny.toml"


@pytest.fixture
def stopping(monkeypatch, every_checkpoint):
    """Return a function after which every command is told to stop, as by Ctrl-C, at its checkpoint of that number."""

    def begin(after: int) -> None:
        saved, left = RunFolder.save_checkpoint, [after]

        def save(self, state):
            saved(self, state)
            left[0] -= 1
            if left[0] == 0:
                left[0] = after
                raise KeyboardInterrupt

        monkeypatch.setattr(RunFolder, "save_checkpoint", save)

    return begin


def test_parts_make_the_rows_of_one_run(tiny, tmp_path, stopping, capsys):
    def run(folder):
        words = ["--plan", str(tiny), "--device", "cpu", "--quiet", "--out", str(tmp_path / folder)]
        return main(["run", *words, "--runs-dir", str(tmp_path / folder / "runs")])

    assert run("whole") == 0
    stopping(after=6)
    statuses = [run("parts")]
    while statuses[-1] == 130 and len(statuses) < 40:  # what the loop in the shell does
        statuses.append(run("parts"))
    assert statuses[-1] == 0 and len(statuses) > 3, "stopped several times, then done"
    assert "Run the same command again" in capsys.readouterr().err
    names = ("settings", "fingerprint", "last_top1", "best_top1", "teacher_top1", "mean_pixel_change")
    whole, parts = (read_rows(tmp_path / folder / "runs.csv", STUDENTS) for folder in ("whole", "parts"))
    assert [[row[name] for name in names] for row in whole] == [[row[name] for name in names] for row in parts]
    assert len(whole) == len(planned(load_plan(str(tiny)))) == 5


def test_the_plan_asks_what_question_one_asks_seed_by_seed():
    plan, question = load_plan("gpu"), load_plan("answer").parts[0]
    assert [part.seeds for part in plan.parts] == ["0", "1", "2"]
    for part in plan.parts:
        assert (part.classes, part.image_size, part.ipc) == ("200", 128, "1,3,5")
        arms = part.study.partition(":")[2].split(",")
        assert part.study.startswith(f"{question.study}:") and {"fd2", "base", "rival", "cal", "real_cal"} == set(arms)
        same = {"classes": "", "image_size": 0, "ipc": question.ipc, "seeds": question.seeds, "study": question.study}
        assert dataclasses.replace(part, **same) == question, "all else is the same"
