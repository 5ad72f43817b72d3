"""The viewer: whole, self-contained, safe for any class name, and usable by everyone."""

import re

import numpy as np
import pytest
from elements import Elements

from fd2lib.ground import Fd2Error
from fd2lib.show.frames import browse, frames_html, viewer

FRAMES = [np.full((8, 12, 3), value, np.uint8) for value in (0, 100, 200)]
LABELS = ["first", "<b>second</b>", 'third "quoted"']


def test_viewer_is_well_formed_and_shows_one_frame():
    page = Elements(frames_html(FRAMES, LABELS, "A picture", name="Class"))
    assert page.open == []
    images = page.of("img")
    assert [image["alt"] for image in images] == [f"A picture: {label}" for label in LABELS]
    assert [("display:none" in image["style"]) for image in images] == [False, True, True]
    assert len(page.of("option")) == 3 and page.of("input")[0]["max"] == "2"
    assert all(button.get("aria-label") for button in page.of("button"))
    assert not page.of("b")  # class names are text, not markup


def test_viewer_asks_nothing_of_the_network_and_has_no_ids():
    text = frames_html(FRAMES, LABELS, ["a", "b", "c"])
    assert not re.search(r"https?://|<script|<link|\sid=", text)
    assert all(image["src"].startswith("data:image/jpeg;base64,") for image in Elements(text).of("img"))


def test_viewer_is_the_same_every_time():
    assert frames_html(FRAMES, LABELS, "x") == frames_html(FRAMES, LABELS, "x")


@pytest.mark.parametrize(("frames", "labels"), [([], []), (FRAMES, LABELS[:2])])
def test_viewer_refuses_what_does_not_fit(frames, labels):
    with pytest.raises(Fd2Error, match="expected one of each"):
        frames_html(frames, labels, "x")


def test_widgets_follow_their_slider():
    pytest.importorskip("ipywidgets")
    box = browse(FRAMES, LABELS, ["a", "b", "c"])
    (choice, slider), picture, words = box.children[0].children, box.children[1], box.children[2]
    before = picture.value
    slider.value = 2
    assert choice.value == 2 and words.value == "c" and picture.value != before


def test_widgets_only_in_a_live_jupyter(monkeypatch):
    monkeypatch.delenv("JPY_SESSION_NAME", raising=False)
    assert isinstance(viewer(FRAMES, LABELS, "x"), str)
    monkeypatch.setenv("JPY_SESSION_NAME", "somewhere.ipynb")
    assert isinstance(viewer(FRAMES, LABELS, "x", interactive="no"), str)
    assert not isinstance(viewer(FRAMES, LABELS, "x"), str)
    with pytest.raises(Fd2Error, match="Did you mean"):
        viewer(FRAMES, LABELS, "x", interactive="yess")
