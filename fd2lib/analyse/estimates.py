"""What a row of the paper's table takes at the paper's settings, by counting: nothing is run at that scale.

Floating-point operations are counted by PyTorch, those of networks on tensors without content; a product and its sum
are two. A pass that also goes backwards to the images costs twice a forward one, to the weights as well three times:
each layer's gradients are products of the size of its own. What is not products (normalisation, losses, crops,
optimisers) is not counted.
"""

import functools
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import torch
from torch import Tensor
from torch.utils.flop_counter import FlopCounterMode

from fd2lib.analyse.budget import label_bytes
from fd2lib.analyse.costs import MIB, STAGES, network_bytes
from fd2lib.analyse.paper import CELL, load_paper
from fd2lib.analyse.reading import records
from fd2lib.data import list_datasets
from fd2lib.ground import ArtefactError, PretrainSettings, Recipe, load_recipe
from fd2lib.models import AttentionHead, create_backbone
from fd2lib.stages.optimise import plan_phases

# Peak operations a second on dense matrices in bf16, sums in single precision: NVIDIA's "H100 Tensor Core GPU" data
# sheet (SXM; it prints twice as many, with sparsity) and "NVIDIA Ada GPU Architecture" white paper, appendix A.
PEAKS = {"H100": 989.4e12, "RTX 4090": 165.2e12}
USED = 0.3  # share of the peak that training commonly reaches
FORWARD, TO_IMAGES, TO_WEIGHTS = 1, 2, 3  # times a forward pass
_CROPS = 5  # that are scored of every training image for a mosaic
_FLOAT = 4  # bytes


@functools.cache
def body_operations(name: str, image_size: int) -> tuple[int, int, int]:
    """Return the operations of one image's forward pass up to the last feature map, and its channels and places."""
    with torch.device("meta"):
        body = create_backbone(name, 1, image_size=image_size, stem="standard").eval()
        image = torch.empty(1, 3, image_size, image_size)
    counted = _count(lambda: body.network.forward_features(image))
    return counted, body.num_features, body.feature_size[0] * body.feature_size[1]


@functools.cache
def head_operations(channels: int, places: int, classes: int, maps: int) -> int:
    """Return the operations of one image's pass through an attention head, on a feature map of so many places."""
    # With content, as autocast, which a head switches off, does not know tensors without; one image is little.
    head, features = AttentionHead(channels, classes, maps).eval(), torch.zeros(1, channels, places, 1)
    return _count(lambda: head(features))


def forward_operations(name: str, image_size: int, classes: int, maps: int = 0) -> int:
    """Return the operations of one image's forward pass: network, classifier, and head where there are maps."""
    body, channels, places = body_operations(name, image_size)
    head = head_operations(channels, places, classes, maps) if maps else 0
    return body + 2 * channels * classes + head


@torch.no_grad()
def _count(work: Callable[[], object]) -> int:
    with FlopCounterMode(display=False) as counter:
        work()
    return int(counter.get_total_flops())


def stage_operations(recipe: Recipe) -> dict[str, float]:
    """Return the operations of each stage of a recipe, for the data set's published numbers of classes and images.

    Distillation's are of all its images per class and include what scores crops for mosaics; evaluation's include the
    tests. Images that are only looked at again for the similarity constraint are not counted.
    """
    info, size, ipc = list_datasets()[recipe.dataset], recipe.image_size, recipe.distill.ipc
    if not info.num_classes or not info.train_images or not info.test_images:
        raise ArtefactError(f"the numbers of images of {recipe.dataset!r} are not known; name a registered set.")
    classes, images = info.num_classes, ipc * info.num_classes

    def forward(teacher: PretrainSettings, at: int) -> int:
        return forward_operations(teacher.backbone, at, classes, teacher.num_maps * teacher.attention)

    trained = dict.fromkeys((*recipe.image_teachers, *recipe.label_teachers))
    steps = [
        (phase.last - phase.first, teacher, phase.size)
        for phase in plan_phases(recipe.distill, size)
        for teacher in recipe.teacher_settings
    ]
    share = images * TO_IMAGES / len(recipe.teacher_settings)
    scored = _CROPS * info.train_images if recipe.distill.start.startswith("pool") else 0
    student = forward_operations(recipe.evaluate.student, size, classes)
    tests = -(-recipe.relabel.epochs // recipe.evaluate.test_every) * info.test_images
    labelled = recipe.relabel.epochs * images
    return {
        "pretrain": sum(
            passes_per_image(one) * one.epochs * info.train_images * TO_WEIGHTS * forward(one, size) for one in trained
        ),
        "distill": sum(share * number * forward(one, at) for number, one, at in steps)
        + scored * forward(recipe.teacher_settings[0], size),
        "relabel": sum(
            labelled * FORWARD * forward_operations(one.backbone, size, classes)
            for one in recipe.label_teacher_settings
        ),
        "evaluate": (labelled * TO_WEIGHTS + tests * FORWARD) * student,
    }


def passes_per_image(teacher: PretrainSettings) -> int:
    """Return how many images pass through a teacher in training for each of the training set's, views included."""
    return {"release": 3 if teacher.attention else 1, "random": 3, "paper": 1}[teacher.views]


def stage_bytes(recipe: Recipe) -> dict[str, float]:
    """Return the bytes that each stage leaves: teachers and student in single precision, 8-bit pixels, soft labels."""
    info, size = list_datasets()[recipe.dataset], recipe.image_size
    classes, images = info.num_classes or 0, recipe.distill.ipc * (info.num_classes or 0)
    teachers = dict.fromkeys((one.backbone, one.num_maps * one.attention) for one in recipe.teacher_settings)
    heads = [_head_bytes(body_operations(name, size)[1], classes, maps) for name, maps in teachers if maps]
    return {
        "pretrain": sum(network_bytes(name, classes, size) for name, _ in teachers) + sum(heads),
        "distill": images * 3 * size**2,
        "relabel": label_bytes(recipe.relabel.epochs, images, classes),
        "evaluate": network_bytes(recipe.evaluate.student, classes, size),
    }


def _head_bytes(channels: int, classes: int, maps: int) -> int:
    """Of a head and its prototypes."""
    with torch.device("meta"):
        state: dict[str, Tensor] = AttentionHead(channels, classes, maps).state_dict()
    return _FLOAT * (sum(tensor.numel() for tensor in state.values()) + classes * maps * channels)


def paper_estimates(path: str | Path) -> pd.DataFrame:
    """Return what every row of the paper's table (``results/paper.csv``) takes by these counts.

    Returns:
        ``dataset, student, ipc, method``, then for each stage ``…_pflop`` (10¹⁵ operations) and ``…_mib`` (that it
        leaves), ``pflop`` (all), and for each of :data:`PEAKS` the minutes at :data:`USED` of its peak.
    """
    found = []
    for row in records(load_paper(path)):
        cell = {name: row[name] for name in CELL}
        recipe = load_recipe(
            "paper", dataset=cell["dataset"], backbone=cell["student"], ipc=cell["ipc"], method=cell["method"]
        )
        work, kept = stage_operations(recipe), stage_bytes(recipe)
        total = sum(work.values())
        found.append({
            **cell,
            **{f"{stage}_pflop": work[stage] / 1e15 for stage in STAGES},
            "pflop": total / 1e15,
            **{f"{stage}_mib": kept[stage] / MIB for stage in STAGES},
            **{name: total / (USED * peak) / 60 for name, peak in PEAKS.items()},
        })  # fmt: skip
    return pd.DataFrame(found)
