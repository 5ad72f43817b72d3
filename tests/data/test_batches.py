"""Batches: every image once, the same from memory and from files, order from the generator alone."""

import pickle

import pytest
import torch

from fd2lib.data import batches, load_dataset, resident
from fd2lib.ground import SettingError, make_generator


@pytest.fixture
def both(make_folder):
    """The same set in memory and file-backed."""
    root = make_folder()
    return load_dataset("folder", root, 8), load_dataset("folder", root, 8, memory_limit=100)


def test_without_a_generator_batches_keep_the_order(both):
    split = both[0].train
    found = list(batches(split, 5))
    assert [len(batch.labels) for batch in found] == [5, 5, 2]
    assert torch.equal(torch.cat([batch.images for batch in found]), split.images)
    assert torch.equal(torch.cat([batch.indices for batch in found]), torch.arange(12))


def test_each_image_comes_once_with_its_own_label(both):
    split = both[0].train
    for batch in batches(split, 5, generator=make_generator(3)):
        assert torch.equal(batch.images, split.images[batch.indices])
        assert torch.equal(batch.labels, split.labels[batch.indices])
    order = torch.cat([batch.indices for batch in batches(split, 5, generator=make_generator(3))])
    assert sorted(order.tolist()) == list(range(12)) and order.tolist() != list(range(12))


@pytest.mark.parametrize("workers", [0, 2])
@pytest.mark.parametrize("drop_last", [False, True])
def test_file_backed_batches_equal_those_from_memory(both, workers, drop_last):
    memory, files = both
    assert files.train.images is None and files.train.loader is not None
    assert (files.fingerprint, files.mean, files.std) == (memory.fingerprint, memory.mean, memory.std)
    pairs = zip(
        batches(memory.train, 5, generator=make_generator(7), drop_last=drop_last),
        batches(files.train, 5, generator=make_generator(7), drop_last=drop_last, workers=workers),
        strict=True,
    )
    seen = 0
    for left, right in pairs:
        assert all(torch.equal(a, b) for a, b in zip(left, right, strict=True))
        seen += len(left.labels)
    assert seen == (10 if drop_last else 12)


def test_the_global_generator_is_left_alone(both):
    torch.manual_seed(0)
    before = torch.get_rng_state()
    for dataset in both:
        for _ in batches(dataset.train, 4, generator=make_generator(1), workers=0):
            pass
    assert torch.equal(torch.get_rng_state(), before)


def test_take_gives_the_same_from_memory_and_files(both):
    memory, files = both
    assert torch.equal(memory.train.take([3, 1, 3]), files.train.take(torch.tensor([3, 1, 3])))
    assert torch.equal(memory.train.take([3]), memory.train.images[3:4])


def test_resident_moves_once_and_leaves_files_alone(both):
    memory, files = both
    assert resident(memory.train, "cpu") is memory.train
    assert resident(files.train, "cpu") is files.train


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_batches_on_the_device_equal_those_on_the_cpu(both, monkeypatch):
    memory, files = both
    expected = list(batches(memory.train, 5, generator=make_generator(7)))
    on_device = resident(memory.train, "cuda")
    assert on_device.images.is_cuda
    for split in (memory.train, on_device, files.train):
        for left, right in zip(expected, batches(split, 5, "cuda", make_generator(7)), strict=True):
            assert right.images.is_cuda and right.labels.is_cuda and not right.indices.is_cuda
            assert all(torch.equal(a, b.cpu()) for a, b in zip(left, right, strict=True))
    monkeypatch.setattr("fd2lib.data.images.DEVICE_SHARE", 0.0)
    assert not resident(memory.train, "cuda").images.is_cuda
    for left, right in zip(expected, batches(memory.train, 5, "cuda", make_generator(7)), strict=True):
        assert right.images.is_cuda and torch.equal(left.images, right.images.cpu())


def test_bad_batch_sizes_are_refused_at_the_call(both):
    with pytest.raises(SettingError, match="batch_size is 0"):
        batches(both[0].train, 0)
    with pytest.raises(SettingError, match="13 but the split has 12 images"):
        batches(both[0].train, 13, drop_last=True)
    assert len(list(batches(both[0].train, 13))) == 1


def test_a_file_backed_split_travels_to_worker_processes(both):
    split = pickle.loads(pickle.dumps(both[1].train))  # as workers that are spawned receive it
    assert torch.equal(split.take(range(12)), both[0].train.images)
