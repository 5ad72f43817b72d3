"""Paths for what will be written are checked before, and leave no trace."""

import os

import pytest

from fd2lib.ground import SettingError
from fd2lib.ground.paths import require_output, require_output_folder


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
