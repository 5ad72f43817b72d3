"""Variants of aeroplanes {cite:p}`maji2013aircraft`.

**Known issues.** A banner at the bottom of each photograph, about 20 pixels high, names its author; left in, it could
be read by a network. Variants, families and manufacturers form a hierarchy: check which level a published number is
for.
"""

from functools import partial
from pathlib import Path

from fd2lib.data.listing import Listing, make_listing
from fd2lib.data.registry import DatasetInfo, Reader, register_reader, torchvision_set

INFO = DatasetInfo(
    name="aircraft",
    title="FGVC-Aircraft",
    num_classes=100,
    train_images=6667,
    test_images=3333,
    native_size="about 1,000 on the longer side",
    split="official; train is training and validation; classes are variants",
    licence="non-commercial research; the photographers keep their rights",
    source="https://www.robots.ox.ac.uk/~vgg/data/fgvc-aircraft/",
    citation="Maji, Rahtu, Kannala, Blaschko and Vedaldi 2013, arXiv 1306.5151",
    layout="aircraft/{train,test}/CLASS/IMAGE or fgvc-aircraft-2013b/",
)
# The authors ask users to remove the strip with the photographer's name before training.
BANNER = 20  # rows


def read(folder: Path) -> Listing:
    """List variants; training is the authors' training and validation."""
    splits = ("trainval", "test")
    train, test = (torchvision_set("FGVCAircraft", folder.parent, split, loader=str) for split in splits)
    remark = f"the lowest {BANNER} rows of each image, a copyright strip, are cut off as the authors ask"
    return make_listing(train.classes, train, test, report=(remark,), crop_bottom=BANNER)


download = partial(torchvision_set, "FGVCAircraft", download=True)
register_reader(Reader(INFO, __doc__, read=read, unpacked=("fgvc-aircraft-2013b",), download=download))
