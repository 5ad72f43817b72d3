"""The command ``attention``: how much of a teacher's attention lies on the parts of the bird, seed by seed."""

from typing import Any

from torch import Tensor

from fd2lib.drive.experiment import Experiment
from fd2lib.drive.setting import provenance_of, setting_of
from fd2lib.measure import (
    PartMasks,
    attention_maps,
    attention_mass,
    average_map,
    centre_prior,
    occlusion_maps,
    reachable_mass,
    receptive_fields,
)
from fd2lib.record import read_manifest

OCCLUDED = 200  # images; each is shown once for every place
TEACHERS = {"plain": "sre2lpp", "cal": "sre2lpp_fd2"}  # kind of teacher -> a method that uses it


def attention_rows(experiment: Experiment, parts: PartMasks, occluded: int = OCCLUDED) -> list[dict[str, Any]]:
    """Return one row (see :data:`fd2lib.record.ATTENTION`) for each kind of map of a teacher.

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
    fixed = setting_of(experiment) | {"teacher_kind": "plain" if teacher.head is None else "cal"}
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
