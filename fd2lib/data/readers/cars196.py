"""Models by make and year {cite:p}`krause2013cars`.

**Known issues.** Copies in circulation differ in file names and label files; the reader wants the original
development kit with test labels.
"""

from pathlib import Path

from fd2lib.data.listing import Listing, make_listing
from fd2lib.data.registry import RESEARCH, DatasetInfo, Reader, register_reader, torchvision_set

INFO = DatasetInfo(
    name="cars196",
    title="Stanford Cars",
    num_classes=196,
    train_images=8144,
    test_images=8041,
    native_size="varied",
    split="official",
    licence=RESEARCH,
    source="https://ai.stanford.edu/~jkrause/cars/car_dataset.html (no longer served)",
    citation="Krause, Stark, Deng and Fei-Fei 2013, 3dRR workshop at ICCV",
    layout="cars196/{train,test}/CLASS/IMAGE or stanford_cars/{devkit,cars_train,cars_test,*_withlabels.mat}",
)


def read(folder: Path) -> Listing:
    """List the development kit's training and test images."""
    train, test = (torchvision_set("StanfordCars", folder.parent, split, loader=str) for split in ("train", "test"))
    return make_listing(train.classes, train, test)


register_reader(Reader(INFO, __doc__, read=read, unpacked=("stanford_cars",)))
