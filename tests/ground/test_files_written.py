"""One writer for all files: a full disk is one line, leftovers are known by name, stamps tell what is whole."""

import os

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from safetensors.torch import save_file

from fd2lib.ground import (
    ArtefactError,
    atomic_path,
    atomic_stream,
    files,
    is_leftover,
    is_whole,
    remove_leftovers,
    reserve,
    stamped_files,
    write_json,
    write_text,
)


def _full(*_):
    raise OSError(28, "No space left on device")


def _in_stream(write):
    def to(path):
        with atomic_stream(path) as stream:
            write(stream)

    return to


def _tensors(path):
    with atomic_path(path) as temporary:
        save_file({"a": torch.zeros(9)}, temporary / "below a file")


WRITERS = {
    "torch": _in_stream(lambda stream: torch.save({"a": torch.zeros(90000)}, stream)),
    "npz": _in_stream(lambda stream: np.savez_compressed(stream, a=np.arange(90000))),
    "png": _in_stream(lambda stream: Image.new("RGB", (9, 9)).save(stream, "PNG")),
    "csv": lambda path: write_text(path, "a,b\n"),
    "json": lambda path: write_json(path, {"a": 1}),
}


@pytest.mark.parametrize("kind", WRITERS)
def test_a_full_disk_is_one_line_whatever_is_written(tmp_path, monkeypatch, kind):
    target = tmp_path / f"value.{kind}"
    WRITERS[kind](target)
    before = target.read_bytes()

    class Full(files._File):
        def write(self, data, /):
            if self.tell() + len(data) < 9000 and kind in ("torch", "npz"):  # full in the middle of the file
                return super().write(data)
            self.error = OSError(28, "No space left on device")
            raise self.error

    monkeypatch.setattr(files, "_File", Full)
    with pytest.raises(ArtefactError, match=r"^could not write .*value.*: No space left on device\. What was.*$"):
        WRITERS[kind](target)
    assert target.read_bytes() == before
    assert os.listdir(tmp_path) == [target.name]


def test_errors_of_safetensors_are_in_the_same_words(tmp_path):
    with pytest.raises(ArtefactError, match=r"could not write .*x.safetensors: \w.*What was there before"):
        _tensors(tmp_path / "x.safetensors")
    assert not os.listdir(tmp_path)


NAMES = st.from_regex(r"[a-zA-Z0-9][\w-]{0,9}(\.[a-z0-9]{1,5}){1,2}", fullmatch=True)


@given(NAMES)
def test_what_is_left_of_a_killed_process_is_known_and_other_files_are_not(tmp_path_factory, name):
    folder = tmp_path_factory.mktemp("files")
    with atomic_path(folder / name) as path:
        assert is_leftover(path.name)
        path.rename(folder / "kept")
        (folder / "kept").rename(path)
    assert not is_leftover(name) and not is_leftover(f".{name}") and os.listdir(folder) == [name]


@pytest.mark.parametrize("name", [".bashrc", ".config.settings", ".notes.abcdefgh", ".a.csv.backup", "a.csv.old.csv"])
def test_hidden_files_of_people_are_left_alone(tmp_path, name):
    (tmp_path / name).write_text("mine")
    (tmp_path / ".a.csv.abcdefgh.csv").write_text("half")
    remove_leftovers(tmp_path)
    assert os.listdir(tmp_path) == [name]


def test_leftovers_of_one_file_or_of_all_below_a_folder(tmp_path):
    (tmp_path / "below").mkdir()
    for name in (".a.csv.abcdefgh.csv", ".b.csv.abcdefgh.csv", "below/.c.png.01234567.png"):
        (tmp_path / name).write_text("half")
    remove_leftovers(tmp_path / "a.csv")
    assert {path.name for path in tmp_path.rglob("*")} == {".b.csv.abcdefgh.csv", "below", ".c.png.01234567.png"}
    remove_leftovers(tmp_path)
    assert {path.name for path in tmp_path.rglob("*")} == {"below", ".c.png.01234567.png"}
    remove_leftovers(tmp_path, below=True)
    assert [path.name for path in tmp_path.rglob("*")] == ["below"]


@given(st.binary(min_size=1, max_size=99), st.data())
def test_a_stamped_file_that_changed_is_not_whole(tmp_path_factory, content, data):
    target = tmp_path_factory.mktemp("stamped") / "value-1.bin"
    with atomic_stream(target, stamped=True) as stream:
        stream.write(content)
    (path,) = stamped_files(target)
    assert is_whole(path) and path.read_bytes() == content and not target.exists()
    place, bit = data.draw(st.integers(0, len(content) - 1)), data.draw(st.integers(0, 7))
    path.write_bytes(content[:place] + bytes([content[place] ^ 1 << bit]) + content[place + 1 :])
    assert not is_whole(path)
    path.write_bytes(content[:-1])
    assert not is_whole(path)
    path.unlink()
    assert not is_whole(path)


def test_room_is_reserved_before_it_is_needed(tmp_path, monkeypatch):
    path = tmp_path / "rows.npy"
    path.write_bytes(b"head")
    reserve(path, 5000)
    assert path.stat().st_size == 5000 and path.stat().st_blocks * 512 >= 5000 and path.read_bytes()[:4] == b"head"
    monkeypatch.setattr(os, "posix_fallocate", _full)
    with pytest.raises(OSError, match="No space"):
        reserve(path, 9000)
