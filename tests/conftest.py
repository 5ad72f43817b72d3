"""The authors' values that every piece is compared with."""

import itertools
import json
import math
from collections.abc import Callable, Sequence
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from hypothesis import settings
from torch import Tensor

from fd2lib.analyse import study_results
from fd2lib.drive import Request, grid_requests, load_plan
from fd2lib.drive.asked import resolve_recipe, settings_text
from fd2lib.record import ATTENTION, GEOMETRY, STUDENTS, folders, put_rows

GOLDEN = Path(__file__).resolve().parents[0] / "golden" / "fd2_golden.npz"

# The same examples on every run, and no time limit: machines that run the tests may be busy.
settings.register_profile("fd2lib", deadline=None, derandomize=True, max_examples=50)
settings.load_profile("fd2lib")


@pytest.fixture(scope="session")
def golden() -> Callable[[str], dict[str, Tensor]]:
    """All tensors of one piece, by name."""
    content = {key: torch.from_numpy(value) for key, value in np.load(GOLDEN).items()}

    def piece(name: str) -> dict[str, Tensor]:
        return {key.partition("/")[2]: value.clone() for key, value in content.items() if key.startswith(f"{name}/")}

    return piece


@pytest.fixture
def every_checkpoint(monkeypatch):
    """Save one after each epoch, however soon it comes after the last."""
    monkeypatch.setattr(folders, "CHECKPOINT_SHARE", math.inf)


@pytest.fixture
def student():
    """Return a function that makes a student's row; its settings follow from what it is of, as a run's do."""

    def make(method: str = "random", seed: int = 0, **other: object) -> dict[str, object]:
        common = dict.fromkeys(STUDENTS.columns, "") | {
            "scale": "toy", "dataset": "plumage", "image_set": "plumage", "images_fingerprint": "f" * 64,
            "num_classes": 8, "image_size": 32, "method": method, "start": "whole", "ipc": 1, "seed": seed,
            "teacher_kind": "plain", "label_teacher_kind": "plain", "teacher_backbones": "convnet4",
            "teacher_init": "random", "student": "convnet4", "student_init": "random", "labels": "soft",
            "last_top1": 40.0, "best_top1": 41.0, "teacher_top1": 60.0, "images_bytes": 24576, "labels_bytes": 8192,
            "mean_pixel_change": 0.02, "device": "cpu", "fingerprint": f"{method}-{seed}-{sorted(other.items())}",
        }  # fmt: skip
        row = common | other
        stages = {
            "distill": {"iterations": 10, "seed": seed, "start": row["start"], "ipc": row["ipc"]},
            "relabel": {"epochs": 5},
            "evaluate": {"student": row["student"], "student_init": row["student_init"], "labels": row["labels"]},
        }
        own = {"settings": json.dumps(stages | {"method": {"student": [method, row.get("arm", "")]}})}
        return common | own | other

    return make


@pytest.fixture
def arm_row(student):
    """Return a function that makes a study's row as a results file holds it: everything is text."""

    def make(arm: str, seed: int, top1: float, ipc: int = 1, **other: object) -> dict[str, str]:
        values = {
            "scale": "reduced", "dataset": "cub200", "image_set": "cub200", "classes": "Warbler", "image_size": 96,
            "num_classes": 25, "arm": arm, "asked_ipc": ipc, "ipc": ipc, "last_top1": top1, "best_top1": top1,
            "images_bytes": 1000 + sum(arm.encode()) + ipc + seed, "label_teacher_kind": "cal",
        }  # fmt: skip
        return {name: str(value) for name, value in student(seed=seed, **values | other).items()}

    return make


@pytest.fixture
def many(arm_row):
    """Return a function that makes rows of one arm, one for each accuracy."""
    return lambda arm, values, **other: [arm_row(arm, seed, value, **other) for seed, value in enumerate(values)]


@pytest.fixture
def study():
    """Return a study of four arms, as far as its results are concerned."""
    titles = {"none": "base", "cal": "CAL", "both": "FD²", "whole_set": "whole set"}
    arms = {name: SimpleNamespace(title=title) for name, title in titles.items()}
    return SimpleNamespace(title="Parts", reference="none", arms=arms)


@pytest.fixture
def results(study):
    """Return a function that makes the results of that study from rows."""
    return lambda *rows: study_results(study, rows)


@pytest.fixture
def commit(tmp_path, student):
    """Return a function that writes rows of a plan for some seeds; ``top1`` gives each from its part and request.

    It returns the folder that ``results/`` is in. Files of other plans stay.
    """

    def write(name: str, seeds: Sequence[int], top1: Callable[[int, Request], float]) -> Path:
        plan, rows = load_plan(name), []
        for place, part in enumerate(plan.parts):
            for request in grid_requests(part):
                if request.seed in seeds:
                    recipe = resolve_recipe(request)
                    asked = ("scale", "dataset", "classes", "image_size", "method")
                    known = {field: getattr(recipe, field) for field in asked} | {"image_set": recipe.dataset}
                    known |= {"ipc": recipe.relabel.ipc, "seed": request.seed, "settings": settings_text(recipe)}
                    rows.append(student(**known, last_top1=top1(place, request), num_classes=25, evaluate_images=1000))
        (tmp_path / "results").mkdir(exist_ok=True)
        put_rows([{column: row[column] for column in STUDENTS.columns} for row in rows], tmp_path / plan.file)
        return tmp_path

    return write


@pytest.fixture
def timed():
    """Return a function that gives the four stages' seconds, in proportion to a factor."""
    seconds = {"pretrain": 10, "distill": 5, "relabel": 4, "evaluate": 8}
    return lambda factor: {f"{stage}_seconds": factor * value for stage, value in seconds.items()}


@pytest.fixture
def cost_row(student):
    """Return a function that makes a row with images counted: 8 classes, 400 images to a student."""
    worked = {"pretrain_images": 1000, "distill_images": 500, "relabel_images": 400, "evaluate_images": 400}
    return lambda method, seed=0, **other: student(method, seed, **worked | other)


@pytest.fixture
def whole_row(student):
    """Return a function that makes a student's row of the whole training set."""
    none = dict.fromkeys(("pretrain_images", "distill_images", "relabel_images", "labels_bytes", "ipc"), 0)
    none |= dict.fromkeys(("teacher_backbones", "teacher_top1", "teacher_kind", "label_teacher_kind"), "")
    given = {"start": "all", "images_bytes": 245760, "last_top1": 50.0, "evaluate_images": 1000}
    return lambda **other: student("whole_set", **none | given | other)


MEASURED = {
    "scale": "toy", "dataset": "plumage", "image_set": "plumage", "images_fingerprint": "f" * 64, "image_size": 48,
    "num_classes": 8, "backbone": "convnet4", "init": "random",
}  # fmt: skip


@pytest.fixture
def attention_rows():
    """Return a function that makes rows of where teachers look; the CAL one has ``gap`` more on the parts."""

    def make(seeds: int = 3, gap: float = 2.0, **other: object) -> list[dict[str, object]]:
        rows = []
        for seed, teacher in itertools.product(range(seeds), ("plain", "cal")):
            for kind in ("class_activation", "occlusion") + (("head_occlusion",) if teacher == "cal" else ()):
                mass = 10.0 + seed + (gap if teacher == "cal" else 0) + 5 * (kind == "head_occlusion")
                rows.append(dict.fromkeys(ATTENTION.columns, "") | MEASURED | {
                    "seed": seed, "teacher_kind": teacher, "map": kind, "map_size": "6×6", "mass": mass,
                    "chance": 3.0, "centre": 6.0, "average_map": 8.0 + seed, "cell_spread": 53.0,
                    "cell_offset": 9.0, "masks": "exact masks",
                } | other)  # fmt: skip
        return rows

    return make


@pytest.fixture
def geometry_rows():
    """Return a function that makes rows of what sets are like, in the space of a judge."""

    def make(seeds: int = 3, **other: object) -> list[dict[str, object]]:
        rows, steps = [], {"random": 0.0, "sre2lpp": 0.1, "sre2lpp_fd2": 0.3}
        for seed, method, stage in itertools.product(range(seeds), steps, ("distilled", "start")):
            step = steps[method] if stage == "distilled" else 0.0
            if stage == "distilled" or method != "random":
                rows.append(dict.fromkeys(GEOMETRY.columns, "") | MEASURED | {
                    "seed": seed, "method": method, "start": "whole", "ipc": 3, "images": stage, "space": "judge",
                    "judge": "convnet4, seed 1", "within": 0.5 + step + 0.01 * seed, "between": 1.0,
                    "ratio": 1.1 + step, "similarity": 0.2, "nearest": 0.1 + step, "copies": 50.0,
                    "real_within": 0.5, "real_ratio": 1.1, "real_similarity": 0.1,
                    "real_attention_similarity": 0.3, "real_nearest": 0.2,
                } | other)  # fmt: skip
        return rows

    return make
