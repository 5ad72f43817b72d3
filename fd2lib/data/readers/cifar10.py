"""Objects {cite:p}`krizhevsky2009cifar`.

**Known issues.** Not fine-grained: here for comparison with other work. Some test images nearly repeat training
images {cite:p}`barz2020cifair`. The collection it was labelled from has been withdrawn.
"""

from functools import partial
from pathlib import Path

from fd2lib.data.listing import Listing, SplitListing
from fd2lib.data.registry import DatasetInfo, Reader, register_reader, torchvision_set

INFO = DatasetInfo(
    name="cifar10",
    title="CIFAR-10",
    num_classes=10,
    train_images=50000,
    test_images=10000,
    native_size="32 × 32",
    split="official",
    licence="none stated by the authors",
    source="https://www.cs.toronto.edu/~kriz/cifar.html",
    citation="Krizhevsky 2009, Learning Multiple Layers of Features from Tiny Images",
    layout="cifar-10-batches-py/",
)


def read(kind: str, folder: Path) -> Listing:
    """List the arrays of torchvision's ``CIFAR10`` or ``CIFAR100``."""
    splits = {}
    for split in ("train", "test"):
        found = torchvision_set(kind, folder.parent, train=split == "train")
        names = tuple(f"{split}/{index:05d}" for index in range(len(found.targets)))
        splits[split] = SplitListing(names, tuple(found.targets), pixels=found.data)
    return Listing(tuple(found.classes), splits["train"], splits["test"])


def reader(info: DatasetInfo, card: str | None, kind: str) -> Reader:
    """Return the reader of torchvision's ``CIFAR10`` or ``CIFAR100``."""
    download = partial(torchvision_set, kind, download=True)
    return Reader(info, card, read=partial(read, kind), unpacked=(info.layout.strip("/"),), download=download)


register_reader(reader(INFO, __doc__, "CIFAR10"))
