"""A pipeline small enough for unit tests: four drawn classes at 32 px, one epoch or iteration more than one."""

import dataclasses

import pytest
import torch

from fd2lib.data import load_dataset
from fd2lib.ground import load_recipe
from fd2lib.stages import PretrainInputs, run_pretrain

TINY = {
    "pretrain.epochs": 2,
    "pretrain.batch_size": 8,
    "pretrain.num_maps": 2,
    "distill.iterations": 3,
    "relabel.epochs": 2,
    "relabel.batch_size": 8,
    "evaluate.test_every": 1,
}


@pytest.fixture(scope="session", autouse=True)
def one_thread():
    """Tiny tensors are slower on several threads."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="session")
def data():
    return load_dataset("plumage", size=32, classes="4", train_per_class=6, test_per_class=4)


@pytest.fixture(scope="session")
def recipe():
    """``recipe("sre2lpp", **{"distill.ipc": 3})`` gives tiny settings of a method."""

    def make(method="sre2lpp_fd2", ipc=1, seed=0, **changes):
        overrides = {**TINY, **changes}  # what a method does not have, such as iterations, is not followed
        return load_recipe(
            "toy", dataset="plumage", method=method, ipc=ipc, seed=seed, overrides=overrides, strict=False
        )

    return make


@pytest.fixture(scope="session")
def teachers(tmp_path_factory, data, recipe):
    """Folders of a teacher with attention head and of a plain one."""
    root = tmp_path_factory.mktemp("teachers")
    made = {}
    for name, method in (("cal", "sre2lpp_fd2"), ("plain", "sre2lpp")):
        settings = dataclasses.replace(recipe(method).pretrain, epochs=1)
        made[name] = run_pretrain(settings, PretrainInputs(data), root / name, progress=False).folder
    return made
