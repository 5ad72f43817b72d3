"""Result rows: one line of a CSV file per trained student."""

import csv
import io
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path

import filelock

from fd2lib.ground import ArtefactError, SettingError, atomic_path

# Name, and what it holds. results/SCHEMA.md says the same for people; a test keeps them equal.
COLUMNS: dict[str, str] = {
    "scale": "toy, reduced or paper; rows of different scales are never compared",
    "dataset": "name of the image set",
    "classes": "class subset asked for; empty for all",
    "num_classes": "number of classes",
    "image_size": "pixels, square",
    "bundle": "paper or release where one of the two readings was asked for; empty for the scale's own",
    "method": "name of the method, as python -m fd2lib recipes lists them",
    "start": "what optimisation starts from: noise, pool1, pool2 (2×2 mosaic), whole (a real image); all: whole set",
    "ipc": "images per class; 0: all there are",
    "seed": "seed of every stage",
    "teacher_kind": "kind of the teachers that made the images: plain, probed, crops or cal",
    "label_teacher": "kind of the teachers that made the labels; empty for true classes",
    "teacher": "the teachers' backbones, in turn",
    "teacher_init": "teacher's initial weights",
    "student": "student's backbone",
    "student_init": "student's initial weights",
    "labels": "soft or hard",
    "headline": "last or best: which of the next two the bundle's reading compares",
    "last_top1": "student's test accuracy after the last epoch, %",
    "best_top1": "best test accuracy over the tested epochs, % (selected on test data)",
    "teacher_top1": "test accuracy of the image teachers' backbone classifier, %, their mean; empty without teacher",
    "teacher_head_top1": "test accuracy of their attention head, %; empty without head",
    "label_teacher_top1": "test accuracy of the label teachers' backbone classifier, %, their mean; empty without",
    "test_images": "number of test images",
    "mean_pixel_change": "mean absolute change from the start, share of the pixel range",
    "images_bytes": "bytes of the distilled images as lossless PNG",
    "labels_bytes": "bytes of the stored soft labels",
    "pretrain_images": "images passed through networks to train the teachers of the images",
    "distill_images": "images passed through networks to make the images of this IPC, scoring of mosaics aside",
    "relabel_images": "images passed through teachers for the labels",
    "evaluate_images": "images passed through the student in training",
    "pretrain_seconds": "wall time of the image teachers' training",
    "distill_seconds": "wall time of making the images (all IPC of the run they are a prefix of)",
    "relabel_seconds": "wall time of making the labels",
    "evaluate_seconds": "wall time of the student's training and tests",
    "pretrain_peak_mib": "peak memory of the teachers' training, MiB; empty where it was not measured stage by stage",
    "distill_peak_mib": "likewise of making the images",
    "relabel_peak_mib": "likewise of making the labels",
    "evaluate_peak_mib": "likewise of the student",
    "fingerprint": "identity of the student's run: settings and inputs",
    "settings": "JSON of all four stages' settings; teachers and label_teachers where there are several or others",
    "device": "device of the student's run",
    "versions": "torch, torchvision, timm and numpy versions",
    "commit": "fd2lib commit",
    "date": "end of the student's run, UTC",
}


def append_result(row: Mapping[str, object], path: str | Path) -> None:
    """Add ``row`` to the CSV at ``path``; a row with the same fingerprint and settings is replaced.

    Both count: other settings can lead to the very same images (a constraint that never applies at IPC 1), and that
    they do is a result.

    Args:
        row: a value for each of :data:`COLUMNS`.
        path: the CSV file; made with its header when missing.

    Raises:
        SettingError: the row lacks a column or has one too many.
        ArtefactError: the file is not a results file.
    """
    put_rows([row], path, COLUMNS, ("fingerprint", "settings"))


def put_rows(
    rows: Sequence[Mapping[str, object]], path: str | Path, columns: Collection[str], key: Sequence[str]
) -> None:
    """Add rows to a CSV table; a row that agrees with one there in every column of ``key`` replaces it.

    Args:
        rows: a value for each column.
        path: the table; made with its header when missing.
        columns: of the table, in their order.
        key: columns that identify a row.

    Raises:
        SettingError: a row lacks a column or has one too many.
        ArtefactError: the file has other columns, or could not be written.
    """
    for row in rows:
        if wrong := set(columns) ^ row.keys():
            raise SettingError(f"row and columns differ in {', '.join(sorted(wrong))}; give exactly the columns.")
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    with filelock.FileLock(path.with_name(f".{path.name}.lock")):
        given = [{name: str(row[name]) for name in columns} for row in rows]
        every = [*read_rows(path, columns), *given]
        last = {tuple(row[name] for name in key): index for index, row in enumerate(every)}
        stream = io.StringIO()
        writer = csv.DictWriter(stream, fieldnames=list(columns), lineterminator="\n")
        writer.writeheader()
        writer.writerows(every[index] for index in sorted(last.values()))
        with atomic_path(path) as temporary:
            temporary.write_text(stream.getvalue(), encoding="utf-8")


def read_results(path: str | Path) -> list[dict[str, str]]:
    """Return the rows of a results file as text; none when the file is missing.

    Raises:
        ArtefactError: the file's header is not :data:`COLUMNS`.
    """
    return read_rows(path, COLUMNS)


def read_rows(path: str | Path, columns: Collection[str]) -> list[dict[str, str]]:
    """Return the rows of a table with these columns as text; none when the file is missing.

    Raises:
        ArtefactError: the file has other columns.
    """
    path = Path(path)
    if not path.is_file():
        return []
    with open(path, encoding="utf-8", newline="") as stream:
        reader = csv.DictReader(stream)
        if list(reader.fieldnames or []) != list(columns):
            raise ArtefactError(
                f"{path} has columns {reader.fieldnames}; expected those of results/SCHEMA.md. "
                "Name another results file."
            )
        return list(reader)
