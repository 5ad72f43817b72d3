"""The explorer: any class of an image set, as every method and number of images per class leaves it.

Every state that can be chosen is prepared as a frame of plain HTML (``explorer.html``); a few lines of script
(``explorer.js``) put one in the place of another. No address outside the page is asked for anything.
"""

import itertools
import json
from collections.abc import Sequence
from importlib import resources
from typing import Any

import jinja2

from fd2lib.ground import SettingError
from fd2lib.measure import ExploredSet, spread
from fd2lib.show.explorer_frames import Album, Frames
from fd2lib.show.frames import Html
from fd2lib.show.titles import method_title, place_title

_FILES = resources.files("fd2lib.show")


def explorer(sets: Sequence[ExploredSet], classes: int = 12) -> Html:
    """Return the explorer over image sets (see :func:`fd2lib.measure.explore`) as plain HTML.

    A reader chooses image set, class, method and images per class, by mouse, finger or keyboard, and sees starts,
    images, where the judge looks, the nearest training images, and what a student of these images answers for test
    images of the class. At most ``classes`` of a set, spread over all, can be chosen.

    Raises:
        SettingError: no set, no class, or sets that differ in methods or in numbers of images per class.
    """
    made = [[(shown.method, shown.ipc) for shown in one.shown] for one in sets]
    methods = list(dict.fromkeys(method for one in made for method, _ in one))
    counts = list(dict.fromkeys(count for one in made for _, count in one))
    whole = sorted(itertools.product(methods, counts))
    if not made or classes < 1 or any(sorted(one) != whole for one in made):
        raise SettingError(
            f"explorer got {made} and {classes} classes; expected at least one set, each with every method at every "
            "number of images per class once, and at least one class."
        )
    template, album = _template(), Album()
    told = [_told(one, methods, counts, classes, album) for one in sets]
    page = {
        "sets": told,
        "methods": [method_title(name) for name in methods],
        "counts": counts,
        "pictures": album.addresses,
        "frame": told[0]["frames"][0][0][0],
    }
    files = {name: _FILES.joinpath(f"explorer.{name}").read_text("utf-8") for name in ("css", "js")}
    return Html(template.render(whole=True, data=_data(page, template), **page, **files))


def _told(
    one: ExploredSet, methods: Sequence[str], counts: Sequence[int], classes: int, album: Album
) -> dict[str, Any]:
    """What a set is called, its classes, and a frame for each by method and number of images per class."""
    indices = spread(range(one.dataset.num_classes), classes)
    made, by_choice = Frames(one, album), {(shown.method, shown.ipc): shown for shown in one.shown}
    frames = [
        [[made.frame(by_choice[name, count], index) for index in indices] for count in counts] for name in methods
    ]
    return {"title": _title(one), "classes": [made.names[index] for index in indices], "frames": frames}


def _title(one: ExploredSet) -> str:
    data = one.dataset
    return place_title(
        {"scale": one.scale, "image_set": data.image_set, "dataset": data.name, "image_size": data.image_size}
    )


def _template() -> jinja2.Template:
    environment = jinja2.Environment(undefined=jinja2.StrictUndefined, autoescape=True)
    return environment.from_string(_FILES.joinpath("explorer.html").read_text("utf-8"), globals={"whole": False})


def _data(page: dict[str, Any], template: jinja2.Template) -> str:
    """What the script reads, as JSON that ends no element early."""

    def told(frame: Any) -> Any:
        if isinstance(frame, list):
            return [told(one) for one in frame]
        return {"summary": frame.summary, "view": template.render(frame=frame)}

    sets = [{"classes": one["classes"], "frames": told(one["frames"])} for one in page["sets"]]
    text = json.dumps({"pictures": page["pictures"], "sets": sets}, ensure_ascii=False)
    return text.replace("</", "<\\/").replace("<!--", "<\\u0021--")
