"""Export: a distilled set as a folder that others use without fd2lib.

Plain PNG files, one safetensors file of labels with every view written out, a script that trains on them in some
twenty lines, a card, Croissant metadata, and a list of digests.
"""

import contextlib
import json
import math
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import save_file
from torch import Tensor
from torchvision.ops import box_convert

from fd2lib.drive.card import write_card
from fd2lib.drive.origin import Origin, trace
from fd2lib.ground import ArtefactError, EvaluateSettings, RelabelSettings, SettingError, cannot_write
from fd2lib.ground.abandoned import temporary_folder
from fd2lib.ground.paths import require_output_folder
from fd2lib.stages import write_pngs
from fd2lib.stages.label_store import CODES, LOGITS, SCALES, StoredLabels
from fd2lib.views import BatchPlan, plan_epoch

LABELS, SCRIPT = "labels.safetensors", "train.py"


@dataclass(frozen=True)
class ExportResult:
    """What was written; bytes are those of all images and of the file of labels."""

    folder: Path
    num_images: int
    image_bytes: int
    label_bytes: int
    soft_labels: bool


def export_run(
    run: str | Path, out: str | Path, *, dataset: str = "", temperature: float = EvaluateSettings.temperature
) -> ExportResult:
    """Write a finished run as a folder that needs no fd2lib.

    ``out`` gets ``images/<label>_<class>/<index>.png`` (lossless), ``labels.safetensors``, ``README.md`` (the card),
    ``croissant.json``, ``SHA256SUMS``, and, where the run stores teacher logits, ``train.py``. Labels are in the order
    in which torchvision's ``ImageFolder`` reads the images.

    Args:
        run: folder of a finished relabel run, or of a distill run (then without soft labels).
        out: a new or empty folder; appears complete or not at all.
        dataset: registered name of the source set, for its licence; empty takes it from the images' folder.
        temperature: of the soft-label loss that ``train.py`` uses, above 0. Labels do not depend on it.

    Raises:
        ArtefactError: ``out`` holds something, the run is not finished or of another stage, or its files are
            missing or changed.
        SettingError: the source set cannot be told, or the temperature is not positive.
    """
    if not 0 < temperature < math.inf:
        raise SettingError(f"temperature is {temperature}; expected a number above 0.")
    out = Path(out)
    require_output_folder(out)
    origin = trace(run, dataset)
    order = origin.images.labels.argsort(stable=True)  # class by class, as ImageFolder reads
    with _appearing(out) as folder:
        write_pngs(folder / "images", origin.images.images[order], origin.images.labels[order], origin.images.classes)
        tensors = _labels(origin, order, temperature)
        save_file(tensors, folder / LABELS, metadata={"classes": json.dumps(origin.images.classes)})
        (folder / LABELS).chmod(0o644)  # safetensors lets only the owner read
        if origin.labels:
            shutil.copyfile(Path(__file__).parent / "templates" / SCRIPT, folder / SCRIPT)
        write_card(folder, origin, tensors)
    image_bytes = sum(path.stat().st_size for path in out.glob("images/*/*.png"))
    return ExportResult(out, len(order), image_bytes, (out / LABELS).stat().st_size, origin.labels is not None)


@contextlib.contextmanager
def _appearing(out: Path) -> Iterator[Path]:
    """Yield a temporary folder beside ``out`` that takes its place when the block ends well; refuse one in use."""
    held = sorted(path.name for path in out.iterdir()) if out.is_dir() else []
    if held:
        raise ArtefactError(
            f"{out} holds {held[0]!r} ({len(held)} in all); expected a new or empty folder. Nothing was changed. "
            "Name another one."
        )
    with cannot_write(out):
        out.parent.mkdir(parents=True, exist_ok=True)
        with temporary_folder(out) as temporary:
            folder = temporary / out.name
            folder.mkdir()
            yield folder
            folder.rename(out)


def _labels(origin: Origin, order: Tensor, temperature: float) -> dict[str, Tensor]:
    """Every tensor of the labels' file; :mod:`fd2lib.drive.card` says in words what each is."""
    tensors = {"labels": origin.images.labels[order], **_pixel_statistics(origin)}
    if origin.labels and origin.logits:
        tensors |= _views(origin.labels, order, origin.images.images.shape[-1])
        tensors |= _logits(origin.logits, order if origin.labels.regime == "fixed" else None)
        tensors["fixed_labels"] = torch.tensor(origin.labels.regime == "fixed")
        tensors["epochs"] = torch.tensor(origin.labels.epochs)
        tensors["batch_size"] = torch.tensor(origin.labels.batch_size)
        tensors["temperature"] = torch.tensor([temperature], dtype=torch.float64)  # [1]: logits widen when divided
    return {name: tensor.contiguous() for name, tensor in tensors.items()}


def _logits(stored: StoredLabels, order: Tensor | None) -> dict[str, Tensor]:
    """Logits as they are stored, and what makes them logits again: offset + step × what is stored."""
    parts = {name: torch.from_numpy(np.array(part)) for name, part in stored.parts.items()}  # [epochs, N, …]
    if order is not None:  # rows are images, not views
        parts = {name: part[:, order] for name, part in parts.items()}
    scales = parts.get(SCALES, torch.tensor([[[0.0, 1.0]]]).half())
    logits = parts[CODES if CODES in parts else LOGITS]
    return {"teacher_logits": logits, "logit_offsets": scales[..., :1], "logit_steps": scales[..., 1:]}


def _pixel_statistics(origin: Origin) -> dict[str, Tensor]:
    """Mean and standard deviation of pixels in [0, 1], ``[3, 1, 1]``: the teacher's, else the images' own."""
    for teacher in origin.teachers:
        if told := teacher.description:
            return {f"pixel_{name}": torch.tensor(told[name]).view(3, 1, 1) for name in ("mean", "std")}
    channels = origin.images.images.transpose(0, 1).flatten(1).double() / 255  # [3, N·S·S]
    return {f"pixel_{name}": getattr(channels, name)(1).float().view(3, 1, 1) for name in ("mean", "std")}


def _views(settings: RelabelSettings, order: Tensor, size: int) -> dict[str, Tensor]:
    """Every view of every kept epoch, planned as relabelling and evaluation do: ``[epochs, views or batches, …]``."""
    row_of = order.argsort()  # where each image of the run stands in the export
    epochs = [
        [_batch(plan, row_of) for plan in plan_epoch(settings, len(order), size, epoch)]
        for epoch in range(settings.view_epochs)
    ]
    return {name: torch.stack([torch.cat([batch[name] for batch in row]) for row in epochs]) for name in epochs[0][0]}


def _batch(plan: BatchPlan, row_of: Tensor) -> dict[str, Tensor]:
    """One batch of views. Boxes become ``(top, left, height, width)``, as torchvision's crop takes them."""
    cutmix = torch.tensor([plan.cutmix_box or (0, 0, 0, 0)])  # an empty box replaces nothing
    return {
        "rows": row_of[plan.indices].int(),  # [b]
        "crops": box_convert(plan.boxes, "xyxy", "xywh").short(),  # [b, 4]
        "flips": plan.flip,  # [b]
        "partners": plan.permutation.int(),  # [b]
        "cutmix_boxes": box_convert(cutmix, "xyxy", "xywh").short(),  # [1, 4]
        "cutmix_lambda": torch.tensor([plan.lam], dtype=torch.float64),  # [1]
    }
