"""Names of classes and sets are text wherever they are shown: no markup, no formula, no line of their own."""

from html.parser import HTMLParser

import numpy as np
import pytest
import torch
from elements import Elements
from hypothesis import given
from hypothesis import strategies as st

from fd2lib import show
from fd2lib.data import Dataset, ImageSplit, display_name
from fd2lib.drive.card import inline
from fd2lib.stages import write_pngs

NASTY = [
    "<img src=x onerror=alert(1)>",
    "two\nlines",
    'say "so"',
    "-rf",
    "coin $9.99% $5",
    "*a* `b` |c| &lt;",
    "x" * 255,
]
names = st.sampled_from(NASTY) | st.text(min_size=1)


class Texts(HTMLParser):
    """All texts of a page, as a reader sees them."""

    def __init__(self, page: str) -> None:
        super().__init__(convert_charrefs=True)
        self.seen: list[str] = []
        self.feed(page)
        self.close()

    def handle_data(self, data):
        self.seen.append(data)


def a_set(classes):
    count = len(classes)
    names = tuple(f"train/{name}/0.png" for name in classes)
    split = ImageSplit(torch.zeros(count, 3, 8, 8, dtype=torch.uint8), torch.arange(count), names)
    return Dataset("folder", tuple(classes), 8, split, split, (0.5,) * 3, (0.5,) * 3, "f" * 64)


@given(names, names)
def test_tables_and_viewers_show_names_as_they_are(first, second):
    plain = str(show.counts_table(a_set(["a", "b"])))
    table = str(show.counts_table(a_set([first, second])))
    frames = [np.zeros((8, 8, 3), np.uint8)] * 2
    viewer = str(show.class_viewer(frames, [first, second], [0, 1], "a picture", "no"))
    assert [tag for tag, _ in Elements(table).found] == [tag for tag, _ in Elements(plain).found]
    seen = Texts(table).seen
    assert all(display_name(name) in seen for name in (first, second))
    options = [tag for tag, _ in Elements(viewer).found if tag == "option"]
    assert len(options) == 2 and len(Elements(viewer).of("img")) == 2
    assert Elements(viewer).of("img")[1]["alt"] == f"a picture: {display_name(second)}"


@pytest.mark.parametrize("name", NASTY)
def test_a_card_shows_a_name_in_one_cell(name):
    shown = inline(name)
    assert "\n" not in shown and shown.replace("\\|", "").count("|") == 0


def test_files_of_any_class_can_be_written(tmp_path):
    images = torch.zeros(len(NASTY), 3, 4, 4, dtype=torch.uint8)
    write_pngs(tmp_path, images, torch.arange(len(NASTY)), NASTY)
    found = sorted(tmp_path.iterdir())
    assert len(found) == len(NASTY) and all(len(list(one.glob("00.png"))) == 1 for one in found)
    assert all(path.name.isprintable() and not set(path.name) & set('\\:*?"<>|`') for path in found)
