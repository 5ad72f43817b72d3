"""``prepare``: whole or not at all, nothing outside its folder, nothing of the user's touched."""

import dataclasses
import gzip
import io
import logging
import os
import signal
import tarfile

import pytest

from fd2lib.data import load_dataset, packs, prepare, registry
from fd2lib.data.registry import get_reader
from fd2lib.ground import DataError, SettingError


def add(tar, name, content=b"", **fields):
    member = tarfile.TarInfo(name)
    member.size = len(content)
    for key, value in fields.items():
        setattr(member, key, value)
    tar.addfile(member, io.BytesIO(content))


@pytest.fixture
def source(tmp_path, make_folder, monkeypatch):
    """The three tars of a tiny cub200, which are taken for the whole one."""
    reader = get_reader("cub200")
    info = dataclasses.replace(reader.info, num_classes=2, train_images=8, test_images=6)
    monkeypatch.setitem(registry._READERS, "cub200", dataclasses.replace(reader, info=info, packs={}))
    root = make_folder(classes=("001.Ash_Tit", "002.Elm_Tit"), name="cub200")
    folder = tmp_path / "tars"
    folder.mkdir()
    for split in ("train", "test"):
        with tarfile.open(folder / f"cub200-{split}.tar", "w") as tar:
            tar.add(root / split, f"cub200/{split}")
    with tarfile.open(folder / "cub200-metadata.tar.gz", "w:gz") as tar:
        add(tar, "cub200/metadata/classes.txt", b"1 001.Ash_Tit\n2 002.Elm_Tit\n")
    return folder


def names_in(folder):
    return sorted(path.name for path in folder.iterdir())


def test_prepared_sets_load(source, tmp_path):
    root = tmp_path / "deep" / "root"
    assert prepare("cub200", source, root, progress=False) == root / "cub200"
    assert names_in(root) == ["cub200"] and names_in(root / "cub200") == ["metadata", "test", "train"]
    assert len(load_dataset("cub200", root, 8).train) == 8


def test_preparing_twice_changes_nothing(source, tmp_path):
    target = prepare("cub200", source, tmp_path / "root", progress=False)
    (target / "mine.txt").write_text("kept")
    before = {path: path.stat().st_mtime_ns for path in target.rglob("*")}
    assert prepare("cub200", source, tmp_path / "root", progress=False) == target
    assert {path: path.stat().st_mtime_ns for path in target.rglob("*")} == before


def test_a_folder_of_the_users_is_left_alone(source, tmp_path):
    mine = tmp_path / "root" / "cub200" / "train" / "notes.txt"
    mine.parent.mkdir(parents=True)
    mine.write_text("mine")
    with pytest.raises(DataError, match=r"exists but 15 of the tars' 15 files are missing .* Move it away"):
        prepare("cub200", source, tmp_path / "root", progress=False)
    assert mine.read_text() == "mine" and names_in(tmp_path / "root" / "cub200") == ["train"]


@pytest.mark.parametrize(
    ("name", "fields"),
    [
        ("../evil.txt", {}),
        ("cub200/../../evil.txt", {}),
        ("/evil.txt", {}),
        ("flowers102/train/evil.txt", {}),
        ("cub200/link", {"type": tarfile.SYMTYPE, "linkname": "/etc"}),
        ("cub200/hard", {"type": tarfile.LNKTYPE, "linkname": "cub200/metadata/classes.txt"}),
        ("cub200/fifo", {"type": tarfile.FIFOTYPE}),
    ],
)
def test_members_that_lead_elsewhere_are_refused(source, tmp_path, name, fields):
    with tarfile.open(source / "cub200-test.tar", "a") as tar:
        add(tar, name, b"" if fields else b"evil", **fields)
    root = tmp_path / "root"
    before = names_in(tmp_path)
    with pytest.raises(DataError, match="not a plain file or folder under cub200/"):
        prepare("cub200", source, root, progress=False)
    assert names_in(root) == [] and names_in(tmp_path) == sorted([*before, "root"])


@pytest.mark.parametrize("damage", ["cut", "overwritten", "empty"])
@pytest.mark.parametrize("piece", ["cub200-train.tar", "cub200-metadata.tar.gz"])
def test_a_damaged_tar_leaves_nothing_behind(source, tmp_path, piece, damage):
    raw = bytearray((source / piece).read_bytes())
    if damage == "cut":
        # In the middle of the first picture, or of the compressed stream.
        raw = raw[: raw.index(b"PNG") + 20 if piece.endswith("tar") else len(raw) // 2]
    elif damage == "overwritten":
        raw[20:120] = b"\xff" * 100
    else:
        raw = b""
    (source / piece).write_bytes(raw)
    with pytest.raises(DataError, match=rf"{piece} is damaged or cut short") as error:
        prepare("cub200", source, tmp_path / "root", progress=False)
    assert "\n" not in str(error.value)
    assert names_in(tmp_path / "root") == []


@pytest.mark.skipif(not hasattr(os, "fork"), reason="a child is killed")
def test_what_a_killed_process_unpacked_goes_with_the_next(source, tmp_path, monkeypatch):
    root = tmp_path / "root"
    child = os.fork()
    if child == 0:
        try:
            monkeypatch.setattr(packs, "differences", lambda *_: os.kill(os.getpid(), signal.SIGKILL))
            prepare("cub200", source, root, progress=False)
        finally:
            os._exit(1)  # never goes on as a second pytest
    os.waitpid(child, 0)
    assert names_in(root) != [] and not (root / "cub200").exists()
    prepare("cub200", source, root, progress=False)
    assert names_in(root) == ["cub200"]


def test_missing_tars_and_unknown_names(source, tmp_path):
    (source / "cub200-test.tar").unlink()
    with pytest.raises(DataError, match=r"lacks cub200-test\.tar"):
        prepare("cub200", source, tmp_path / "root")
    with pytest.raises(SettingError, match="Did you mean 'cub200'"):
        prepare("cub20", source, tmp_path / "root")


def test_a_root_that_cannot_be_made(source, tmp_path):
    (tmp_path / "root").write_text("a file")
    with pytest.raises(DataError, match="could not prepare"):
        prepare("cub200", source, tmp_path / "root" / "below", progress=False)


def test_a_tar_that_is_cut_anywhere_is_not_taken_for_whole(source, tmp_path):
    """Also between two members, where all that is there can be read."""
    path = source / "cub200-train.tar"
    with tarfile.open(path) as tar:
        end = list(tar)[-1]
        end = end.offset_data + -(-end.size // 512) * 512  # where the empty blocks begin
    whole = path.read_bytes()
    for cut in range(0, end + 1, 512):
        path.write_bytes(whole[:cut])
        with pytest.raises(DataError, match=r"cub200-train\.tar is damaged or cut short"):
            prepare("cub200", source, tmp_path / "root", progress=False)
        assert names_in(tmp_path / "root") == []


def test_a_set_that_lacks_images_is_not_kept(source, tmp_path, make_folder):
    """Whole tars, of less than the whole set."""
    (tmp_path / "cub200" / "train" / "001.Ash_Tit" / "00.png").unlink()
    with tarfile.open(source / "cub200-train.tar", "w") as tar:
        tar.add(tmp_path / "cub200" / "train", "cub200/train")
    with pytest.raises(DataError, match="the tars of cub200 hold 7 of 8 training images; nothing of them was kept"):
        prepare("cub200", source, tmp_path / "root", progress=False)
    assert names_in(tmp_path / "root") == []


def test_a_checksum_that_is_wrong_is_noticed(source, tmp_path):
    """A gzip stream whose content passes for a tar's, but is not what was zipped."""
    path = source / "cub200-metadata.tar.gz"
    raw = bytearray(path.read_bytes())
    raw[-6] ^= 1
    path.write_bytes(raw)
    with pytest.raises(DataError, match=r"damaged or cut short \(CRC check failed"):
        prepare("cub200", source, tmp_path / "root", progress=False)


def zeros_after(path, mib, header):
    """A gzip of a tar that holds ``mib`` MiB of zeros, as a member or as what a header claims to be."""
    with gzip.open(path, "wb") as stream:
        member = tarfile.TarInfo("cub200/metadata/zeros")
        member.size = mib * 2**20
        if header:
            member.type = tarfile.XHDTYPE
        stream.write(member.tobuf(tarfile.USTAR_FORMAT))
        for _ in range(mib):
            stream.write(bytes(2**20))
        stream.write(bytes(1024))


@pytest.mark.parametrize("header", [False, True])
def test_little_that_grows_to_much_is_refused_unless_asked_for(source, tmp_path, header):
    path = source / "cub200-metadata.tar.gz"
    zeros_after(path, 80, header)
    assert path.stat().st_size < 200_000
    with pytest.raises(DataError, match=r"has 0\.1 MiB and unpacks to more than 6\d MiB.*--limit-mib"):
        prepare("cub200", source, tmp_path / "root", progress=False)
    assert names_in(tmp_path / "root") == []
    if not header:
        prepare("cub200", source, tmp_path / "root", limit_mib=100, progress=False)
        assert (tmp_path / "root" / "cub200" / "metadata" / "zeros").stat().st_size == 80 * 2**20


def test_a_negative_limit_is_none(source, tmp_path):
    with pytest.raises(SettingError, match="limit is -1 MiB"):
        prepare("cub200", source, tmp_path / "root", limit_mib=-1)


def test_other_bytes_than_the_known_copys_are_said(source, tmp_path, monkeypatch, caplog):
    reader = dataclasses.replace(get_reader("cub200"), packs={"train.tar": "0" * 64})
    monkeypatch.setitem(registry._READERS, "cub200", reader)
    prepare("cub200", source, tmp_path / "root", progress=False)
    warned = [record.getMessage() for record in caplog.records if record.levelno == logging.WARNING]
    assert len(warned) == 1 and "cub200-train.tar is not the copy whose digest is known" in warned[0]


def test_a_full_disk_is_said_before_unpacking(source, tmp_path, monkeypatch):
    monkeypatch.setattr("shutil.disk_usage", lambda folder: type("Usage", (), {"free": 10})())
    with pytest.raises(DataError, match=r"cub200 needs at least .* 0 MiB are free"):
        prepare("cub200", source, tmp_path / "root", progress=False)
    assert names_in(tmp_path / "root") == []
