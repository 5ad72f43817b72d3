"""Objects {cite:p}`krizhevsky2009cifar`.

**Known issues.** As CIFAR-10, with more near-repeats {cite:p}`barz2020cifair`.
"""

from dataclasses import replace
from functools import partial

from fd2lib.data.readers import cifar10
from fd2lib.data.registry import Reader, register_reader

INFO = replace(cifar10.INFO, name="cifar100", title="CIFAR-100", num_classes=100, layout="cifar-100-python/")

register_reader(
    Reader(
        INFO,
        __doc__,
        read=partial(cifar10.read, "CIFAR100"),
        unpacked=("cifar-100-python",),
        download=partial(cifar10.download, "CIFAR100"),
    )
)
