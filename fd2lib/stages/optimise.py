"""Optimising one chunk of distilled images: phases at changing sizes, teachers in turn, one view per iteration."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor
from tqdm.auto import tqdm

from fd2lib.ground import DistillSettings, TrainingError, make_generator
from fd2lib.ground.typed import parse_phases
from fd2lib.models import Teacher
from fd2lib.stages.computing import autocast, sent_ahead, to_pixels, to_unit
from fd2lib.stages.finite import Watch
from fd2lib.stages.kept import kept_pixels
from fd2lib.stages.objective import Objective, active_terms, history_columns
from fd2lib.views import crop_resize, random_resized_crop_boxes

Job = tuple[int, int]  # image index and chunk of classes


@dataclass(frozen=True)
class Phase:
    """Consecutive iterations at one image size (pixels)."""

    first: int
    last: int  # exclusive
    size: int


def plan_phases(settings: DistillSettings, image_size: int) -> list[Phase]:
    """Return the phases of a distillation; without ``settings.phases`` there is one, at the images' own size.

    The shares in ``phases`` are scaled to ``iterations``, so that a shorter run keeps their proportions.
    """
    if not settings.phases:
        return [Phase(0, settings.iterations, image_size)]
    shares, sizes = zip(*parse_phases(settings.phases), strict=True)
    edges = [round(settings.iterations * sum(shares[:i]) / sum(shares)) for i in range(len(shares) + 1)]
    return [Phase(edges[i], edges[i + 1], size) for i, size in enumerate(sizes)]


def optimise(
    start: Tensor,
    earlier: Sequence[Tensor],
    objectives: Sequence[Objective],
    settings: DistillSettings,
    job: Job,
    bar: tqdm,
) -> tuple[Tensor, Tensor]:
    """Optimise one chunk of one image index from its start, uint8 ``[N, 3, S, S]``.

    Earlier images of the same classes and group are uint8 too. Each teacher has an objective, used in turn, one per
    iteration. Everything random derives from the job. Without iterations the start is the result.

    Returns:
        Images as the start, and their history ``[iterations, columns]``, see :func:`history_columns`.
    """
    if settings.iterations == 0:
        bar.update()
        return start.clone(), torch.zeros(0, len(history_columns(settings)))
    reference = objectives[0].teacher  # pixels are optimised in its units
    device, side = objectives[0].labels.device, start.shape[-1]
    where = f"image index {job[0]}, chunk {job[1]}"
    watch = Watch(objectives[0].columns, where, "Lower distill.learning_rate; finished chunks are kept.")
    images = begun = reference.normalize(to_unit(start.to(device)))
    kept = kept_pixels(reference, images, objectives[0].labels, settings.optimised)
    own_units = [_same_units(objective.teacher, reference) for objective in objectives]
    for phase in plan_phases(settings, side):
        if phase.first > 0:
            images = torch.lerp(_resize(images, phase.size), _resize(begun, phase.size), settings.residual)
        images = _resize(images, phase.size)
        _remember(objectives, [_resize(to_unit(image.to(device)), phase.size) for image in earlier], job)
        images = _run_phase(images.clone(), kept, phase, objectives, own_units, job, watch, bar)
    recorded = watch.check()
    if not watch.kept:
        raise TrainingError(_overflow(settings, recorded[-1], watch))
    return to_pixels(reference.denormalize(_resize(images, side))).cpu(), recorded


def _run_phase(
    images: Tensor,
    kept: Tensor | None,
    phase: Phase,
    objectives: Sequence[Objective],
    own_units: Sequence[bool],
    job: Job,
    watch: Watch,
    bar: tqdm,
) -> Tensor:
    """Optimise normalised images, but for pixels that are kept, with an Adam of its own.

    It promises that gradients were small enough to be squared: Adam no longer moves a pixel otherwise.
    """
    reference, settings = objectives[0].teacher, objectives[0].settings
    start = images if kept is None else images.clone()
    images.requires_grad_(True)
    optimizer = torch.optim.Adam([images], settings.learning_rate, betas=(0.5, 0.9), fused=True)
    for iteration, draw in enumerate(sent_ahead(_draws(settings, phase, job), images.device), phase.first):
        turn = iteration % len(objectives)
        objective = objectives[turn]
        rate = settings.learning_rate * 0.5 * (1 + math.cos(math.pi * iteration / settings.iterations))
        optimizer.param_groups[0]["lr"] = rate
        with autocast(images.device, settings.precision):
            view = _view(images, draw)
            terms = objective(view if own_units[turn] else _for_teacher(view, reference, objective.teacher))
        optimizer.zero_grad(set_to_none=True)
        if terms["total"].requires_grad:  # not so where no term applies, as similarity alone to the first of a group
            torch.autograd.backward(terms["total"])
        optimizer.step()
        with torch.no_grad():
            images.copy_(reference.clamp(images))
            if kept is not None:
                images.copy_(torch.where(kept, start, images))
        watch.see([terms[name] for name in objective.columns])  # stays on the device
        bar.update()
    squares = optimizer.state[images].get("exp_avg_sq", images.detach())
    watch.promise(squares.isfinite().all() & images.detach().isfinite().all())
    return images.detach()


def _overflow(settings: DistillSettings, last: Tensor, watch: Watch) -> str:
    """What is said when the square of a gradient is no longer a number, naming the term that weighs most."""
    value = dict(zip(watch.names, last.abs().tolist(), strict=True))
    term, weight = max(active_terms(settings), key=lambda pair: pair[1] * value[pair[0].name])
    return (
        f"the gradient of {term.name}, with distill.{term.weight} = {weight}, is too large to be squared, so that Adam "
        f"no longer moves the images, by iteration {watch.steps - 1} of {watch.where}; expected "
        f"finite numbers. Lower distill.{term.weight}; finished chunks are kept."
    )


def _resize(images: Tensor, size: int) -> Tensor:
    if images.shape[-1] == size:
        return images
    return F.interpolate(images, (size, size), mode="bilinear", align_corners=False)


def _same_units(teacher: Teacher, reference: Teacher) -> bool:
    """Whether two teachers' weights expect the same pixels, which is read from the device."""
    expected, others = (torch.cat([one.mean, one.std]) for one in (teacher, reference))
    return teacher is reference or torch.equal(expected, others)


def _for_teacher(views: Tensor, reference: Teacher, teacher: Teacher) -> Tensor:
    """Normalised views in the units of another teacher."""
    return teacher.normalize(reference.denormalize(views)).contiguous(memory_format=torch.channels_last)


class _Draw(NamedTuple):
    """The view of one iteration: one random resized crop and flip of the whole chunk, then a circular shift."""

    box: Tensor  # [1, 4]
    flip: Tensor  # [1]
    shift: tuple[int, int]  # pixels down and right


def _draws(settings: DistillSettings, phase: Phase, job: Job) -> Iterator[_Draw]:
    for iteration in range(phase.first, phase.last):
        generator = make_generator(settings.seed, "distill", *job, iteration)
        crop = _draw_crops(1, phase.size, settings, generator)
        reach = settings.shift
        down, right = torch.randint(-reach, reach + 1, (2,), generator=generator).tolist()
        yield _Draw(*crop, (down, right))


def _view(images: Tensor, draw: _Draw) -> Tensor:
    view = crop_resize(images, draw.box, images.shape[-1], draw.flip)
    view = torch.roll(view, draw.shift, dims=(2, 3)) if any(draw.shift) else view
    return view.contiguous(memory_format=torch.channels_last)


def _remember(objectives: Sequence[Objective], earlier: list[Tensor], job: Job) -> None:
    """Show each objective the earlier images (in [0, 1]) of the group, whole or through one random crop and flip."""
    if not earlier:
        return
    for objective in objectives:
        views = [objective.teacher.normalize(images) for images in earlier]
        if objective.settings.similarity_views == "cropped":
            generator = make_generator(objective.settings.seed, "earlier", *job)
            size = views[0].shape[-1]
            draws = [_draw_crops(len(view), size, objective.settings, generator) for view in views]
            views = [crop_resize(view, box, size, flip) for view, (box, flip) in zip(views, draws, strict=True)]
        objective.remember(torch.stack(views))


def _draw_crops(count: int, size: int, settings: DistillSettings, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """Boxes and flips of random resized crops."""
    boxes = random_resized_crop_boxes(count, size, generator, settings.min_crop_scale)
    return boxes, torch.rand(count, generator=generator) < 0.5
