"""The four stages at their smallest: a network of 450 weights on drawn images of 16 px, two steps each."""

import functools
from dataclasses import dataclass, field
from pathlib import Path

import torch

from fd2lib.data import Dataset, load_dataset
from fd2lib.ground import Recipe, load_recipe
from fd2lib.models.small import SMALL_NETWORKS, ConvNet, SmallNetwork
from fd2lib.record import run_or_load
from fd2lib.stages import (
    DistillInputs,
    EvaluateInputs,
    PretrainInputs,
    RelabelInputs,
    run_distill,
    run_evaluate,
    run_pretrain,
    run_relabel,
)

STAGES = ("pretrain", "distill", "relabel", "evaluate")
NETWORK = "convnet_of_two"
OVERRIDES = {
    "pretrain.epochs": 2,
    "pretrain.batch_size": 4,
    "pretrain.num_maps": 2,
    "pretrain.views": "paper",
    "distill.iterations": 2,
    "distill.chunk_classes": 1,
    "relabel.epochs": 2,
    "relabel.batch_size": 4,
    "evaluate.test_every": 1,
}


def register_network() -> None:
    """Let recipes name the network; what is on disk of it needs this to be loaded."""
    SMALL_NETWORKS[NETWORK] = SmallNetwork("two plain blocks", lambda classes, stride: ConvNet(classes, (4, 8)))


@functools.cache
def tiny_data() -> Dataset:
    """Two drawn classes of three images."""
    return load_dataset("plumage", size=16, classes="2", train_per_class=3, test_per_class=2)


def tiny_recipe(method: str = "sre2lpp_fd2", **changes) -> Recipe:
    """Settings of a method, IPC 1, with some of them changed."""
    register_network()
    asked = {"dataset": "plumage", "method": method, "backbone": NETWORK, "ipc": 1, "seed": 0}
    return load_recipe("toy", **asked, overrides=OVERRIDES | changes, strict=False)


@dataclass
class Pipeline:
    """Stages of a recipe below a runs folder, each run or loaded with those that it needs."""

    runs: Path
    recipe: Recipe = field(default_factory=tiny_recipe)
    device: str = "cpu"

    def run(self, stage: str):
        """Run or load a stage; returns its result."""
        settings = getattr(self.recipe, stage)
        return run_or_load(RUN[stage], settings, self.inputs(stage), self.runs, device=self.device, progress=False)

    def inputs(self, stage: str):
        """What a stage reads, made where it is not there."""
        if stage == "pretrain":
            return PretrainInputs(tiny_data())
        if stage == "distill":
            return DistillInputs(tiny_data(), [self.run("pretrain").folder])
        if stage == "relabel":
            return RelabelInputs(self.run("distill").folder, [self.run("pretrain").folder])
        return EvaluateInputs(tiny_data(), self.run("relabel").folder)


RUN = dict(zip(STAGES, (run_pretrain, run_distill, run_relabel, run_evaluate), strict=True))


def one_thread() -> None:
    """Tiny tensors are slower on several threads."""
    torch.set_num_threads(1)
