"""The identities of runs made so far: every method at every scale, and every arm of every study, is found again."""

import itertools
import json
from pathlib import Path

import pytest

from fd2lib.drive import Experiment, list_studies, load_study
from fd2lib.ground import SCALES, identity, list_bundles, list_methods, load_recipe
from fd2lib.record import fingerprint

RECORDED = json.loads(Path(__file__).with_name("fingerprints.json").read_text(encoding="utf-8"))
STAGES = ("pretrain", "distill", "relabel", "evaluate")
DATASETS = {"toy": ("plumage",), "reduced": ("plumage", "cub200", "flowers102"), "paper": ("cub200", "cars196")}


def stages_of(recipe) -> dict[str, str]:
    """Fingerprint of each stage's settings, with the inputs left open; ``pretrain`` stands for every teacher."""
    found = {name: fingerprint(name, identity(getattr(recipe, name)), {})[:16] for name in STAGES[1:]}
    for name, today in (("teachers", "teacher_settings"), ("label_teachers", "label_teacher_settings")):
        found[name] = " ".join(fingerprint("pretrain", identity(one), {})[:16] for one in getattr(recipe, today))
    return found


def recipes():
    """Every recorded recipe under its name."""
    for scale in SCALES:
        for dataset, method, bundle in itertools.product(DATASETS[scale], list_methods(), ("", *list_bundles())):
            for ipc in (1, 3):
                recipe = load_recipe(scale, dataset=dataset, method=method, bundle=bundle, ipc=ipc, seed=2)
                yield f"{scale}/{dataset}/{method}@{bundle} ipc {ipc}", recipe
    for study, scale in itertools.product(list_studies(), SCALES):
        for name, arm in load_study(study).arms.items():
            common = {"scale": scale, "dataset": DATASETS[scale][-1], "device": "cpu"}
            yield f"{study}:{name} {scale}", Experiment(**arm.of(common)).recipe


def test_all_are_found_again():
    found = {name: stages_of(recipe) for name, recipe in recipes()}
    assert not RECORDED.keys() - found.keys(), "a method, scale or arm is gone"
    changed = {name: (RECORDED[name], found[name]) for name in RECORDED if RECORDED[name] != found[name]}
    assert not changed, f"{len(changed)} identities changed, such as {next(iter(changed.items()))}"


@pytest.mark.parametrize("scale", SCALES)
def test_each_scale_is_recorded(scale):
    assert sum(name.startswith(f"{scale}/") for name in RECORDED) >= 48
