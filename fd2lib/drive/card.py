"""The card of an exported set: what it is, what it may be used for, how it was made and how to use it."""

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from torch import Tensor

from fd2lib import __version__
from fd2lib.drive.origin import Origin, TeacherOrigin
from fd2lib.ground import atomic_path
from fd2lib.record import file_digest

MEANINGS = {
    "labels": "class of each image, in the order of the files",
    "pixel_mean": "per channel, of pixels in [0, 1]; students take (x − mean) / std",
    "pixel_std": "per channel",
    "teacher_logits": "[epoch, view, class], before softmax",
    "rows": "[epoch, view]: which image, counted in the order of the files",
    "crops": "[epoch, view]: top, left, height, width in pixels; resized to the whole side, bilinear, not antialiased",
    "flips": "[epoch, view]: mirrored left to right after the crop",
    "partners": "[epoch, view]: place within the batch of the view that the CutMix box is taken from",
    "cutmix_boxes": "[epoch, batch]: top, left, height, width in pixels of the view; height 0: none",
    "cutmix_lambda": "[epoch, batch]: share of each view that is its own image's; needed for hard labels only",
    "batch_size": "views per batch, in order; the last batch of an epoch may be smaller",
    "temperature": "of the soft-label loss, KL divergence from teacher to student",
}
WEIGHTS = (
    "ImageNet's images are for non-commercial research and education. Networks pretrained on ImageNet have seen the "
    "images of ImageNette and ImageWoof and some of CUB-200-2011's test images, so accuracies on these sets flatter."
)


def write_card(path: Path, origin: Origin, tensors: Mapping[str, Tensor]) -> None:
    """Write the card of a folder whose other files are all there.

    Args:
        path: the card, in that folder.
        origin: what the set was made from.
        tensors: what the labels' file holds.
    """
    per_class = origin.images.labels.bincount(minlength=len(origin.images.classes))
    low, high = int(per_class.min()), int(per_class.max())
    ipc = f"{low}" if low == high else f"{low} to {high}"
    sections = [
        f"# {origin.info.title}, distilled: {ipc} images per class",
        _facts(origin, tensors, path.parent, ipc),
        "## Licence",
        _licence(origin),
        "## ImageNet weights",
        _imagenet(origin.teachers),
        "## Files",
        _files(path.parent),
        f"The tensors of `labels.safetensors`:\n\n{_tensors(tensors)}",
        "## How to use it",
        _use(origin),
        "## How it was made",
        *_making(origin),
    ]
    with atomic_path(path) as temporary:
        temporary.write_text("\n\n".join(sections) + "\n", encoding="utf-8")


def _table(header: Iterable[str], rows: Iterable[Iterable[Any]]) -> str:
    lines = [list(header), *(list(row) for row in rows)]
    lines.insert(1, ["---"] * len(lines[0]))
    return "\n".join("| " + " | ".join(str(cell).replace("|", "\\|") for cell in line) + " |" for line in lines)


def _facts(origin: Origin, tensors: Mapping[str, Tensor], folder: Path, ipc: str) -> str:
    info, images = origin.info, origin.images.images
    total = 0 if info.embedded else info.num_classes  # drawn sets have as many as are asked for
    classes = f"{len(origin.images.classes)}" + (f" of {total}" if total else "")
    pngs = sum(file.stat().st_size for file in folder.glob("images/*/*.png"))
    rows = [
        ("source set", f"{info.title} (`{info.name}`), training images only"),
        ("classes", classes),
        ("images per class (IPC)", ipc),
        ("images", f"{len(images):,} of {images.shape[2]} × {images.shape[3]} px, {pngs:,} bytes of lossless PNG"),
        ("soft labels", _label_bytes(tensors)),
        ("licence of the source set", info.licence),
        ("source", info.source),
        ("cite", info.citation or "-"),
        ("made with", f"fd2lib {__version__}"),
    ]
    return _table(("", ""), rows)


def _label_bytes(tensors: Mapping[str, Tensor]) -> str:
    if "teacher_logits" not in tensors:
        return "none: class labels only"
    logits = tensors["teacher_logits"]
    views = sum(tensors[name].nbytes for name in ("rows", "crops", "flips", "partners", "cutmix_boxes"))
    return (
        f"float16 teacher logits, {logits.nbytes:,} bytes, for {logits.shape[0]:,} epochs; the views they belong to, "
        f"{views:,} bytes more (fd2lib itself draws them again from a seed)"
    )


def _licence(origin: Origin) -> str:
    if origin.info.name == "folder":
        terms = (
            "These images were made from images of your own. **State here, before you share them, what is allowed.**"
        )
    elif origin.info.embedded:
        terms = f"The source set is drawn by code. Terms: **{origin.info.licence}**."
    else:
        terms = (
            f"These images were made from those of {origin.info.title} and come under the same terms: "
            f"**{origin.info.licence}**. Read them at the source before you use or share this folder."
        )
    settings = origin.distill["settings"]
    if settings["start"] == "noise":
        look = "Optimisation started from noise."
    elif settings["iterations"]:
        look = f"Optimisation started from training images (`{settings['start']}`), which may still be recognisable."
    else:
        look = f"They show training images (`{settings['start']}`), not optimised."
    return f"{terms} {look}" + (" `train.py` is under fd2lib's licence, MIT." if origin.logits else "")


def _imagenet(teachers: Iterable[TeacherOrigin]) -> str:
    inits = {teacher.manifest["settings"]["init"] if teacher.manifest else "" for teacher in teachers}
    if "imagenet" in inits:
        return f"**The teachers started from weights pretrained on ImageNet.** {WEIGHTS}"
    if "" in inits:
        return f"A teacher's folder was not found: whether it started from ImageNet weights is not known. {WEIGHTS}"
    if inits - {"random"}:
        return f"A teacher started from weights of a file; ask those who made it what they were trained on. {WEIGHTS}"
    return "None were used: every teacher started from random weights." if inits else "None were used: no teacher was."


def _files(folder: Path) -> str:
    names = [path for path in sorted(folder.iterdir()) if path.is_file()]
    table = _table(
        ("file", "bytes", "SHA-256"),
        [(f"`{path.name}`", f"{path.stat().st_size:,}", f"`{file_digest(path)}`") for path in names],
    )
    images = (
        "Images are `images/<label>_<class>/<index>.png`. `SHA256SUMS` has the digest of each; "
        "`sha256sum -c SHA256SUMS` compares them all."
    )
    return f"{table}\n\n{images}"


def _tensors(tensors: Mapping[str, Tensor]) -> str:
    rows = [
        (
            f"`{name}`",
            str(tensor.dtype).removeprefix("torch."),
            list(tensor.shape),
            f"{tensor.nbytes:,}",
            MEANINGS[name],
        )
        for name, tensor in tensors.items()
    ]
    return _table(("tensor", "type", "shape", "bytes", "meaning"), rows)


def _use(origin: Origin) -> str:
    folder = (
        'torchvision\'s `ImageFolder("images")` reads images and class labels, in the order of `labels`; so does any '
        "other tool that takes class folders. Test on whole test images, resized to the same size and normalised with "
        "`pixel_mean` and `pixel_std`."
    )
    if origin.logits is None:
        return (
            f"{folder}\n\nThere are no soft labels here: they come with a relabel run that stores them "
            "(`relabel.store = true`)."
        )
    settings = origin.relabel_settings
    who = (
        "the attention head"
        if settings.label_source == "head"
        else "the backbone's own classifier, not the attention head"
    )
    statistics = (
        "The teachers' BatchNorm used the statistics of each half batch (of an odd number, the first half is the "
        "larger; fewer than four views stay whole), so keep batches and halves as they are."
        if settings.label_mode == "batch"
        else "The teachers' BatchNorm used its running statistics."
    )
    return (
        f"With soft labels, inside this folder (needs torch, torchvision, safetensors and Pillow):\n\n"
        f"```bash\npython train.py\n```\n\n"
        f"It trains a ResNet-18 from random weights on every stored epoch and writes `student.pt`; change one line for "
        f"another network. Logits are those of {who}, averaged over the teachers where there are several. They belong "
        f"to their views: crop, mirror, then CutMix, as the tensors say and `train.py` does. {statistics}\n\n{folder}"
    )


def _making(origin: Origin) -> list[str]:
    parts = []
    for number, teacher in enumerate(origin.teachers, start=1):
        title = f"### Teacher {number}, for {' and '.join(teacher.uses)}"
        if teacher.manifest is None:
            parts += [title, f"Its folder was not found. Fingerprint of its files: `{teacher.fingerprint}`."]
            continue
        result = teacher.manifest["result"]
        accuracy = f"Test accuracy {result['backbone_accuracy']:.1f} % (backbone)"
        if result["head_accuracy"] is not None:
            accuracy += f", {result['head_accuracy']:.1f} % (attention head)"
        parts += [title, f"{accuracy}.", *_stage("pretrain", teacher.manifest)]
    parts += ["### Images", *_stage("distill", origin.distill)]
    if origin.relabel:
        parts += ["### Labels", *_stage("relabel", origin.relabel)]
    return parts


def _stage(name: str, manifest: Mapping[str, Any]) -> list[str]:
    """Settings as TOML, then fingerprints and provenance. Paths of the machine stay out."""
    settings = {key: _without_folder(value) for key, value in manifest["settings"].items()}
    lines = [f"{key} = {json.dumps(value, ensure_ascii=False)}" for key, value in settings.items()]
    made = manifest["provenance"]
    rows = [("fingerprint of the run", f"`{manifest['fingerprint']}`")]
    rows += [(f"fingerprint of its {key.replace('_', ' ')}", f"`{value}`") for key, value in manifest["inputs"].items()]
    rows += [
        ("fd2lib", f"{made['fd2lib']}, commit {made['commit'] or 'not known'}"),
        ("versions", ", ".join(f"{key} {value}" for key, value in made["versions"].items())),
        ("device", made["device"]),
        ("wall time", f"{manifest['seconds']:,.0f} s"),
        ("finished", made["date"]),
    ]
    return ["```toml\n" + "\n".join([f"[{name}]", *lines]) + "\n```", _table(("", ""), rows)]


def _without_folder(value: Any) -> Any:
    return Path(value).name if isinstance(value, str) and Path(value).is_absolute() else value
