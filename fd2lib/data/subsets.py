"""Subsets: classes by count or name, and a number of images per class."""

import difflib
import fnmatch
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace

import torch

from fd2lib.data.listing import Listing, SplitListing
from fd2lib.data.types import Dataset, ImageSplit, display_name
from fd2lib.ground import DataError, make_generator


def select_classes(classes: tuple[str, ...], pattern: str) -> list[int]:
    """Return the indices of the classes that ``pattern`` asks for, ascending.

    Args:
        classes: every class name, in label order.
        pattern: ``""`` all classes; ``"10"`` the first ten; ``"Warbler"`` those whose name holds the text, in either
            case, with blanks or underscores; ``"*_Warbler"`` a glob over the whole name; ``"Warbler:10"`` the first
            ten of those.

    Raises:
        DataError: nothing matches, or fewer classes than asked for.
    """
    text, count = _split_pattern(pattern)
    found = [index for index, name in enumerate(classes) if not text or _matches(name, text)]
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
    splits = {}
    for split, files in listing.splits().items():
        kept = files.keep([i for i, label in enumerate(files.labels) if label in relabel])
        splits[split] = replace(kept, labels=tuple(relabel[label] for label in kept.labels))
    return Listing(tuple(listing.classes[i] for i in chosen), splits["train"], splits["test"], listing.report)


def keep_images(files: SplitListing, classes: tuple[str, ...], split: str, per_class: int, seed: int) -> SplitListing:
    """Return ``per_class`` images of each class, drawn without replacement by ``seed``; 0 keeps them all.

    Raises:
        DataError: a class has fewer images.
    """
    if per_class == 0:
        return files
    _require(files.counts(len(classes)), classes, per_class, f"{split}_per_class={per_class}")
    members: dict[int, list[int]] = defaultdict(list)
    for index, label in enumerate(files.labels):
        members[label].append(index)
    kept: list[int] = []
    for label, indices in members.items():
        # By class name, so that a class keeps its images whichever other classes are loaded.
        order = torch.randperm(len(indices), generator=make_generator(seed, "subset", split, classes[label]))
        kept += [indices[i] for i in order[:per_class].tolist()]
    return files.keep(sorted(kept))


def require_per_class(dataset: Dataset | ImageSplit, count: int, what: str, classes: tuple[str, ...] = ()) -> None:
    """Check that each class of a split has at least ``count`` images.

    Args:
        dataset: a data set, of which the training split is meant, or a split.
        count: images needed of each class.
        what: what needs them, for the message, such as ``"distilling 5 images per class"``.
        classes: class names, when ``dataset`` is a split; without them labels are named.

    Raises:
        DataError: naming the class with the fewest images.
    """
    split = dataset.train if isinstance(dataset, Dataset) else dataset
    names = dataset.classes if isinstance(dataset, Dataset) else classes
    labels = split.labels.cpu()
    highest = int(labels.max()) + 1 if len(labels) else 0
    names = names or tuple(f"label {label}" for label in range(max(highest, 1)))
    _require(torch.bincount(labels, minlength=len(names)).tolist(), names, count, what)


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
    """Split ``Warbler:10`` into text and count; a bare number is a count."""
    pattern = pattern.strip()
    if pattern.isdecimal():
        return "", int(pattern)
    text, colon, count = pattern.rpartition(":")
    if colon and count.strip().isdecimal():
        return text.strip(), int(count)
    return pattern, None


def _matches(name: str, text: str) -> bool:
    name, text = name.casefold(), text.casefold()
    spellings = (name, display_name(name))
    if any(text in spelling for spelling in spellings):
        return True
    return any(sign in text for sign in "*?[") and any(fnmatch.fnmatchcase(spelling, text) for spelling in spellings)


def _near(classes: tuple[str, ...], text: str) -> str:
    """Names to try instead: those that hold a word like the one asked for, else the first few."""
    words = {word.casefold(): name for name in reversed(classes) for word in [name, *display_name(name).split()]}
    close = difflib.get_close_matches(text.casefold(), words, n=5, cutoff=0.6)
    if close:
        return f"near names are {', '.join(dict.fromkeys(words[word] for word in close))}"
    return f"names look like {', '.join(classes[:3])}"
