"""Mosaics of a comparison: where one plain teacher scores the crops, every arm starts from the same bytes."""

import json

import pytest
import torch

from fd2lib.drive import Experiment, load_plan, load_study, plan_jobs
from fd2lib.ground import SettingError, load_recipe
from fd2lib.record import read_manifest
from fd2lib.stages import DistillInputs, run_distill

TINY = "pretrain.epochs=1 pretrain.num_maps=2 distill.iterations=2 distill.start=pool2"


@pytest.fixture(scope="module")
def arms(tmp_path_factory):
    """The arms of the study, each as it is and with its own teacher as scorer."""
    runs = tmp_path_factory.mktemp("mosaics")
    common = dict(classes="3", image_size=32, device="cpu", runs_dir=str(runs), progress=False, overrides=TINY)
    study = load_study("mosaics")
    shared = {name: Experiment(**arm.of(common)) for name, arm in study.arms.items()}
    own = {
        name: one.with_(overrides=one.request.overrides.replace("scorer=plain", "scorer=own"))
        for name, one in shared.items()
    }
    return shared, own


def starts(one):
    return one.distilled().starts


def test_arms_start_from_the_same_bytes(arms):
    shared, own = arms
    first = starts(shared["base"])
    assert all(torch.equal(first, starts(one)) for one in shared.values())
    assert torch.equal(first, starts(own["base"]))  # whose teacher is the plain one
    assert not torch.equal(first, starts(own["fd2"])) and not torch.equal(first, starts(own["rival"]))


def test_the_images_know_the_teacher_that_scored(arms):
    shared, own = arms
    for name, one in shared.items():
        inputs = read_manifest(one.distill().folder, "distill")["inputs"]
        assert inputs["scorer"] == read_manifest(shared["base"].distill().folder, "distill")["inputs"]["teacher_0"]
        assert "scorer" not in read_manifest(own[name].distill().folder, "distill")["inputs"]


def test_rows_hold_the_settings_of_the_scorer(arms):
    from fd2lib.drive.asked import settings_text

    shared, own = arms
    (scorer,) = json.loads(settings_text(shared["rival"].recipe))["scorer_settings"]
    assert scorer == json.loads(settings_text(shared["base"].recipe))["pretrain"]
    assert "scorer_settings" not in json.loads(settings_text(own["rival"].recipe))


def test_a_scorer_only_counts_where_crops_are_scored():
    asked = dict(dataset="plumage", method="sre2lpp_fd2")
    whole = load_recipe("reduced", **asked, overrides="distill.start=whole distill.scorer=plain")
    assert whole.distill == load_recipe("reduced", **asked).distill and whole.scorer_settings is None
    two = load_recipe(
        "reduced", dataset="plumage", method="fadrm", overrides="distill.start=pool2 distill.scorer=plain"
    )
    assert two.scorer_settings == two.teacher_settings[0]


def test_a_scorer_that_is_missing_or_too_many_is_said(tmp_path, arms):
    shared, own = arms
    fd2 = shared["fd2"]
    folder = fd2.pretrain().folder
    for one, scorer, told in ((fd2, None, "'plain', but no teacher"), (own["fd2"], folder, "'own', but a teacher")):
        with pytest.raises(SettingError, match=told):
            run_distill(one.recipe.distill, DistillInputs(fd2.dataset, [folder], scorer), tmp_path / told)


def test_jobs_wait_for_the_scorer():
    jobs = plan_jobs(load_plan("mosaics").of_seeds("2"))
    plain = [name for name, job in jobs.items() if job.teacher and not job.teacher.attention]
    assert len(plain) == 1
    assert all(plain[0] in job.needs for job in jobs.values() if not job.teacher)
