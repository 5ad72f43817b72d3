"""The explorer: every choice has a frame, names are text, pictures say what they show, nothing is fetched."""

import json
import re

import numpy as np
import pytest
from elements import Elements

from fd2lib.ground import SettingError
from fd2lib.show import explorer
from fd2lib.show.explorer_frames import RIGHT, SIDE, WRONG, Album, Frames


def data_of(text: str) -> dict:
    return json.loads(re.search(r'<script type="application/json">(.*?)</script>', text, re.S).group(1))


def test_every_choice_has_a_frame_of_its_own(explored):
    told = data_of(explorer([explored()]))
    (one,) = told["sets"]
    assert one["classes"] == ["Red Wren", "b<i>", "c</script>"]
    frames = [frame for method in one["frames"] for count in method for frame in count]
    assert len(frames) == 2 * 2 * 3 and len({frame["summary"] for frame in frames}) == len(frames)
    assert frames[0]["summary"] == "Red Wren, SRe²L++, 1 image per class: 3 of 5 test images right"
    assert [frame["view"].count("data-picture") for frame in one["frames"][0][1]] == [2 * 5 + 5] * 3
    for frame in frames:
        view = Elements(frame["view"])
        assert view.open == [] and not view.of("i") and not view.of("script")
        assert all(image["alt"] and int(image["data-picture"]) < len(told["pictures"]) for image in view.of("img"))


def test_the_page_is_well_formed_and_shows_its_first_frame_without_scripts(explored):
    text = explorer([explored()])
    page = Elements(text)
    assert page.open == [] and not re.search(r"https?://|<link|\sid=|src=\"(?!data:image/webp)", text)
    assert all(image["src"].startswith("data:image/webp;base64,") for image in page.of("img"))
    assert text.count('aria-live="polite"') == 1 and "Red Wren, SRe²L++, 1 image per class: 3 of 5" in text
    assert [radio["name"] for radio in page.of("input")] == ["method"] * 2 + ["ipc"] * 2
    assert sum("checked" in radio for radio in page.of("input")) == 2
    assert all(button["aria-label"] for button in page.of("button"))
    assert text.count("<script") == text.count("</script>") == 2  # a class name ends no element


def test_one_set_needs_no_choice_and_several_have_one(explored):
    hidden = '<label hidden>Image set <select data-choice="set">'
    one, two = explorer([explored()]), explorer([explored(), explored(classes=("x", "y", "z"))])
    assert hidden in one and hidden not in two
    assert [told["classes"] for told in data_of(two)["sets"]] == [["Red Wren", "b<i>", "c</script>"], ["x", "y", "z"]]


def test_classes_are_spread_over_all(explored):
    assert data_of(explorer([explored()], classes=2))["sets"][0]["classes"] == ["Red Wren", "c</script>"]


def test_the_explorer_is_the_same_every_time(explored):
    one = explored()
    assert explorer([one]) == explorer([one])


def test_the_explorer_refuses_what_leaves_a_choice_empty(explored):
    with pytest.raises(SettingError, match="expected at least one set"):
        explorer([])
    with pytest.raises(SettingError, match="0 classes; expected"):
        explorer([explored()], classes=0)
    with pytest.raises(SettingError, match="every method at every number of images per class once"):
        explorer([explored(), explored(methods=("random",))])
    torn = explored()
    del torn.shown[1]
    with pytest.raises(SettingError, match="every method at every number"):
        explorer([torn])


def test_a_frame_says_what_is_near_what_moved_and_what_was_answered(explored):
    one, album = explored(), Album()
    made = Frames(one, album)
    moved, real = made.frame(one.shown[0], 0), made.frame(one.shown[2], 0)
    assert [picture.caption for picture in moved.rows[0].pictures[:2]] == ["start", "image"]
    assert [picture.caption for picture in real.rows[0].pictures[:2]] == ["start", "image: its start"]
    near = real.rows[0].pictures[3:]
    assert [(picture.caption, picture.mark) for picture in near] == [
        ("this class, 0.25, its start", ""),
        ("b<i>, 1.50", WRONG),
    ]
    assert real.rows[0].pictures[0].place == near[0].place  # a picture is kept once
    assert [(line.name, line.number, line.share, line.mark) for line in moved.called] == [
        ("Red Wren", 3, 100.0, RIGHT),
        ("b<i>", 1, 33.3, WRONG),
        ("c</script>", 1, 33.3, WRONG),
    ]
    assert moved.heading.endswith(
        "60 [23, 88] % right, n = 5".replace(" [", "\N{NO-BREAK SPACE}[").replace(", 8", ",\N{NO-BREAK SPACE}8")
    )
    assert [picture.mark for picture in moved.tests] == [RIGHT] * 3 + [WRONG] * 2
    assert moved.tests[3].caption == "✗ b<i>, 80\N{NO-BREAK SPACE}%"


def test_classes_beyond_the_named_ones_are_summed(explored):
    one = explored()
    made = Frames(one, Album())
    made.names = ["a", "b", "c", "d", "e", "f", "g"]
    lines = made._called(0, 2, {1: 5, 2: 4, 3: 3, 4: 2, 5: 1, 6: 1})
    assert [(line.name, line.number) for line in lines] == [
        ("a", 2), ("b", 5), ("c", 4), ("d", 3), ("e", 2), ("other classes", 2)
    ]  # fmt: skip


def test_an_album_keeps_pictures_small_and_once():
    album, picture = Album(), np.zeros((2 * SIDE, 2 * SIDE, 3), np.uint8)
    assert [album.add(picture), album.add(picture + 200), album.add(picture)] == [0, 1, 0]
    assert len(album.addresses) == 2 and all(len(text) < 2000 for text in album.addresses)
