"""What every executed page needs: where it stands, who is looking, numbers for its text, and what it was made from."""

import dataclasses
import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from PIL import Image

from fd2lib.analyse import Interval, named
from fd2lib.ground import Recipe
from fd2lib.record import file_digest, provenance, read_manifest, reading_provenance
from fd2lib.show.frames import Html, folded, sentences, viewer
from fd2lib.show.html_tables import html_table
from fd2lib.show.tables import facts_table
from fd2lib.show.titles import per_class

if TYPE_CHECKING:
    from fd2lib.measure import ExperimentLike

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


def headline(experiment: "ExperimentLike") -> str:
    """Return in two lines what a page is about: images, scale, method, seed."""
    data, recipe = experiment.dataset, experiment.recipe
    name, images = data.image_set or data.name, f"{len(data.train)} training and {len(data.test)} test images"
    return (
        f"{name}: {data.num_classes} classes, {images}, {data.image_size} px\n"
        f"scale {recipe.scale}, {recipe.title}, {per_class(recipe.distill.ipc)}, seed {experiment.request.seed}"
    )


def glue_numbers(**values: Any) -> None:
    """Give values names that a page's text can use, as plain Python ones; without the book's tools do nothing."""
    try:
        from myst_nb import glue
    except ImportError:
        return
    for name, value in values.items():
        glue(name, value.item() if hasattr(value, "item") else value, display=False)


def glue_intervals(prefix: str, intervals: Mapping[str, Interval], **form: Any) -> None:
    """Give intervals (see :func:`fd2lib.analyse.named`) names that a page's text can use, which start with ``prefix``.

    They are written in a form that :meth:`fd2lib.analyse.Interval.text` takes.
    """
    glue_numbers(**{f"{prefix}_{name}": one.text(**form) for name, one in intervals.items()})


def glue_table(prefix: str, table: pd.DataFrame, *columns: str, **form: Any) -> dict[str, Interval]:
    """Return :func:`fd2lib.analyse.named` of a table, after :func:`glue_intervals` gave a page's text these names."""
    glue_intervals(prefix, intervals := named(table, *columns), **form)
    return intervals


def glue_spans(prefix: str, spans: pd.DataFrame, digits: int = 1) -> None:
    """Give :func:`fd2lib.analyse.spans` names that a page's text can use: one number each, or ``3.0 to 4.5``."""
    for name, low, high in zip(spans.index, spans["low"], spans["high"], strict=True):
        ends = dict.fromkeys(f"{end:,.{digits}f}".replace("-", "−") for end in (low, high))
        glue_numbers(**{f"{prefix}_{name}": " to ".join(ends)})


def settings_table(recipe: Recipe, stage: str) -> Html:
    """Return one stage's settings with their values and where each value comes from."""
    values = dataclasses.asdict(getattr(recipe, stage))
    rows = [(name, str(value), recipe.sources.get(f"{stage}.{name}", "")) for name, value in values.items()]
    table = pd.DataFrame(rows, columns=["setting", "value", "from"])
    return html_table(table, f"Settings of {stage}, scale {recipe.scale}")


def provenance_table(experiment: "ExperimentLike", *results: Any, files: Mapping[str, str] | None = None) -> Html:
    """Return what a page was made from: code, versions, device, seed, time, memory and the inputs' fingerprints.

    It shows the results of stages, and perhaps files, by name; their SHA-256 are listed.
    """
    recipe, request, data = experiment.recipe, experiment.request, experiment.dataset
    facts = _machine(provenance(experiment.device)) | {
        "scale": recipe.scale,
        "images": f"{data.image_set or data.name}, classes {recipe.classes or 'all'}, {recipe.image_size} px",
        "fingerprint of the images": data.fingerprint[:16],
        "seed": request.seed,
        "overrides": request.overrides or "none",
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
    return facts_table(_machine(reading_provenance()) | _digests(files), "What this page was made from")


def _digests(files: Mapping[str, str]) -> dict[str, str]:
    return {
        f"SHA-256 of the {name}": file_digest(path)[:16] if Path(path).is_file() else "no such file"
        for name, path in files.items()
    }


def _machine(made: Mapping[str, Any]) -> dict[str, Any]:
    threads = f", {made['threads']} thread{'s' * (made['threads'] != 1)}" if "threads" in made else ""
    versions = ", ".join(f"{name} {version}" for name, version in made["versions"].items())
    return {
        "fd2lib": f"{made['fd2lib']}, commit {made['commit'] or 'unknown'}",
        "versions": f"Python {made['python']}, {versions}",
        "device": made["device"] + threads,
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
    frames = [np.asarray(Image.open(path, formats=["PNG"]).convert("RGB")) for path in paths]
    names = [path.stem.replace("_", " ").replace("-", " ") for path in paths]
    words = [path.with_suffix(".txt") for path in paths]
    alt = [word.read_text("utf-8").strip() if word.is_file() else name for word, name in zip(words, names, strict=True)]
    return viewer(frames, names, alt, name="Picture", interactive=interactive)
