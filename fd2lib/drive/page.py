"""A page from a grid's rows: pictures of what was made, the results notebook on those rows, and HTML of both."""

import importlib.util
import subprocess
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import yaml

import fd2lib
from fd2lib import show
from fd2lib.drive.experiment import Experiment
from fd2lib.drive.notebooks import run_notebook
from fd2lib.ground import ArtefactError, SettingError, atomic_path
from fd2lib.ground.paths import require_output, require_output_folder

_PROJECT = Path(fd2lib.__file__).resolve().parents[1]
_NOTEBOOK, _EXECUTED = "55_read_results.ipynb", "results.ipynb"


def write_gallery(experiments: Iterable[Experiment], folder: str | Path) -> list[Path]:
    """Write one picture for each start of the smallest seed: starts beside what each method made of them.

    Beside each picture stands a text file of the same name that says what it shows.
    """
    first: dict[str, dict[str, Experiment]] = {}
    for one in experiments:
        if one.recipe.distill.iterations:
            first.setdefault(one.recipe.distill.start, {}).setdefault(one.recipe.method, one)
    written = []
    for start, methods in first.items():
        made = {one.recipe.title: one.distilled() for one in methods.values()}
        any_set, recipe = next(iter(made.values())), next(iter(methods.values())).recipe
        figure = show.side_by_side(
            {"start": any_set.starts, **{title: one.images for title, one in made.items()}},
            any_set.labels,
            any_set.classes,
        )
        name = f"{recipe.dataset}_{recipe.image_size}px_start_{start}"
        target = Path(folder) / f"{name}.png"
        with atomic_path(target) as path:
            figure.savefig(path, dpi=72)  # a few hundred kB: galleries are committed
        with atomic_path(target.with_suffix(".txt")) as path:
            path.write_text(
                f"{recipe.dataset} at {recipe.image_size} px, scale {recipe.scale}, start {start}: for some classes "
                f"the start, then the first image made by {', '.join(made)}.\n",
                encoding="utf-8",
            )
        written.append(target)
    return written


def require_page(out: str | Path) -> None:
    """Check that a page can be made in a folder, before what it shows is computed.

    Raises:
        SettingError: the project's notebooks or the book's tools are not there, or the page cannot lie there.
    """
    notebook = _PROJECT / "notebooks" / _NOTEBOOK
    if not notebook.is_file() or importlib.util.find_spec("jupyter_book") is None:
        lacking = f"no notebook {notebook}" if not notebook.is_file() else "no package jupyter-book"
        raise SettingError(
            f"{lacking}; pages need a checkout of the project with all its requirements. Use --no-page for the rows "
            "alone."
        )
    for name in ("gallery", "page", "page/_build"):
        require_output_folder(Path(out) / name)
    require_output(Path(out) / "page" / _EXECUTED)


def write_page(experiments: Sequence[Experiment], out: str | Path) -> Path:
    """Make ``out/gallery`` and a page of ``out/runs.csv``; returns the HTML file to open.

    Raises:
        SettingError: the project's notebooks or the book's tools are not there.
        ArtefactError: the page could not be built.
    """
    out = Path(out).resolve()
    require_page(out)
    notebook = _PROJECT / "notebooks" / _NOTEBOOK
    write_gallery(experiments, out / "gallery")
    page = out / "page"
    executed = page / _EXECUTED
    run_notebook(notebook, executed, {"results": str(out / "runs.csv"), "gallery": str(out / "gallery")})
    for name, text in {
        "_toc.yml": "format: jb-book\nroot: results\n",
        "_config.yml": yaml.safe_dump(_page_config()),
    }.items():
        with atomic_path(page / name) as path:
            path.write_text(text, encoding="utf-8")
    command = [sys.executable, "-c", "from jupyter_book.cli.main import main; main()", "build", str(page), "--quiet"]
    done = subprocess.run(command, capture_output=True, text=True)
    html = page / "_build" / "html" / "results.html"
    if done.returncode != 0 or not html.is_file():
        said = [line for line in done.stderr.splitlines() if "rror" in line]
        reason = (said or ["no message"])[0].strip()
        raise ArtefactError(
            f"the page could not be built ({reason}). The rows are in {out / 'runs.csv'}, the notebook is {executed}."
        )
    return html


def _page_config() -> dict[str, Any]:
    """The book's settings for a page of its own: paths absolute, nothing to leave out."""
    config = yaml.safe_load((_PROJECT / "_config.yml").read_text(encoding="utf-8"))
    config["title"] = "Results"
    config["only_build_toc_files"] = True
    for key in ("exclude_patterns", "bibtex_bibfiles"):
        config.pop(key, None)
    sphinx = config["sphinx"]
    sphinx["extra_extensions"] = []
    sphinx["local_extensions"] = {"offline": str(_PROJECT / sphinx["local_extensions"]["offline"])}
    sphinx["config"]["html_static_path"] = [str(_PROJECT / path) for path in sphinx["config"]["html_static_path"]]
    unused = [name for name in sphinx["config"] if name.startswith(("bibtex", "autodoc", "napoleon"))]
    for name in unused:
        del sphinx["config"][name]
    return config
