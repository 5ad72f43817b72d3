"""CIFAR-100, read and fetched as CIFAR-10."""

from functools import partial

from fd2lib.data.readers.cifar10 import download_cifar, read_cifar
from fd2lib.data.registry import DatasetInfo, Reader, register_reader

INFO = DatasetInfo(
    name="cifar100",
    title="CIFAR-100",
    num_classes=100,
    train_images=50000,
    test_images=10000,
    native_size="32 × 32",
    split="official",
    licence="none stated by the authors",
    source="https://www.cs.toronto.edu/~kriz/cifar.html",
    citation="Krizhevsky 2009, Learning Multiple Layers of Features from Tiny Images",
    layout="cifar-100-python/",
)
CARD = """
Objects {cite:p}`krizhevsky2009cifar`.

**Known issues.** As CIFAR-10, with more near-repeats {cite:p}`barz2020cifair`.
"""

register_reader(
    Reader(
        INFO,
        CARD,
        read=partial(read_cifar, "CIFAR100"),
        unpacked=("cifar-100-python",),
        download=partial(download_cifar, "CIFAR100"),
    )
)
