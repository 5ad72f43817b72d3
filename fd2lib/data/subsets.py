"""Subsets: which classes a text asks for, and how many images of each are kept."""

import difflib
import fnmatch
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

from fd2lib.data.listing import Listing, SplitListing, display_name
from fd2lib.ground import DataError, make_generator

if TYPE_CHECKING:
    from fd2lib.data.images import Dataset  # who lists sets waits for no PyTorch


def select_classes(
    classes: tuple[str, ...], pattern: str, named: Mapping[str, Sequence[str]] | None = None
) -> list[int]:
    """Return the indices of the classes that ``pattern`` asks for, ascending, of all names in label order.

    ``""`` asks for all classes; ``"10"`` for the first ten; ``"Warbler"`` for those whose name holds the text, in
    either case, with blanks or underscores; ``"*_Warbler"`` is a glob over the whole name; ``"Warbler:10"`` asks for
    the first ten of those. The names of a subset that is ``named`` are asked for by its name.

    Raises:
        DataError: nothing matches, or fewer classes than asked for.
    """
    text, count = _split_pattern(pattern)
    own = (named or {}).get(text)
    if absent := sorted(set(own or ()) - set(classes)):
        raise DataError(
            f"{len(absent)} classes of {text!r} are not there, the first is {absent[0]!r}; get the whole set."
        )
    wanted = own.__contains__ if own is not None else partial(_matches, text=text)
    found = [index for index, name in enumerate(classes) if not text or wanted(name)]
    if not found:
        raise DataError(f"no class matches {text!r} among {len(classes)}; {_near(classes, text)}.")
    if count is None:
        return found
    if not 1 <= count <= len(found):
        of = f"match {text!r}" if text else "are in the set"
        raise DataError(f"classes {pattern!r} asks for {count}, but {len(found)} {of}; ask for 1 to {len(found)}.")
    return found[:count]


def keep_classes(listing: Listing, chosen: Sequence[int]) -> Listing:
    """Return the listing with only the classes at ``chosen``, labelled 0, 1, … in their order."""
    if len(chosen) == len(listing.classes):
        return listing
    relabel = {old: new for new, old in enumerate(chosen)}

    def kept(files: SplitListing) -> SplitListing:
        files = files.keep([i for i, label in enumerate(files.labels) if label in relabel])
        return replace(files, labels=tuple(relabel[label] for label in files.labels))

    classes = tuple(listing.classes[i] for i in chosen)
    return replace(listing, classes=classes, train=kept(listing.train), test=kept(listing.test))


def keep_images(files: SplitListing, classes: tuple[str, ...], split: str, per_class: int, seed: int) -> SplitListing:
    """Return ``per_class`` images of each class, drawn without replacement by ``seed``; 0 keeps them all."""
    import torch

    if per_class == 0:
        return files
    _require(files.counts(len(classes)), classes, per_class, f"{split}_per_class={per_class}")
    labels, kept = torch.tensor(files.labels), list[int]()
    for label, name in enumerate(classes):
        members = (labels == label).nonzero().flatten()
        # By name, so that a class keeps its images whichever other classes are loaded.
        order = torch.randperm(len(members), generator=make_generator(seed, "subset", split, name))
        kept += members[order[:per_class]].tolist()
    return files.keep(sorted(kept))


def require_per_class(dataset: "Dataset", count: int, what: str) -> None:
    """Check that each class has ``count`` training images; ``what`` needs them, as ``"distilling 5 per class"``.

    Raises:
        DataError: naming the class with the fewest images.
    """
    import torch

    counts = torch.bincount(dataset.train.labels, minlength=dataset.num_classes).tolist()
    _require(counts, dataset.classes, count, what)


def _require(counts: list[int], classes: tuple[str, ...], count: int, what: str) -> None:
    short = [index for index, seen in enumerate(counts) if seen < count]
    if not short:
        return
    worst = min(short, key=counts.__getitem__)
    others = f", and {len(short) - 1} more classes are short" if len(short) > 1 else ""
    raise DataError(
        f"class {classes[worst]!r} has {counts[worst]} images, {what} needs {count} of each class{others}; "
        "add images, ask for fewer, or leave the class out."
    )


def _split_pattern(pattern: str) -> tuple[str, int | None]:
    pattern = pattern.strip()
    if pattern.isdecimal():
        return "", int(pattern)
    text, colon, count = pattern.rpartition(":")
    if colon and count.strip().isdecimal():
        return text.strip(), int(count)
    return pattern, None


def _matches(name: str, text: str) -> bool:
    name, text = name.casefold(), text.casefold()
    spellings = (name, name.strip(), display_name(name))
    if any(text in spelling for spelling in spellings):
        return True
    return any(sign in text for sign in "*?[") and any(fnmatch.fnmatchcase(spelling, text) for spelling in spellings)


def _near(classes: tuple[str, ...], text: str) -> str:
    """Names to try instead: those that hold a word like the one asked for, else the first few."""
    words = {word.casefold(): name for name in reversed(classes) for word in [name, *display_name(name).split()]}
    if close := difflib.get_close_matches(text.casefold(), words, n=5, cutoff=0.6):
        return f"near names are {', '.join(dict.fromkeys(words[word] for word in close))}"
    return f"names look like {', '.join(classes[:3])}"
