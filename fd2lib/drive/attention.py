"""The command ``attention``: how much of a teacher's attention lies on the parts of the bird, seed by seed."""

import argparse
import logging
from typing import Any

from torch import Tensor

from fd2lib.drive.experiment import Experiment
from fd2lib.drive.measured import PROVENANCE, SETTING, add_options, first_experiment, provenance_of, setting_of
from fd2lib.ground import parse_numbers
from fd2lib.measure import (
    PartMasks,
    attention_maps,
    attention_mass,
    average_map,
    centre_prior,
    occlusion_maps,
    part_masks,
    reachable_mass,
    receptive_fields,
)
from fd2lib.measure.masks import RADIUS
from fd2lib.record import put_rows, read_manifest

OCCLUDED = 200  # images; each is shown once for every place
TEACHERS = {"plain": "sre2lpp", "cal": "sre2lpp_fd2"}  # kind of teacher -> a method that uses it
COLUMNS: dict[str, str] = {
    **SETTING,
    "teacher": "plain, or cal: with the attention head of counterfactual attention learning",
    "map": "class_activation, channel_mean, occlusion; cal only: head_attention, head_occlusion",
    "map_size": "height × width of the maps",
    "mass": "share of the map that lies on the masks, %, mean over images",
    "chance": "share of the area that the masks cover, %, mean over images",
    "centre": "mass of a Gaussian around the image's centre, standard deviation a quarter of the side, %",
    "average_map": "mass of the mean of this teacher's maps over these images, %",
    "reachable": "mass of the best map of this size, %, mean over images",
    "cell_spread": "how wide a cell of the last feature map sees, % of the whole image (100: it sees everything alike)",
    "cell_offset": "from a cell's place to the centre of what it sees, % of the image's side",
    "blank": "maps that are 0 everywhere and count as even, % of the images",
    "images": "test images with a visible part that were measured; occlusion takes fewer, evenly spread",
    "parts": "visible parts in them",
    "masks": "what the masks show",
    "fingerprint": "identity of the teacher's run",
    **PROVENANCE,
}
KEY = (
    "scale",
    "dataset",
    "classes",
    "image_size",
    "backbone",
    "init",
    "seed",
    "teacher",
    "map",
    "masks",
    "fingerprint",
)

logger = logging.getLogger(__name__)


def attention_rows(experiment: Experiment, parts: PartMasks, occluded: int = OCCLUDED) -> list[dict[str, Any]]:
    """Return one row (see :data:`COLUMNS`) for each kind of map of an experiment's teacher, over the test images.

    Args:
        experiment: its teacher is loaded, or trained if it is not there.
        parts: of the experiment's test images, as :func:`fd2lib.measure.part_masks` gives them.
        occluded: at most this many images are occluded; 0 for none.

    Raises:
        ShapeError: the teacher's classifier does not read its last feature map linearly.
    """
    run, teacher = experiment.pretrain(), experiment.teacher()
    test = experiment.dataset.test
    shown = parts.counts.nonzero()[:, 0]  # an image without a visible part says nothing
    few = shown[:: max(1, -(-len(shown) // occluded))] if occluded else shown[:0]
    kinds = [(shown, attention_maps), (few, occlusion_maps)] if len(few) else [(shown, attention_maps)]
    fields = receptive_fields(teacher, test.take(shown[:: max(1, len(shown) // 32)]).cpu())
    fixed = setting_of(experiment) | {"teacher": "plain" if teacher.head is None else "cal"}
    made = {"fingerprint": read_manifest(run.folder, "pretrain")["fingerprint"], **provenance_of(experiment)}
    seen = {"cell_spread": round(100 * fields.spread, 4), "cell_offset": round(100 * fields.offset, 4)}
    return [
        {**fixed, "map": kind, **_shares(maps, parts.masks[index]), **seen}
        | {"images": len(index), "parts": int(parts.counts[index].sum()), "masks": parts.meaning, **made}
        for index, measure in kinds
        for kind, maps in measure(teacher, test.take(index).cpu(), test.labels.cpu()[index]).items()
    ]


def _shares(maps: Tensor, masks: Tensor) -> dict[str, Any]:
    """The mass of maps ``[N, h, w]`` on masks ``[N, S, S]`` and what to read it against, in %, means over images."""
    size = (maps.shape[1], maps.shape[2])
    shares = {
        "mass": attention_mass(maps, masks),
        "chance": masks.double().mean((1, 2)),
        "centre": attention_mass(centre_prior(masks.shape[-1]), masks),
        "average_map": attention_mass(average_map(maps), masks),
        "reachable": reachable_mass(masks, size),
        "blank": (maps.amax((1, 2)) <= 0).double(),
    }
    percent = {name: round(100 * values.mean().item(), 4) for name, values in shares.items()}
    return {"map_size": f"{size[0]}×{size[1]}", **percent}


def add_attention(commands: argparse._SubParsersAction) -> None:
    """Add the command to the command line's."""
    command = commands.add_parser(
        "attention",
        help="measure how much of the teachers' attention lies on the parts of the bird",
        description="Loads (or trains) teachers with and without attention head for each seed; writes one row for "
        "each kind of map.",
    )
    add_options(command, "results/attention.csv")
    command.add_argument("--radius", type=float, default=RADIUS, help="of discs around parts, share of the side")
    command.add_argument("--occluded", type=int, default=OCCLUDED, help="images that are occluded place by place")
    command.set_defaults(command=run_attention)


def run_attention(options: argparse.Namespace) -> None:
    """Measure every seed and kind of teacher, writing each one's rows at once."""
    first = first_experiment(options)
    parts = part_masks(first.dataset, options.data_root, options.radius)
    for seed in parse_numbers("--seeds", options.seeds):
        for kind, method in TEACHERS.items():
            rows = attention_rows(first.with_(seed=seed, method=method), parts, options.occluded)
            put_rows(rows, options.out, list(COLUMNS), KEY)
            logger.info("seed %d, %s: %s", seed, kind, ", ".join(f"{r['map']} {r['mass']:.1f} %" for r in rows))
