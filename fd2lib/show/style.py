"""One look for every figure: size, font, and a colour and marker for each method.

Figures are made without pyplot, so no global state is touched, and they show themselves in a notebook whatever the
plotting backend is.
"""

import io
import zlib
from typing import Any, NamedTuple

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.text import Text

DPI = 110  # dots per inch of a shown figure
WIDTH = 5.8  # inches; 638 px at DPI, which a phone can shrink and still be read
SMALL, NORMAL, LARGE = 10.5, 11.0, 12.0  # points
INK = "#26323d"
MUTED = "#6b7780"
RIGHT = "#0072b2"  # a right prediction, everywhere
WRONG = "#d55e00"  # a wrong one
OTHER = "#009e73"  # a third level beside those two

# Okabe and Ito's palette, which readers with colour-blindness can tell apart; markers differ as well.
_METHOD_STYLES: dict[str, tuple[str, str]] = {
    "random": ("#6b7780", "s"),
    "random_cal": ("#a8860b", "D"),
    "sre2lpp": ("#0072b2", "o"),
    "sre2lpp_fd2": ("#d55e00", "^"),
    "fadrm": ("#009e73", "v"),
    "fadrm_fd2": ("#b8528f", "P"),
    "rded": ("#56b4e9", "X"),
}
_OTHERS = (("#1b7837", "<"), ("#762a83", ">"), ("#8c510a", "h"), ("#000000", "d"), ("#5a9bd4", "p"))


class BookFigure(Figure):
    """A matplotlib figure that shows itself in a notebook: as PNG, or as JPEG a fifth as large if mostly photographs.

    Text in it is text: a dollar sign in the name of a class or a set begins no formula.
    """

    def __init__(self, *args: Any, photo: bool = False, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.photo = photo

    def draw(self, renderer: Any) -> None:
        """Draw the figure, as matplotlib asks."""
        for text in self.findobj(Text):
            text.set_parse_math(False)
        super().draw(renderer)

    def encoded(self) -> tuple[str, bytes]:
        """Return the mime type and the bytes of the figure as a page would hold them."""
        stream = io.BytesIO()
        kind, options = ("jpeg", {"quality": 86}) if self.photo else ("png", {})
        self.savefig(stream, format=kind, dpi=DPI, pil_kwargs=options | {"optimize": True})
        return f"image/{kind}", stream.getvalue()

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, Any]:
        mime, data = self.encoded()
        return {mime: data, "text/plain": "<figure>"}


def new_figure(height: float, *, columns: int = 1, rows: int = 1, photo: bool = False, **grid: Any) -> BookFigure:
    """Return a figure of one width, ``height`` inches high, with ``rows`` × ``columns`` axes in the book's style.

    Photographs keep their shape, so the layout closes up around them. Further options are those of matplotlib's
    ``subplots``, such as ``sharey``.
    """
    layout = "compressed" if photo else "constrained"
    figure = BookFigure(figsize=(WIDTH, height), dpi=DPI, layout=layout, facecolor="white", photo=photo)
    figure.subplots(rows, columns, **grid)
    for axes in figure.axes:  # two thin spines, a faint grid behind, readable labels
        axes.spines[["top", "right"]].set_visible(False)
        axes.spines[["left", "bottom"]].set_color("#b7c0c7")
        axes.tick_params(colors=INK, labelsize=NORMAL, length=3, color="#b7c0c7")
        axes.grid(True, color="#e6eaed", linewidth=0.8)
        axes.set_axisbelow(True)
        for label in (axes.xaxis.label, axes.yaxis.label):
            label.set(color=INK, size=NORMAL)
        axes.title.set(color=INK, size=LARGE)
    return figure


def add_legend(figure: BookFigure, columns: int = 2, below: bool = False) -> None:
    """Name every labelled thing of a figure once, above its axes or below."""
    entries: dict[str, Any] = {}
    for axes in figure.axes:
        handles, labels = axes.get_legend_handles_labels()
        entries |= {label: handle for label, handle in zip(labels, handles, strict=True) if label not in entries}
    if entries:
        figure.legend(list(entries.values()), list(entries), ncols=columns, frameon=False, fontsize=SMALL,
                      columnspacing=1, handlelength=1.4,
                      loc="outside lower center" if below else "outside upper left")  # fmt: skip


def bare(axes: Axes) -> None:
    """Take everything but labels off axes that hold a picture."""
    axes.spines[:].set_visible(False)
    axes.grid(False)
    axes.tick_params(length=0)


class Style(NamedTuple):
    """How a method looks in every figure."""

    color: str
    marker: str


def method_style(method: str) -> Style:
    """Return the colour and marker of a method: the same in every figure, also for methods added later."""
    return Style(*_METHOD_STYLES.get(method, _OTHERS[zlib.crc32(method.encode()) % len(_OTHERS)]))
