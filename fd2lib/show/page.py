"""What every executed page needs: where it stands, who is looking, numbers for its text, and what it was made from."""

import dataclasses
import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from PIL import Image

from fd2lib.ground import ArtefactError, Recipe
from fd2lib.record import file_digest, provenance, read_manifest
from fd2lib.show.frames import Html, folded, sentences, viewer
from fd2lib.show.tables import facts_table, html_table

MOST_RUNS = 6  # of a page's provenance; a longer list is folded away


def project_path(name: str) -> str:
    """Return ``name`` below the nearest folder upwards that holds the project, relative to the working folder.

    Notebooks run in their own folder or in the one papermill was called from; both find the same ``runs`` this way.
    Outside a checkout it is ``name`` in the working folder.
    """
    here = Path.cwd()
    for folder in (here, *here.parents):
        if (folder / "notebooks").is_dir() and (folder / "fd2lib").is_dir():
            return os.path.relpath(folder / name, here)
    return name


def headline(experiment: Any) -> str:
    """Return in two lines what a page is about: images, scale, method, seed."""
    data, recipe = experiment.dataset, experiment.recipe
    ipc = recipe.distill.ipc
    return (
        f"{data.name}: {data.num_classes} classes, {len(data.train)} training and {len(data.test)} test images, "
        f"{data.image_size} px\nscale {recipe.scale}, {recipe.title}, {ipc} image{'s' * (ipc != 1)} per class, "
        f"seed {experiment.request.seed}"
    )


def glue_numbers(**values: Any) -> None:
    """Give values names that a page's text can use; numbers become plain Python ones, which formats need.

    Where the book's tools are not installed nothing happens.
    """
    try:
        from myst_nb import glue
    except ImportError:
        return
    for name, value in values.items():
        plain = value.item() if hasattr(value, "item") else value
        glue(name, plain, display=False)


def settings_table(recipe: Recipe, stage: str) -> Html:
    """Return one stage's settings with their values and where each value comes from."""
    values = dataclasses.asdict(getattr(recipe, stage))
    rows = [(name, str(value), recipe.sources.get(f"{stage}.{name}", "")) for name, value in values.items()]
    return html_table(
        pd.DataFrame(rows, columns=["setting", "value", "from"]), f"Settings of {stage}, scale {recipe.scale}"
    )


def stages_of(experiments: Iterable[Any]) -> list[Any]:
    """Return the results of all four stages of each experiment; what was made before is loaded."""
    return [stage() for one in experiments for stage in (one.pretrain, one.distill, one.relabel, one.evaluate)]


def provenance_table(experiment: Any, *results: Any, files: Mapping[str, str] | None = None) -> Html:
    """Return what a page was made from: code, versions, device, seed, time, memory and the inputs' fingerprints.

    Args:
        experiment: an :class:`fd2lib.drive.Experiment`.
        results: the stage results that the page shows.
        files: what else it shows, name and path; their SHA-256 are listed.
    """
    recipe, request, data = experiment.recipe, experiment.request, experiment.dataset
    facts = _machine(experiment.device) | {
        "scale": recipe.scale,
        "images": f"{data.name}, classes {recipe.classes or 'all'}, {recipe.image_size} px",
        "fingerprint of the images": data.fingerprint[:16],
        "seed": request.seed,
        "overrides": request.settings or "none",
        **_digests(files or {}),
    }
    runs = {}
    for result in results:
        manifest = read_manifest(result.folder, Path(result.folder).parent.name)
        how = "loaded; made" if result.reused else "made now,"
        made = manifest["provenance"]
        runs[f"{manifest['stage']} {Path(result.folder).name}"] = (
            f"{how} {made['date'][:10]} in {manifest['seconds']:.0f} s on {made['device']}, commit "
            f"{made['commit'] or 'unknown'}, fingerprint {manifest['fingerprint'][:16]}"
        )
    title = "What this page was made from"
    if len(runs) <= MOST_RUNS:
        return facts_table(facts | runs, title)
    return Html(facts_table(facts, title) + folded(f"{len(runs)} runs", facts_table(runs)))


def file_provenance(files: Mapping[str, str]) -> Html:
    """Return what a page was made from that only reads files: code, versions, and each file's SHA-256."""
    return facts_table(_machine("cpu") | _digests(files), "What this page was made from")


def _digests(files: Mapping[str, str]) -> dict[str, str]:
    return {
        f"SHA-256 of the {name}": file_digest(path)[:16] if Path(path).is_file() else "no such file"
        for name, path in files.items()
    }


def _machine(device: Any) -> dict[str, Any]:
    made = provenance(device)
    versions = ", ".join(f"{name} {version}" for name, version in made["versions"].items())
    return {
        "fd2lib": f"{made['fd2lib']}, commit {made['commit'] or 'unknown'}",
        "versions": f"Python {made['python']}, {versions}",
        "device": f"{made['device']}, {made['threads']} thread{'s' * (made['threads'] != 1)}",
        "peak memory": f"{made['peak_memory_mib']:.0f} MiB",
        "page made": made["date"],
    }


def gallery_viewer(folder: str | Path, interactive: str = "auto") -> Any:
    """Return a viewer over the PNG pictures of a folder, in the order of their names, or a sentence if there are none.

    A text file of the same name as a picture says what it shows; without one its name does.
    """
    paths = sorted(Path(folder).glob("*.png"))
    if not paths:
        return sentences("No pictures have been prepared.")
    frames = [np.asarray(Image.open(path).convert("RGB")) for path in paths]
    names = [path.stem.replace("_", " ").replace("-", " ") for path in paths]
    words = [path.with_suffix(".txt") for path in paths]
    alt = [word.read_text("utf-8").strip() if word.is_file() else name for word, name in zip(words, names, strict=True)]
    return viewer(frames, names, alt, name="Picture", interactive=interactive)


def load_paper(path: str | Path) -> pd.DataFrame:
    """Return the paper's table with one column for each method; rows are data set, student and images per class.

    Raises:
        ArtefactError: the file is missing.
    """
    if not Path(path).is_file():
        raise ArtefactError(f"no file {path}; expected the paper's table, results/paper.csv of this project.")
    table = pd.read_csv(path)
    wide = table.pivot(index=["dataset", "student", "ipc"], columns="method", values="top1_percent")
    return wide[list(dict.fromkeys(table["method"]))].reset_index().rename_axis(columns=None)


def load_labels(folder: str | Path) -> np.ndarray:
    """Return the stored soft labels of a relabel run, float16 ``[epochs, N, K]``, mapped rather than read.

    Raises:
        ArtefactError: the run stored none.
    """
    path = Path(folder) / "teacher_logits.npy"
    if not path.is_file():
        raise ArtefactError(f"{folder} holds no stored labels; relabel with relabel.store=true to look at them.")
    return np.load(path, mmap_mode="r")


def load_answers(folder: str | Path) -> tuple[torch.Tensor, torch.Tensor]:
    """Return the true classes ``[N]`` and the logits ``[N, K]`` on the test images that a run stored.

    Of a teacher with an attention head these are the head's logits.

    Raises:
        ArtefactError: the folder holds no predictions.
    """
    path = Path(folder) / "predictions.npz"
    if not path.is_file():
        raise ArtefactError(f"{folder} holds no predictions; expected a complete pretrain or evaluate run.")
    with np.load(path) as stored:
        name = next(name for name in ("head_logits", "backbone_logits", "logits") if name in stored)
        return torch.from_numpy(stored["labels"]), torch.from_numpy(stored[name])
