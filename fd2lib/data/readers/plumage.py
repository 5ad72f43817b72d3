"""Birds in families of four siblings that differ in exactly two of three small parts.

Eight classes by default, up to 64. Every image follows from (seed, split, index); all are drawn by code, nothing is
traced or copied.

**What for.** Trying everything without a download, and questions photographs cannot answer: each image comes with a
mask per part and the list of telling parts, so attention can be scored against the truth.

**Limits.** Drawings: one view, one bird per picture, colours far steadier than real feathers. Accuracies here say
whether code works and which way an effect points, nothing about photographs. Another version of Pillow or NumPy may
round some edge pixels differently.
"""

import dataclasses
import functools

from fd2lib.data.listing import Listing, SplitListing
from fd2lib.data.plumage import class_names, render_split
from fd2lib.data.plumage.families import all_classes
from fd2lib.data.registry import DatasetInfo, Reader, register_reader
from fd2lib.data.subsets import keep_classes, select_classes

INFO = DatasetInfo(
    name="plumage",
    title="Plumage",
    num_classes=8,
    train_images=480,
    test_images=200,
    native_size="any",
    split="drawn for the library; up to 64 classes and any number of images on request",
    licence="MIT, as fd2lib",
    source="drawn by fd2lib.data.plumage",
    citation="fd2lib",
    layout="no files",
)


SMALL = 64  # px: two sets of that size take little memory, and experiments of one process ask for the same again


def draw(size: int, classes: str, seed: int, train_per_class: int, test_per_class: int, grain: str = "") -> Listing:
    """Draw both splits: of ``""`` the first 8 classes, of ``"12"`` the first 12, otherwise those of a pattern."""
    draws = _drawn if size <= SMALL else _drawn.__wrapped__
    return draws(size, classes.strip(), seed, train_per_class or 60, test_per_class or 25, grain)


@functools.lru_cache(maxsize=2)
def _drawn(size: int, classes: str, seed: int, train_per_class: int, test_per_class: int, grain: str) -> Listing:
    chosen = select_classes(class_names(len(all_classes(grain)), grain), classes or str(INFO.num_classes))
    # A drawing depends on how many classes there are: a pattern gives the images of the smallest set that holds it.
    drawn = max(2, len(chosen)) if classes.isdecimal() else max(INFO.num_classes, chosen[-1] + 1)
    splits = {}
    for split, count in (("train", train_per_class), ("test", test_per_class)):
        images, labels, names = render_split(drawn, count, size, split, seed=seed, grain=grain)
        splits[split] = SplitListing(names, tuple(labels.tolist()), pixels=images.permute(0, 2, 3, 1).numpy())
    remark = f"drawn by the library with seed {seed}"
    return keep_classes(Listing(class_names(drawn, grain), splits["train"], splits["test"], (remark,)), chosen)


def of_grain(grain: str, title: str, card: str | None) -> Reader:
    """Return the reader of the birds of one grain, which has a file of its own."""
    split = "drawn for the library; up to 8 classes and any number of images on request"
    info = dataclasses.replace(INFO, name=f"{INFO.name}_{grain}", title=title, split=split)
    return Reader(info, card, draw=functools.partial(draw, grain=grain))


register_reader(Reader(INFO, __doc__, draw=draw))
