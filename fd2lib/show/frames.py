"""A viewer over prepared pictures: plain HTML for any page, ipywidgets for a notebook someone is working in.

The HTML carries its pictures inside and reaches its own parts from the element that was used, so several viewers on a
page, and copies of one, do not disturb each other. No address outside the page is asked for anything.
"""

import base64
import html
import os
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from fd2lib.data import display_name
from fd2lib.ground import SettingError, ShapeError, unknown
from fd2lib.show.grids import encode_picture

_MOVE = (
    "const v=this.closest('.fd2-viewer'),s=v.querySelector('select'),p=[...v.querySelectorAll('img')],"
    "i=(Number({position})+p.length)%p.length;"
    "p.forEach((e,k)=>e.style.display=k===i?'block':'none');"
    "s.value=i;v.querySelector('input').value=i;"
    "v.querySelector('output').textContent=s.options[i].text+' ('+(i+1)+' of '+p.length+')'"
)
_BUTTON = "font:inherit;padding:.35em .8em;cursor:pointer"


Texts = Sequence[str] | str  # one for each frame; one for all is followed by the frame's label


class Html(str):
    """Markup that shows itself in a notebook."""

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, str]:
        return {"text/html": str(self), "text/plain": "<page content>"}

    def _repr_pretty_(self, printer: Any, cycle: bool) -> None:
        printer.text("<page content>")  # IPython asks for this too, and the text in full would double a notebook


def sentences(*texts: str) -> Html:
    """Return sentences as one paragraph."""
    return Html("<p>" + " ".join(html.escape(text) for text in texts) + "</p>")


def points(texts: Iterable[str]) -> Html:
    """Return texts as a list with bullets."""
    return Html("<ul>" + "".join(f"<li>{html.escape(text)}</li>" for text in texts) + "</ul>")


def folded(title: str, *parts: Html) -> Html:
    """Return markup that a click on its title unfolds."""
    return Html(f"<details><summary>{html.escape(title)}</summary>{''.join(parts)}</details>")


def frames_html(frames: Sequence[np.ndarray], labels: Sequence[str], alt: Texts, *, name: str = "Show") -> Html:
    """Return a viewer as plain HTML: a list to choose from, a slider, two buttons, one picture at a time.

    It can be used by keyboard, tells screen readers what it shows, shrinks to a phone's width, and without scripts
    still shows its first picture. Frames are pixels ``[H, W, 3]``, bytes, each with a label and, as ``alt``, what it
    shows in words; ``name`` says what is chosen, such as ``"Class"``.

    Raises:
        ShapeError: no frames, or numbers of frames, labels and texts that differ.
    """
    texts = _alternatives(frames, labels, alt)
    pictures = "".join(
        f'<img src="{encode_picture(frame)}" alt="{html.escape(text)}" '
        f'style="width:{_width(frame)}px;max-width:100%;height:auto;margin:0 auto;'
        f'display:{"none" if position else "block"}">'
        for position, (frame, text) in enumerate(zip(frames, texts, strict=True))
    )
    options = "".join(f'<option value="{i}">{html.escape(label)}</option>' for i, label in enumerate(labels))
    title = html.escape(name)
    chosen, back, on = (
        html.escape(_MOVE.replace("{position}", text))
        for text in ("this.value", "s.selectedIndex-1", "s.selectedIndex+1")
    )
    return Html(
        f'<div class="fd2-viewer" role="group" aria-label="{title}" style="max-width:100%;margin:1em 0">'
        '<div style="display:flex;flex-wrap:wrap;gap:.6em;align-items:center;margin-bottom:.6em">'
        f'<label>{title} <select style="font:inherit;max-width:70vw" onchange="{chosen}">{options}</select></label>'
        f'<button type="button" style="{_BUTTON}" onclick="{back}" aria-label="previous">←</button>'
        f'<input type="range" min="0" max="{len(frames) - 1}" value="0" step="1" aria-label="{title}, position" '
        f'style="flex:1 1 8em;min-width:6em" oninput="{chosen}">'
        f'<button type="button" style="{_BUTTON}" onclick="{on}" aria-label="next">→</button></div>{pictures}'
        '<output aria-live="polite" style="display:block;text-align:center;margin-top:.4em">'
        f"{html.escape(labels[0])} (1 of {len(frames)})</output></div>"
    )


def browse(frames: Sequence[np.ndarray], labels: Sequence[str], alt: Texts, *, name: str = "Show") -> Any:
    """Return :func:`frames_html` as an ipywidgets box, for a notebook that someone is working in."""
    import ipywidgets as widgets

    texts = _alternatives(frames, labels, alt)
    data = [base64.b64decode(encode_picture(frame).partition(",")[2]) for frame in frames]
    choice = widgets.Dropdown(options=[(label, i) for i, label in enumerate(labels)], value=0, description=name)
    slider = widgets.IntSlider(min=0, max=len(frames) - 1, readout=False, layout=widgets.Layout(flex="1 1 auto"))
    layout = widgets.Layout(width=f"{_width(frames[0])}px", max_width="100%")
    picture = widgets.Image(value=data[0], format="jpeg", layout=layout)
    words = widgets.Label(value=texts[0])

    def show(change: dict[str, Any]) -> None:
        picture.value, words.value = data[change["new"]], texts[change["new"]]

    widgets.link((choice, "value"), (slider, "value"))
    slider.observe(show, names="value")
    return widgets.VBox([widgets.HBox([choice, slider]), picture, words])


def viewer(
    frames: Sequence[np.ndarray], labels: Sequence[str], alt: Texts, *, name: str = "Show", interactive: str = "auto"
) -> Any:
    """Return :func:`frames_html`, or, where someone is working (see :func:`is_live`), the same with widgets."""
    return (browse if is_live(interactive) else frames_html)(frames, labels, alt, name=name)


def class_viewer(
    frames: Sequence[np.ndarray], classes: Sequence[str], indices: Sequence[int], alt: str, interactive: str = "auto"
) -> Any:
    """Return :func:`viewer` over one frame for each class of ``indices``."""
    labels = [display_name(classes[index]) for index in indices]
    return viewer(frames, labels, alt, name="Class", interactive=interactive)


def is_live(interactive: str = "auto") -> bool:
    """Return whether someone is working in this notebook: ``yes``, ``no``, or ``auto``.

    The last asks whether a Jupyter server started this kernel, unlike papermill, nbval or a book's build.

    Raises:
        SettingError: another word.
    """
    if interactive not in ("auto", "yes", "no"):
        raise SettingError(unknown("interactive", interactive, ("auto", "yes", "no")))
    return interactive == "yes" or (interactive == "auto" and "JPY_SESSION_NAME" in os.environ)


def _width(frame: np.ndarray) -> int:
    """Width on the page, pixels: small frames are shown up to four times enlarged, none taller than a screen."""
    high, wide = frame.shape[:2]
    return round(min(4 * wide, 680, max(wide, 560 * wide / high)))


def _alternatives(frames: Sequence[Any], labels: Sequence[str], alt: Texts) -> list[str]:
    texts = [f"{alt}: {label}" for label in labels] if isinstance(alt, str) else list(alt)
    if not len(frames) == len(labels) == len(texts) or not len(frames):
        raise ShapeError(
            f"a viewer got {len(frames)} frames, {len(labels)} labels and {len(texts)} texts; expected one of each per "
            "frame, and at least one frame."
        )
    return texts
