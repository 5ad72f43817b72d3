"""What an exported set says of itself: a card for people and hubs, Croissant metadata for programs, and digests.

This module collects facts; ``templates/card.md.j2`` and ``templates/croissant.json.j2`` say them.
"""

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import jinja2
from torch import Tensor

from fd2lib import __version__
from fd2lib.drive.origin import Origin
from fd2lib.record import file_digest

CARD, CROISSANT, DIGESTS = "README.md", "croissant.json", "SHA256SUMS"
SIZES = ("n<1K", "1K<n<10K", "10K<n<100K", "100K<n<1M", "1M<n<10M", "10M<n<100M")  # as dataset hubs name them
# A licence that begins with an SPDX identifier, as in "MIT, as fd2lib"; all others are terms of their own.
SPDX = re.compile(r"(MIT|Apache[ -]2\.0|CC0[ -]1\.0|CC[ -]BY(?:-[A-Z]{2})*[ -]\d\.\d)(?=$|[,;])")


def write_card(folder: Path, origin: Origin, tensors: Mapping[str, Tensor]) -> None:
    """Write metadata, card and digests into a folder whose images, labels and script are there.

    ``tensors`` are what the labels' file holds.
    """
    templates = jinja2.Environment(
        loader=jinja2.PackageLoader("fd2lib.drive"),
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    templates.policies["json.dumps_kwargs"] = {"ensure_ascii": False}  # YAML reads no surrogate pairs
    templates.filters |= {"inline": inline, "grouped": "{:,}".format, "setting": _setting, "digest": file_digest}
    facts = _facts(folder, origin, tensors)
    for name, template in ((CROISSANT, "croissant.json.j2"), (CARD, "card.md.j2")):
        files = sorted(path for path in folder.iterdir() if path.is_file())
        text = templates.get_template(template).render(facts, files=files)
        (folder / name).write_text(text, encoding="utf-8")
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    digests = [f"{file_digest(path)}  {path.relative_to(folder).as_posix()}\n" for path in files]
    (folder / DIGESTS).write_text("".join(digests), encoding="utf-8")  # as `sha256sum -c` reads them


def inline(value: object) -> str:
    r"""Return ``value`` as one line of Markdown that shows exactly its text, in a table's cell and elsewhere.

    Line breaks and other controls become blanks. Underscores within a word mean nothing in Markdown and stay.
    """
    text = re.sub(r"[\s\x00-\x1f\x7f-\x9f]+", " ", str(value)).strip()
    return re.sub(r"([\\`*|<>\[\]~$]|&(?=#?\w+;)|(?<!\w)_|_(?!\w)|^[-+#=])", r"\\\1", text)


def _setting(value: Any) -> str:
    """Return a setting as TOML. Folders of the machine stay out."""
    plain = Path(value).name if isinstance(value, str) and Path(value).is_absolute() else value
    return json.dumps(plain, ensure_ascii=False)


def _facts(folder: Path, origin: Origin, tensors: Mapping[str, Tensor]) -> dict[str, Any]:
    counts = origin.images.labels.bincount(minlength=len(origin.images.classes)).tolist()
    spdx, link = SPDX.match(origin.info.licence), re.match(r"https?://\S+", origin.info.source)
    return {
        "version": __version__,
        "origin": origin,
        "info": origin.info,
        "counts": counts,  # images of each class
        "folders": sorted(path.name for path in (folder / "images").iterdir()),  # of each class
        "image_bytes": sum(path.stat().st_size for path in folder.glob("images/*/*.png")),
        "size_category": SIZES[min(max(len(str(sum(counts))) - 3, 0), len(SIZES) - 1)],
        "tensors": tensors,
        "spdx": spdx[1].replace(" ", "-") if spdx else "",
        "link": link[0] if link else "",
        "inits": {teacher.manifest["settings"]["init"] if teacher.manifest else "" for teacher in origin.teachers},
        "finished": (origin.relabel or origin.distill)["provenance"]["date"],
    }
