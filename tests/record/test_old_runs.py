"""Runs of earlier formats load for ever: complete ones are read and built upon, interrupted ones are continued."""

import dataclasses
import shutil
from pathlib import Path

import pytest
from tiny_pipeline import RUN, STAGES, Pipeline, tiny_data, tiny_recipe

from fd2lib.ground import build_settings, identity
from fd2lib.models import Teacher
from fd2lib.record import RunFolder, read_manifest, run_or_load, verify_runs
from fd2lib.stages import EvaluateInputs, load_distilled, load_student, run_evaluate
from fd2lib.stages.label_store import StoredLabels

FORMATS = sorted(path.name for path in Path(__file__).with_name("old_run").glob("format_*"))
each_format = pytest.mark.parametrize("form", FORMATS)


@pytest.fixture
def old(tmp_path, form):
    """A copy of what an earlier version wrote, in another place."""
    tiny_recipe()
    return Path(shutil.copytree(Path(__file__).with_name("old_run") / form, tmp_path / "moved"))


def _folder(old, stage):
    (folder,) = (old / stage).iterdir()
    return folder


@each_format
def test_complete_runs_are_read(old):
    for stage in STAGES:
        manifest = read_manifest(_folder(old, stage), stage)
        settings = build_settings(stage, manifest["settings"], as_before=True)
        run = RunFolder(_folder(old, stage), stage, settings, manifest["inputs"])
        assert identity(settings) == manifest["settings"] and run.fingerprint == manifest["fingerprint"]
        with run.session() as found:
            assert found == manifest
    teacher = Teacher.load(_folder(old, "pretrain"))
    assert teacher.head is not None and teacher.image_size == 16
    assert load_distilled(_folder(old, "distill")).images.shape == (2, 3, 16, 16)
    assert StoredLabels.read(_folder(old, "relabel")).array().shape == (2, 2, 2)
    student = load_student(_folder(old, "evaluate"))
    assert len(student.mean) == 3 and all(value.isfinite().all() for value in student.state.values())


@each_format
def test_a_new_student_learns_from_labels_whose_folders_have_moved(old):
    settings = build_settings(
        "evaluate", read_manifest(_folder(old, "evaluate"), "evaluate")["settings"], as_before=True
    )
    changed = dataclasses.replace(settings, temperature=5.0)
    inputs = EvaluateInputs(tiny_data(), _folder(old, "relabel"))
    again = run_or_load(run_evaluate, settings, inputs, old, progress=False)
    other = run_or_load(run_evaluate, changed, inputs, old, progress=False)
    assert again.reused and not other.reused


@each_format
@pytest.mark.parametrize("stage", ["pretrain", "distill"])
def test_interrupted_runs_are_continued(old, tmp_path, stage, monkeypatch):
    folder = old / f"unfinished_{stage}"
    left = {path.relative_to(folder): path.read_bytes() for path in folder.rglob("*.safetensors")}
    recipe = tiny_recipe(**{"pretrain.epochs": 3} if stage == "pretrain" else {})
    pipeline = Pipeline(tmp_path / "new", recipe)
    inputs = pipeline.inputs(stage)
    begun = []
    load = RunFolder.load_checkpoint
    monkeypatch.setattr(RunFolder, "load_checkpoint", lambda self: begun.append(load(self)) or begun[-1])
    RUN[stage](getattr(recipe, stage), inputs, folder, progress=False)
    assert begun[0] is not None
    assert all((folder / name).read_bytes() == content for name, content in left.items())
    whole = RUN[stage](getattr(recipe, stage), inputs, tmp_path / "whole", progress=False)
    name = {"pretrain": "teacher.safetensors", "distill": "images.safetensors"}[stage]
    assert (folder / name).read_bytes() == (whole.folder / name).read_bytes()
    assert not [path for path in folder.glob("*") if "checkpoint" in path.name or path.name == "started.json"]


@each_format
def test_all_is_found_whole(old):
    found = {one.folder.name if one.state == "unfinished" else one.folder.parent.name: one for one in verify_runs(old)}
    assert {name for name, one in found.items() if one.state == "ok"} == set(STAGES), found
    assert {name for name, one in found.items() if one.state == "unfinished"} == {
        "unfinished_pretrain",
        "unfinished_distill",
    }


def test_students_are_equal_byte_for_byte(tmp_path):
    made = [Pipeline(tmp_path / name).run("evaluate").folder for name in ("one", "two")]
    one, two = ((folder / "student.safetensors").read_bytes() for folder in made)
    assert one == two
