"""Paths for what will be written are checked before, and leave no trace; what lies behind a page is seen to change."""

import os

import pytest

from fd2lib.ground import SettingError
from fd2lib.ground.paths import folder_state, images_state, require_output, require_output_folder


@pytest.mark.parametrize(
    "path", ["FILE/x", "FILE/x/y", "/dev/null/x", "/proc/fd2lib/x", "n" * 300, "a/" + "n" * 300, "a\0b"]
)
def test_nothing_can_be_written_there(tmp_path, monkeypatch, path):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "FILE").write_text("")
    for check in (require_output, require_output_folder):
        with pytest.raises(SettingError, match="nothing can be written at") as caught:
            check(path)
        assert "\n" not in str(caught.value)
    assert os.listdir(tmp_path) == ["FILE"]


def test_a_folder_is_no_file_and_a_file_no_folder(tmp_path):
    (tmp_path / "file").write_text("kept")
    for path in (tmp_path, f"{tmp_path}/", f"{tmp_path / 'new'}/"):
        with pytest.raises(SettingError, match="is a folder; expected the name of a file"):
            require_output(path)
    with pytest.raises(SettingError, match="nothing can be written"):
        require_output_folder(tmp_path / "file")
    require_output(tmp_path / "file")
    require_output(tmp_path / "deep" / "er" / "file")
    require_output_folder(tmp_path / "deep" / "er")
    assert os.listdir(tmp_path) == ["file"] and (tmp_path / "file").read_text() == "kept"


def test_a_changed_image_is_another_state(tmp_path, monkeypatch):
    image = tmp_path / "birds" / "train" / "wren" / "0.png"
    image.parent.mkdir(parents=True)
    image.write_bytes(b"first")
    states = [images_state("birds", str(tmp_path)), images_state("folder", str(tmp_path))]
    assert states == [images_state("birds", str(tmp_path)), images_state("folder", str(tmp_path))]
    image.write_bytes(b"other bytes")
    assert images_state("birds", str(tmp_path)) != states[0] and images_state("folder", str(tmp_path)) != states[1]
    os.symlink(tmp_path / "nowhere", image.with_name("1.png"))
    before = folder_state(tmp_path)
    (tmp_path / "birds" / "test").mkdir()
    assert folder_state(tmp_path) == before  # of folders only what is in them counts
    monkeypatch.delenv("FD2LIB_DATA_ROOT", raising=False)
    assert images_state("plumage", str(tmp_path)) == images_state("folder", "") == ""
