"""Export: a distilled set as a folder that others use without fd2lib.

Plain PNG files, one safetensors file of labels with every view written out, a script that trains on them in
twenty lines, a card, and a list of digests.
"""

import argparse
import contextlib
import json
import re
import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from importlib import resources
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from safetensors.torch import save_file
from torch import Tensor

from fd2lib.drive.card import write_card
from fd2lib.drive.origin import Origin, trace
from fd2lib.ground import ArtefactError, RelabelSettings, SettingError
from fd2lib.record import file_digest
from fd2lib.stages import DistilledImages
from fd2lib.views import BatchPlan, plan_epoch

TEMPERATURE = 20.0  # of the soft-label loss, method section 6
LABELS, SCRIPT, DIGESTS = "labels.safetensors", "train.py", "SHA256SUMS"


@dataclass(frozen=True)
class ExportResult:
    """What was written; bytes are those of all images and of the file of labels."""

    folder: Path
    num_images: int
    image_bytes: int
    label_bytes: int
    soft_labels: bool


def export_run(
    run: str | Path, out: str | Path, *, dataset: str = "", temperature: float = TEMPERATURE
) -> ExportResult:
    """Write a finished run as a folder that needs no fd2lib.

    ``out`` gets ``images/<label>_<class>/<index>.png`` (lossless), ``labels.safetensors``, ``README.md`` (the card),
    ``SHA256SUMS``, and, where the run stores teacher logits, ``train.py``. Labels are in the order in which
    torchvision's ``ImageFolder`` reads the images.

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
    if not temperature > 0:
        raise SettingError(f"temperature is {temperature}; expected a number above 0.")
    out = Path(out)
    _require_free(out)
    origin = trace(run, dataset)
    order = origin.images.labels.argsort(stable=True)  # class by class, as ImageFolder reads
    tensors = _labels(origin, order, temperature)
    with _appearing(out) as folder:
        image_bytes = _write_images(folder / "images", origin.images, order)
        save_file(tensors, folder / LABELS, metadata={"classes": json.dumps(origin.images.classes)})
        (folder / LABELS).chmod(0o644)  # safetensors lets only the owner read
        if origin.logits:
            script = resources.files("fd2lib.drive").joinpath("templates", SCRIPT)
            (folder / SCRIPT).write_bytes(script.read_bytes())
        _write_digests(folder)
        write_card(folder / "README.md", origin, tensors)
        label_bytes = (folder / LABELS).stat().st_size
    return ExportResult(out, len(order), image_bytes, label_bytes, origin.logits is not None)


def _require_free(out: Path) -> None:
    if out.exists() and not out.is_dir():
        raise ArtefactError(f"{out} is a file; expected a new or empty folder. Name another one.")
    if out.is_dir() and (held := sorted(path.name for path in out.iterdir())):
        raise ArtefactError(
            f"{out} holds {held[0]!r} ({len(held)} in all); expected a new or empty folder. "
            "Nothing was changed. Name another one."
        )


@contextlib.contextmanager
def _appearing(out: Path) -> Iterator[Path]:
    """Yield a temporary folder beside ``out`` that takes its place when the block ends well.

    Raises:
        ArtefactError: something could not be written, or ``out`` was filled in the meantime.
    """
    temporary: Path | None = None
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        temporary = Path(tempfile.mkdtemp(dir=out.parent, prefix=f".{out.name}."))
        yield temporary
        temporary.chmod(0o755)
        temporary.rename(out)
        temporary = None
    except OSError as error:
        raise ArtefactError(
            f"could not write {out}: {error.strerror or error}. "
            "What was there before is unchanged; free some space or choose another folder, then export again."
        ) from error
    finally:
        if temporary is not None:
            shutil.rmtree(temporary, ignore_errors=True)


def _write_images(folder: Path, distilled: DistilledImages, order: Tensor) -> int:
    """Write every image as PNG, numbered within its class; returns their bytes."""
    counts = distilled.labels.bincount(minlength=len(distilled.classes))
    label_digits = max(3, len(str(len(counts) - 1)))
    index_digits = max(2, len(str(int(counts.max()) - 1)))
    for label, name in enumerate(distilled.classes):
        safe = re.sub(r'[\s/\\:*?"<>|]+', "_", name)
        target = folder / f"{label:0{label_digits}d}_{safe}"
        target.mkdir(parents=True)
        for index, row in enumerate(order[distilled.labels[order] == label]):
            pixels = distilled.images[row].permute(1, 2, 0).numpy()  # [S, S, 3]
            Image.fromarray(pixels).save(target / f"{index:0{index_digits}d}.png", optimize=True)
    return sum(path.stat().st_size for path in folder.rglob("*.png"))


def _labels(origin: Origin, order: Tensor, temperature: float) -> dict[str, Tensor]:
    """Every tensor of the labels' file; :mod:`fd2lib.drive.card` says in words what each is."""
    mean, std = _pixel_statistics(origin)
    tensors = {"labels": origin.images.labels[order], "pixel_mean": mean, "pixel_std": std}
    if origin.logits:
        settings = origin.relabel_settings
        tensors |= _views(settings, order, origin.images.images.shape[-1])
        tensors["teacher_logits"] = torch.from_numpy(np.load(origin.logits))  # float16 [epochs, N, K]
        tensors["batch_size"] = torch.tensor(settings.batch_size)
        tensors["temperature"] = torch.tensor([temperature], dtype=torch.float64)  # [1]: logits widen when divided
    return {name: tensor.contiguous() for name, tensor in tensors.items()}


def _pixel_statistics(origin: Origin) -> tuple[Tensor, Tensor]:
    """Mean and standard deviation of pixels in [0, 1], ``[3, 1, 1]``: the teacher's, else the images' own."""
    for teacher in origin.teachers:
        if teacher.description:
            mean, std = (torch.tensor(teacher.description[name]) for name in ("mean", "std"))
            return mean.view(3, 1, 1), std.view(3, 1, 1)
    channels = origin.images.images.transpose(0, 1).flatten(1).double() / 255  # [3, N·S·S]
    return channels.mean(1).float().view(3, 1, 1), channels.std(1).float().view(3, 1, 1)


def _views(settings: RelabelSettings, order: Tensor, size: int) -> dict[str, Tensor]:
    """Every view of every epoch, planned as relabelling and evaluation do. Boxes are (top, left, height, width)."""
    row_of = order.argsort()  # where each image of the run stands in the export
    epochs = [plan_epoch(settings, len(order), size, epoch) for epoch in range(settings.epochs)]

    def per_view(value, kind: torch.dtype) -> Tensor:
        return torch.stack([torch.cat([value(plan) for plan in plans]).to(kind) for plans in epochs])

    def per_batch(value, kind: torch.dtype) -> Tensor:
        return torch.stack([torch.stack([value(plan) for plan in plans]).to(kind) for plans in epochs])

    return {
        "rows": per_view(lambda plan: row_of[plan.indices], torch.int32),  # [epochs, N]
        "crops": per_view(lambda plan: _corner_and_size(plan.boxes), torch.int16),  # [epochs, N, 4]
        "flips": per_view(lambda plan: plan.flip, torch.bool),  # [epochs, N]
        "partners": per_view(lambda plan: plan.permutation, torch.int32),  # [epochs, N]
        "cutmix_boxes": per_batch(_cutmix_box, torch.int16),  # [epochs, batches, 4]
        "cutmix_lambda": per_batch(lambda plan: torch.tensor(plan.lam, dtype=torch.float64), torch.float64),
    }


def _corner_and_size(boxes: Tensor) -> Tensor:
    """``(row0, col0, row1, col1)`` as torchvision's ``(top, left, height, width)``."""
    return torch.cat([boxes[..., :2], boxes[..., 2:] - boxes[..., :2]], dim=-1)


def _cutmix_box(plan: BatchPlan) -> Tensor:
    return _corner_and_size(torch.tensor(plan.cutmix_box or (0, 0, 0, 0)))  # an empty box replaces nothing


def _write_digests(folder: Path) -> None:
    """Write ``SHA256SUMS`` over every file, in the form that ``sha256sum -c`` reads."""
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    lines = [f"{file_digest(path)}  {path.relative_to(folder).as_posix()}\n" for path in files]
    (folder / DIGESTS).write_text("".join(lines), encoding="utf-8")


def add_export(commands: argparse._SubParsersAction) -> None:
    """Register ``export RUN OUT`` with the command line."""
    export = commands.add_parser(
        "export",
        help="a distilled set as a folder that others use without fd2lib",
        description="Writes OUT/images, OUT/labels.safetensors, OUT/README.md, OUT/SHA256SUMS and OUT/train.py.",
    )
    export.add_argument("run", metavar="RUN", help="finished run, such as runs/relabel/NAME; distill: no soft labels")
    export.add_argument("out", metavar="OUT", help="a new or empty folder")
    export.add_argument("--dataset", default="", help="the source set, where the folder's name does not tell it")
    export.add_argument("--temperature", type=float, default=TEMPERATURE, help="of the soft-label loss in train.py")
    export.set_defaults(command=_export)


def _export(options: argparse.Namespace) -> None:
    done = export_run(options.run, options.out, dataset=options.dataset, temperature=options.temperature)
    print(
        f"{done.num_images:,} images ({done.image_bytes:,} bytes), labels ({done.label_bytes:,} bytes): {done.folder}"
    )
    if not done.soft_labels:
        print(
            "No soft labels and no train.py: export a relabel run that stores them (relabel.store = true) to have both."
        )
