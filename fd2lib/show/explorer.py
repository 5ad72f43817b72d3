"""The explorer: any class of an image set, as every method and number of images per class leaves it.

Every state that can be chosen is prepared as a frame of plain HTML (``explorer.html``); a few lines of script
(``explorer.js``) put one in the place of another. No address outside the page is asked for anything.
"""

import json
from collections.abc import Sequence
from importlib import resources
from typing import Any

import jinja2

from fd2lib.data import display_name
from fd2lib.ground import SettingError
from fd2lib.measure import ExploredSet, spread
from fd2lib.show.explorer_frames import Album, class_frame
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
    methods, counts = (list(dict.fromkeys(pair[part] for pair in sum(made, []))) for part in (0, 1))
    if not made or classes < 1 or any(sorted(one) != sorted((m, n) for m in methods for n in counts) for one in made):
        raise SettingError(
            f"explorer got {made} and {classes} classes; expected at least one set, each with every method at every "
            "number of images per class once, and at least one class."
        )
    template = _template()
    album, told = Album(), []
    for one in sets:
        indices = spread(range(one.dataset.num_classes), classes)
        by_choice = {(shown.method, shown.ipc): shown for shown in one.shown}
        frames = [
            [[class_frame(one, by_choice[method, count], index, album) for index in indices] for count in counts]
            for method in methods
        ]
        told.append({"title": _title(one), "classes": _names(one, indices), "frames": frames})
    first = told[0]["frames"][0][0][0]
    page = {"sets": told, "methods": list(map(method_title, methods)), "counts": counts, "pictures": album.addresses}
    files = {name: _FILES.joinpath(f"explorer.{name}").read_text("utf-8") for name in ("css", "js")}
    return Html(template.render(whole=True, frame=first, data=_data(page, template), **page, **files))


def _names(one: ExploredSet, indices: Sequence[int]) -> list[str]:
    return [display_name(one.dataset.classes[index]) for index in indices]


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
