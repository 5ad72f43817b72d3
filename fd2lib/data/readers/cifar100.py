"""Objects {cite:p}`krizhevsky2009cifar`.

**Known issues.** As CIFAR-10, with more near-repeats {cite:p}`barz2020cifair`.
"""

from dataclasses import replace

from fd2lib.data.readers import cifar10
from fd2lib.data.registry import register_reader

INFO = replace(cifar10.INFO, name="cifar100", title="CIFAR-100", num_classes=100, layout="cifar-100-python/")

register_reader(cifar10.reader(INFO, __doc__, "CIFAR100"))
