"""Flowers {cite:p}`nilsback2008flowers`.

**Known issues.** Twenty training images per class are already few: at IPC 5 a quarter is kept. The test set is larger
than the training set and uneven over classes, so accuracy over images is not the mean over classes.
"""

import re
from functools import partial
from itertools import chain
from pathlib import Path

from fd2lib.data.listing import Listing, make_listing
from fd2lib.data.registry import RESEARCH, DatasetInfo, Reader, register_reader, torchvision_set

INFO = DatasetInfo(
    name="flowers102",
    title="Oxford Flowers-102",
    num_classes=102,
    train_images=2040,
    test_images=6149,
    native_size="500 on the shorter side",
    split="official; train is training and validation",
    licence=f"none stated by the authors; use for {RESEARCH}",
    source="https://www.robots.ox.ac.uk/~vgg/data/flowers/102/",
    citation="Nilsback and Zisserman 2008, ICVGIP",
    layout="flowers102/{train,test}/CLASS/IMAGE or flowers-102/{jpg,imagelabels.mat,setid.mat}",
)


def read(folder: Path) -> Listing:
    """List the official split; training is the authors' training and validation."""
    splits = ("train", "val", "test")
    train, extra, test = (torchvision_set("Flowers102", folder.parent, split, loader=str) for split in splits)
    # Numbered, so that classes sort in label order, as in class folders.
    classes = [f"{i:03d}.{re.sub(r'[^A-Za-z0-9]+', '_', name).strip('_')}" for i, name in enumerate(train.classes, 1)]
    return make_listing(classes, chain(train, extra), test)


download = partial(torchvision_set, "Flowers102", download=True)
PACKS = {  # the copies whose shorter side has 128 pixels
    "train.tar": "31e44facaa3f032e21a94929a87c34fdf2f5d335273f3efbaf436a52da50c40f",
    "test.tar": "164345ba3b63b39be2ac5f6d42c540f60e4cca17aa39e58df5db9ddeab20392f",
    "metadata.tar.gz": "820e71ecb5de4b5c2c30687afa4577aed2509337919f7b55de2bcfed2bdc9c58",
}
register_reader(Reader(INFO, __doc__, read=read, unpacked=("flowers-102",), download=download, packs=PACKS))
