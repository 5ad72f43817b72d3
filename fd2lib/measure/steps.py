"""The work that is timed: a stage's own steps, and the bare passes of its network on the same batch.

Nothing of a stage is written again here: what is timed is what the stage itself calls.
"""

import contextlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from types import ModuleType
from typing import Any
from unittest.mock import patch

import torch
from PIL import Image
from tqdm.auto import tqdm

from fd2lib.data import batches, load_dataset, resident
from fd2lib.ground import DistillSettings, EvaluateSettings, RelabelSettings, SettingError, make_generator, unknown
from fd2lib.measure.cases import (
    STATISTICS,
    Case,
    make_teacher,
    noise,
    noise_dataset,
    noise_split,
    pretrain_settings,
    save_teacher,
)
from fd2lib.models import Backbone, batch_statistics
from fd2lib.record import RunFolder
from fd2lib.stages import (
    DistillInputs,
    EvaluateInputs,
    PretrainInputs,
    RelabelInputs,
    evaluate,
    pretrain,
    run_distill,
    run_evaluate,
    run_pretrain,
    run_relabel,
)
from fd2lib.stages.computing import autocast, normalize_pixels, to_unit
from fd2lib.stages.distilled import load_distilled
from fd2lib.stages.finite import Watch
from fd2lib.stages.labels import epoch_logits, load_teachers
from fd2lib.stages.objective import Objective
from fd2lib.stages.optimise import optimise
from fd2lib.views import apply_plan, halves, plan_epoch


@dataclass(frozen=True)
class Work:
    """Two things to call in turn, each of which does ``steps`` steps of ``images`` images."""

    full: Callable[[], object]
    bare: Callable[[], object]
    steps: int
    images: int


def prepare(case: Case, device: torch.device, folder: Path, steps: int) -> Work:
    """Make what a case needs, in an empty folder, ready to be timed again and again.

    Raises:
        SettingError: there is no such stage.
    """
    if case.stage not in _KINDS:
        raise SettingError(unknown("stage of a benchmark", case.stage, _KINDS))
    return _KINDS[case.stage](case, device, folder, steps)


def _distill(case: Case, device: torch.device, folder: Path, steps: int) -> Work:
    (teacher,) = load_teachers([save_teacher(case, folder)], device)
    of_head = ("attention_ratio", "characteristic_weight", "similarity_weight")
    without: dict[str, Any] = dict.fromkeys([*case.without.split(), *(() if case.maps else of_head)], 0.0)
    settings = DistillSettings(
        ipc=case.earlier + 1, iterations=steps, precision=case.precision, shift=4 if case.image_size <= 64 else 32,
        seed=0, **without,
    )  # fmt: skip
    shape = (3, case.image_size, case.image_size)
    start, labels = noise(case.batch, *shape), torch.arange(case.batch, device=device) % case.classes
    objective = Objective(teacher, settings, labels)
    if case.earlier:  # shown once for all iterations of an image, so not part of a step
        objective.remember(torch.stack([teacher.normalize(to_unit(start.to(device)))] * case.earlier))
    images = teacher.normalize(to_unit(start.to(device))).contiguous(memory_format=torch.channels_last)
    images.requires_grad_()

    def bare() -> None:
        for _ in range(steps):
            with autocast(device, case.precision):
                logits = teacher.backbone(images).logits
            torch.autograd.grad(logits.float().sum(), images)

    bar = tqdm(disable=True)
    return Work(lambda: optimise(start, [], [objective], settings, (case.earlier, 0), bar), bare, steps, case.batch)


def _pretrain(case: Case, device: torch.device, folder: Path, steps: int) -> Work:
    settings, inputs = pretrain_settings(case), PretrainInputs(noise_dataset(case, steps * case.batch))
    parts, full = _taken_from(pretrain, lambda: run_pretrain(settings, inputs, folder, device=device, progress=False))
    bare = _training_passes(parts["teacher"].backbone, case, device, [case.batch, 2 * case.batch] * steps)
    return Work(full, bare, steps, 3 * case.batch)


class _Taken(Exception):
    """A stage was about to run its epochs."""


def _taken_from(stage: ModuleType, run: Callable[[], object]) -> tuple[Mapping[str, Any], Callable[[], object]]:
    """The parts that a stage trains, and its first epoch, taken when it is about to begin: nothing else is timed."""
    taken: list[Any] = []

    def take(
        run: RunFolder, epochs: int, parts: Mapping[str, Any], one_epoch: Callable[..., Any], terms: Any, *_: Any
    ) -> None:
        taken.extend([parts, lambda: one_epoch(0, Watch(terms, "a measured epoch", ""))])
        raise _Taken

    with patch.object(stage, "run_epochs", take), contextlib.suppress(_Taken):
        run()
    parts, first_epoch = taken
    return parts, first_epoch


def _training_passes(network: Backbone, case: Case, device: torch.device, sizes: list[int]) -> Callable[[], None]:
    """Forwards and backwards to the weights, on batches of these sizes."""
    pixels = to_unit(noise(max(sizes), 3, case.image_size, case.image_size).to(device))
    images = normalize_pixels(pixels, *STATISTICS).contiguous(memory_format=torch.channels_last)

    def passes() -> None:
        network.train()
        for size in sizes:
            with autocast(device, case.precision):
                logits = network(images[:size]).logits
            network.zero_grad(set_to_none=True)
            torch.autograd.backward(logits.float().sum())

    return passes


def _labels(case: Case, device: torch.device, folder: Path, steps: int) -> tuple[RelabelSettings, Path, list[Path]]:
    """Noise as a distilled set, one or more images of each class, that makes ``steps`` batches."""
    if case.batch * steps % case.classes:
        raise SettingError(
            f"{steps} batches of {case.batch} are not a whole number of images for {case.classes} classes."
        )
    teachers, ipc = [save_teacher(case, folder)], case.batch * steps // case.classes
    settings = DistillSettings(ipc=ipc, start="noise", iterations=0, seed=0)
    made = run_distill(settings, DistillInputs(noise_dataset(case, 2), []), folder / "distill", progress=False)
    # Two epochs, as a student is tested after its last and the first is timed.
    relabel = RelabelSettings(ipc=ipc, epochs=2, batch_size=case.batch, seed=0, **_running(case))
    return relabel, made.folder, teachers


def _running(case: Case) -> dict[str, Any]:
    """How networks run, of the stages that pass half batches through them."""
    return {"precision": case.precision, "compiled": case.compiled}


def _relabel(case: Case, device: torch.device, folder: Path, steps: int) -> Work:
    settings, distilled, folders = _labels(case, device, folder, steps)
    teachers = load_teachers(folders, device, settings.compiled)
    images = to_unit(load_distilled(distilled).images.to(device))
    network, plans = teachers[0].backbone, plan_epoch(settings, len(images), case.image_size, 0, device)
    batch = teachers[0].normalize(apply_plan(images, plans[0])).contiguous(memory_format=torch.channels_last)

    @torch.no_grad()
    def bare() -> None:
        with batch_statistics(network), autocast(device, settings.precision):
            for _ in plans:
                for part in halves(batch):
                    network(batch[part])

    return Work(partial(epoch_logits, settings, teachers, images, 0), bare, steps, case.batch)


def _student(case: Case, device: torch.device, folder: Path, steps: int) -> Work:
    relabel, distilled, teachers = _labels(case, device, folder, steps)
    given = RelabelInputs(distilled, teachers)
    labels = run_relabel(relabel, given, folder / "relabel", device=device, progress=False).folder
    settings = EvaluateSettings(student=case.backbone, seed=0, **_running(case))
    inputs, out = EvaluateInputs(noise_dataset(case, 2), labels), folder / "evaluate"
    parts, full = _taken_from(evaluate, lambda: run_evaluate(settings, inputs, out, device=device, progress=False))
    bare = _training_passes(parts["student"], case, device, [case.batch // 2] * (2 * steps))
    return Work(full, bare, steps, case.batch)


def _feeding(case: Case, device: torch.device, folder: Path, steps: int) -> Work:
    """Shuffled batches as floats on the device, beside the passes of one network over them."""
    del folder
    split = resident(noise_split(case, steps * case.batch), device)
    network = make_teacher(case).backbone.to(device).to(memory_format=torch.channels_last)

    def full() -> None:
        for images, _, _ in batches(split, case.batch, device, make_generator("bench", "order")):
            to_unit(images)

    return Work(full, _training_passes(network, case, device, [case.batch] * steps), steps, case.batch)


def _decoding(case: Case, device: torch.device, folder: Path, steps: int) -> Work:
    """Loading a folder of photographs for the first time, beside Pillow alone decoding and warping each."""
    del device, steps
    paths = []
    for number in range(case.batch):
        split = "test" if number // 2 % 6 == 5 else "train"
        path = folder / "photographs" / split / f"class {number % 2}" / f"{number}.jpg"
        path.parent.mkdir(parents=True, exist_ok=True)
        coarse = Image.fromarray(noise(47, 63, 3).roll(number, 0).numpy())
        coarse.resize((500, 375), Image.Resampling.BICUBIC).save(path, quality=90)
        paths.append(path)
    size, calls = case.image_size, iter(range(10**9))

    def full() -> None:
        fresh = folder / "cache" / str(next(calls))  # or the second time would read what the first one kept
        load_dataset("folder", folder / "photographs", size, cache=fresh, progress=False)

    def bare() -> None:
        for path in paths:
            with Image.open(path) as image:
                image.convert("RGB").resize((size, size), Image.Resampling.BILINEAR)

    return Work(full, bare, 1, case.batch)


_KINDS: dict[str, Callable[[Case, torch.device, Path, int], Work]] = {
    "distill": _distill,
    "pretrain": _pretrain,
    "relabel": _relabel,
    "evaluate": _student,
    "feeding": _feeding,
    "decoding": _decoding,
}
