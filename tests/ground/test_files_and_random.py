"""Atomic files and addressed randomness."""

import os

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from fd2lib.ground import (
    ArtefactError,
    DataError,
    Fd2Error,
    SettingError,
    atomic_path,
    derive_seed,
    file_digest,
    make_generator,
    read_json,
    seeded_initialisation,
    write_json,
)

ADDRESSES = st.lists(st.one_of(st.integers(), st.text()), min_size=1, max_size=5)


@given(ADDRESSES, ADDRESSES)
def test_seeds_follow_from_the_address_alone(first, second):
    assert derive_seed(*first) == derive_seed(*first)
    if list(map(str, first)) != list(map(str, second)):
        assert derive_seed(*first) != derive_seed(*second)
    assert 0 <= derive_seed(*first) < 2**63


def test_generators_do_not_touch_the_global_one():
    before = torch.get_rng_state()
    make_generator(0, "anything")
    with seeded_initialisation(0, "net"):
        first = torch.nn.Linear(3, 3).weight
    assert torch.equal(torch.get_rng_state(), before)
    with seeded_initialisation(0, "net"):
        assert torch.equal(torch.nn.Linear(3, 3).weight, first)


def test_a_failed_write_leaves_the_old_file_and_no_litter(tmp_path):
    target = tmp_path / "value.json"
    write_json(target, {"a": 1})
    with pytest.raises(RuntimeError), atomic_path(target) as path:
        path.write_text("half")
        raise RuntimeError("killed")
    assert read_json(target) == {"a": 1}
    assert os.listdir(tmp_path) == ["value.json"]


def test_a_full_disk_is_said_plainly(tmp_path):
    with pytest.raises(ArtefactError, match=r"No space left.*unchanged"), atomic_path(tmp_path / "x") as _:
        raise OSError(28, "No space left on device")


def test_read_json_names_what_is_wrong(tmp_path):
    with pytest.raises(ArtefactError, match="no file"):
        read_json(tmp_path / "none.json")
    (tmp_path / "bad.json").write_text("{")
    with pytest.raises(ArtefactError, match="not valid JSON"):
        read_json(tmp_path / "bad.json")


@pytest.mark.parametrize("kind", [Fd2Error, SettingError, DataError, ArtefactError])
def test_an_error_is_one_line_whatever_names_are_in_it(kind) -> None:
    text = str(kind("no folder a\nb\x1b[31m\udcf6"))
    assert text == "no folder a b [31m\N{REPLACEMENT CHARACTER}"


@pytest.mark.parametrize("kind", ["a folder", "a named pipe"])
def test_only_files_have_a_digest(tmp_path, kind) -> None:
    path = tmp_path / "x"
    path.mkdir() if kind == "a folder" else os.mkfifo(path)
    with pytest.raises(OSError, match=f"{kind}, not a file"):
        file_digest(path)
