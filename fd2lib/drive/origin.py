"""Where a finished run comes from: the images, labels and teachers behind it, found through its manifests."""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fd2lib.data import DatasetInfo, dataset_info, list_datasets
from fd2lib.ground import ArtefactError, RelabelSettings, SettingError, build_settings, read_json, unknown
from fd2lib.record import find_run, read_manifest
from fd2lib.record.manifest import MANIFEST, STARTED
from fd2lib.stages import DistilledImages, load_distilled
from fd2lib.stages.label_store import StoredLabels

Manifest = dict[str, Any]


@dataclass(frozen=True, eq=False)
class TeacherOrigin:
    """A teacher of a run; manifest and description are ``None`` where its folder is gone."""

    uses: tuple[str, ...]  # stages that asked it: "distill", "relabel"
    fingerprint: str  # of its files
    manifest: Manifest | None
    description: dict[str, Any] | None  # teacher.json


@dataclass(frozen=True, eq=False)
class Origin:
    """A finished run and all that it was made from; ``None`` where there is no such thing."""

    info: DatasetInfo
    distill: Manifest
    images: DistilledImages
    relabel: Manifest | None
    labels: RelabelSettings | None  # of the teacher logits that the run stores
    logits: StoredLabels | None
    teachers: tuple[TeacherOrigin, ...]


def trace(run: str | Path, dataset: str = "") -> Origin:
    """Read a finished relabel or distill run and find what it was made from.

    A folder that a manifest names and that has moved is looked for beside the run, by the fingerprint of its files. The
    source set is the registered ``dataset``, or, if empty, told by the name of the distilled images' folder.

    Raises:
        ArtefactError: not a finished run of these stages, or its images or labels are missing or changed.
        SettingError: the source set cannot be told, or ``dataset`` is not the one that the folder names.
    """
    run = Path(run)
    manifest, runs_dir = _manifest(run), run.resolve().parent.parent
    relabel = manifest if manifest["stage"] == "relabel" else None
    folder = _distilled_folder(run, relabel, runs_dir) if relabel else run
    distill = read_manifest(folder, "distill")
    stored = relabel if relabel and relabel["settings"]["store"] else None
    return Origin(
        info=_source_set(folder, dataset),
        distill=distill,
        images=load_distilled(folder, relabel["settings"]["ipc"] if relabel else 0),
        relabel=relabel,
        labels=build_settings("relabel", stored["settings"], as_before=True) if stored else None,
        logits=StoredLabels.read(run) if stored else None,
        teachers=_teachers(run, distill, relabel),
    )


def _manifest(run: Path) -> Manifest:
    names = [name for name in (MANIFEST, STARTED) if (run / name).is_file()]
    if not names:
        state = "has no manifest.json" if run.is_dir() else "does not exist"
        raise ArtefactError(
            f"{run} {state}; expected the folder of a finished run, such as runs/relabel/cub200-96px-0123456789ab."
        )
    stage = read_json(run / names[0]).get("stage")
    if stage not in ("relabel", "distill"):
        raise ArtefactError(
            f"{run} holds a run of {stage!r}; expected 'relabel' or 'distill'. "
            "Name a folder below relabel/ or distill/ of the runs folder."
        )
    return read_manifest(run, stage)


def _distilled_folder(run: Path, relabel: Manifest, runs_dir: Path) -> Path:
    if found := find_run("distill", relabel["inputs"]["distilled"], relabel["result"]["distilled"], run):
        return found
    named, beside = (run / relabel["result"]["distilled"]).resolve(), runs_dir / "distill"
    other = any((path / MANIFEST).is_file() for path in (named, beside / named.name))
    reason = "what is there are other images" if other else "there is no such folder"
    raise ArtefactError(
        f"{run} labels the images of {named}, but {reason}, and no run in {beside} has them either. "
        f"Put the folder back there, or to {beside / named.name}."
    )


def _source_set(folder: Path, dataset: str) -> DatasetInfo:
    """The set's facts. Its licence goes on the card, so a name that is not known is an error, not a blank."""
    match = re.match(r"(.+?)-\d+px", folder.name)
    told = match[1] if match and match[1] in list_datasets() else ""
    if dataset and told and dataset != told:
        raise SettingError(f"dataset is {dataset!r}, but {folder} was made from {told!r}. Leave the name away.")
    if not dataset and not told:
        raise SettingError(
            f"the name of {folder} does not tell which image set it was made from, and so neither its licence. "
            f"Give it (--dataset). {unknown('data set', folder.name.split('-')[0], list_datasets())}"
        )
    return dataset_info(dataset or told)


def _teachers(run: Path, distill: Manifest, relabel: Manifest | None) -> tuple[TeacherOrigin, ...]:
    """Teachers of both stages, each once."""
    uses: dict[str, list[str]] = {}
    for made in [distill, relabel] if relabel else [distill]:
        for name, fingerprint in sorted(made["inputs"].items()):
            if name.startswith("teacher_"):
                uses.setdefault(fingerprint, []).append(made["stage"])
    named = relabel["result"]["teachers"] if relabel else []
    found = []
    for fingerprint, stages in uses.items():
        folders = (find_run("pretrain", fingerprint, name, run) for name in [*named, run])
        folder = next(filter(None, folders), None)
        manifest = read_manifest(folder, "pretrain") if folder else None
        description = read_json(folder / "teacher.json") if folder else None
        found.append(TeacherOrigin(tuple(stages), fingerprint, manifest, description))
    return tuple(found)
