"""What benchmarks are made of: cases, images of noise, and teachers with random weights, which take as long as any."""

from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from fd2lib.data import Dataset, ImageSplit
from fd2lib.ground import PretrainSettings, make_generator
from fd2lib.models import Teacher, create_teacher
from fd2lib.record import RunFolder
from fd2lib.stages import to_unit

STATISTICS = (0.5, 0.5, 0.5), (0.25, 0.25, 0.25)  # of the pixels' noise, near enough


@dataclass(frozen=True, kw_only=True)
class Case:
    """One thing to measure; see ``bench.toml`` for what its fields mean."""

    name: str
    set: str
    stage: str
    backbone: str
    image_size: int
    classes: int
    maps: int
    batch: int
    earlier: int
    precision: str
    compiled: str  # as the setting of relabel and evaluate
    without: str  # weights of distillation's terms that are 0, separated by blanks
    goal: float | None = None  # ratio of full to bare
    before: float | None = None
    release: float | None = None


def noise(*shape: int) -> Tensor:
    """Return uint8 noise, the same for the same shape."""
    return torch.randint(0, 256, shape, dtype=torch.uint8, generator=make_generator("bench", *shape))


def noise_split(case: Case, number: int) -> ImageSplit:
    """Return a split of so many images, of each class in turn."""
    names = tuple(map(str, range(number)))
    return ImageSplit(noise(number, 3, case.image_size, case.image_size), torch.arange(number) % case.classes, names)


def noise_dataset(case: Case, number: int) -> Dataset:
    """Return a set of so many training images, and two to test on."""
    names, few = tuple(f"class {label}" for label in range(case.classes)), noise_split(case, 2)
    mean, std = STATISTICS
    return Dataset("bench", names, case.image_size, noise_split(case, number), few, mean, std, fingerprint="bench")


def pretrain_settings(case: Case) -> PretrainSettings:
    """Return the settings of a teacher that trains with three passes, as the release's."""
    return PretrainSettings(
        backbone=case.backbone, init="random", attention=case.maps > 0, num_maps=max(case.maps, 1), views="release",
        batch_size=max(case.batch, 2), precision=case.precision, seed=0,
    )  # fmt: skip


def make_teacher(case: Case) -> Teacher:
    """Return a teacher whose BatchNorm statistics are those of noise, so that activations keep their range."""
    names = [f"class {label}" for label in range(case.classes)]
    teacher = create_teacher(pretrain_settings(case), names, case.image_size, *STATISTICS)
    layers = [layer for layer in teacher.modules() if isinstance(layer, torch.nn.BatchNorm2d)]
    momenta = [layer.momentum for layer in layers]
    for layer in layers:
        layer.momentum = 1.0
    with torch.no_grad():
        teacher.train()(teacher.normalize(to_unit(noise(8, 3, case.image_size, case.image_size))))
    for layer, momentum in zip(layers, momenta, strict=True):
        layer.momentum = momentum
    if teacher.prototypes is not None:
        shape = teacher.prototypes.prototypes.shape
        teacher.prototypes.prototypes.copy_(torch.randn(*shape, generator=make_generator("bench prototypes")))
    return teacher


def save_teacher(case: Case, folder: Path) -> Path:
    """Write a teacher as a finished run, for the stages that load one."""
    run = RunFolder(folder / "teacher", "pretrain", pretrain_settings(case), {})
    with run.session():
        make_teacher(case).save(run.folder)
        run.finish({}, ["teacher.safetensors", "teacher.json"], "cpu")
    return run.folder
