"""The embedded set as a :class:`~fd2lib.data.types.Dataset`: plumage, drawn on the spot."""

import torch

from fd2lib.data.folder import describe_classes
from fd2lib.data.pixels import fingerprint, histogram, mean_std, start_digest
from fd2lib.data.plumage import MAX_CLASSES, class_names, render_split
from fd2lib.data.subsets import select_classes
from fd2lib.data.types import Dataset, ImageSplit
from fd2lib.ground import SettingError

CLASSES = 8  # without a subset
PER_CLASS = {"train": 60, "test": 25}


def load_plumage(size: int, classes: str, seed: int, train_per_class: int = 0, test_per_class: int = 0) -> Dataset:
    """Draw the embedded set.

    Args:
        size: pixels.
        classes: ``""`` the first 8, ``"12"`` the first 12, otherwise a pattern over the names of all classes.
        seed: of the drawings.
        train_per_class: images; 0 takes 60.
        test_per_class: images; 0 takes 25.
    """
    asked = {"train": train_per_class or PER_CLASS["train"], "test": test_per_class or PER_CLASS["test"]}
    for split, count in asked.items():
        if count < 0:
            raise SettingError(f"{split}_per_class is {count}; expected 0 (the set's own number) or more.")
    chosen = select_classes(class_names(MAX_CLASSES), classes.strip() or str(CLASSES))
    # A drawing depends on how many classes there are: a pattern gives the images of the smallest set that holds it.
    drawn = max(2, len(chosen)) if classes.strip().isdecimal() else max(CLASSES, chosen[-1] + 1)
    names = tuple(class_names(drawn)[index] for index in chosen)
    splits, digests = {}, {}
    for split, count in asked.items():
        images, labels, image_names = render_split(drawn, count, size, split, seed=seed)
        relabelled = torch.full((drawn,), -1).scatter(0, torch.tensor(chosen), torch.arange(len(chosen)))[labels]
        keep = (relabelled >= 0).nonzero().flatten()
        kept_names = tuple(image_names[index] for index in keep.tolist())
        splits[split] = ImageSplit(images[keep], relabelled[keep], kept_names)
        digest = start_digest(kept_names, tuple(relabelled[keep].tolist()))
        digest.update(splits[split].images.numpy())
        digests[split] = digest.hexdigest()
    mean, std = mean_std(histogram(splits["train"].images))
    return Dataset(
        name="plumage",
        classes=names,
        image_size=size,
        train=splits["train"],
        test=splits["test"],
        mean=mean,
        std=std,
        fingerprint=fingerprint("plumage", names, size, digests),
        report=(
            describe_classes(names),
            *(f"{split}: {count * len(names)} images, {count} per class" for split, count in asked.items()),
            f"drawn by the library with seed {seed}",
        ),
    )
