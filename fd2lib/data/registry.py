"""The registry: every data set the library knows, with its size, split, terms and source."""

from fd2lib.data.types import DatasetInfo
from fd2lib.ground import SettingError, unknown

RESEARCH = "non-commercial research and education"
IMAGENET = f"{RESEARCH} (ImageNet's terms; the lists are Apache-2.0)"

_INFOS = (
    DatasetInfo(
        name="plumage",
        title="Plumage",
        num_classes=8,
        train_images=480,
        test_images=200,
        native_size="any",
        split="drawn for the library; up to 64 classes and any number of images on request",
        licence="MIT, as fd2lib",
        source="drawn by fd2lib.data.plumage",
        citation="fd2lib",
        layout="no files",
        embedded=True,
    ),
    DatasetInfo(
        name="folder",
        title="Your own images",
        num_classes=0,
        train_images=0,
        test_images=0,
        native_size="any",
        split="yours: train/ and test/",
        licence="yours",
        source="yours",
        citation="",
        layout="train/CLASS/IMAGE, test/CLASS/IMAGE",
    ),
    DatasetInfo(
        name="cub200",
        title="CUB-200-2011",
        num_classes=200,
        train_images=5994,
        test_images=5794,
        native_size="about 500 on the longer side",
        split="official",
        licence=f"{RESEARCH}; the photographers keep their rights",
        source="https://www.vision.caltech.edu/datasets/cub_200_2011/",
        citation="Wah, Branson, Welinder, Perona and Belongie 2011, Caltech CNS-TR-2011-001",
        layout="cub200/{train,test}/CLASS/IMAGE or CUB_200_2011/",
        downloadable=True,
    ),
    DatasetInfo(
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
        downloadable=True,
    ),
    DatasetInfo(
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
    ),
    DatasetInfo(
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
        downloadable=True,
    ),
    DatasetInfo(
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
        downloadable=True,
    ),
    DatasetInfo(
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
        downloadable=True,
    ),
    DatasetInfo(
        name="imagenette",
        title="ImageNette",
        num_classes=10,
        train_images=9469,
        test_images=3925,
        native_size="full, or 320 or 160 on the shorter side",
        split="official; test is validation",
        licence=IMAGENET,
        source="https://github.com/fastai/imagenette",
        citation="Howard 2019, imagenette; Russakovsky et al. 2015, arXiv 1409.0575",
        layout="imagenette/{train,test}/WNID/IMAGE or imagenette2[-320|-160]/{train,val}/",
        downloadable=True,
    ),
    DatasetInfo(
        name="imagewoof",
        title="ImageWoof",
        num_classes=10,
        train_images=9025,
        test_images=3929,
        native_size="full, or 320 or 160 on the shorter side",
        split="official; test is validation",
        licence=IMAGENET,
        source="https://github.com/fastai/imagenette",
        citation="Howard 2019, imagenette; Russakovsky et al. 2015, arXiv 1409.0575",
        layout="imagewoof/{train,test}/WNID/IMAGE or imagewoof2[-320|-160]/{train,val}/",
        downloadable=True,
    ),
)


def list_datasets() -> dict[str, DatasetInfo]:
    """Return the facts of every registered set, by name, the embedded set first."""
    return {info.name: info for info in _INFOS}


def dataset_info(name: str) -> DatasetInfo:
    """Return the facts of one set.

    Raises:
        SettingError: no set of that name.
    """
    infos = list_datasets()
    if name not in infos:
        raise SettingError(unknown("data set", name, infos))
    return infos[name]


def format_listing() -> str:
    """Return every set as text for a terminal: a table of numbers, then split, terms, source and layout of each."""
    header = ("name", "title", "classes", "train", "test", "pixels")
    rows = [header]
    for info in _INFOS:
        numbers = [f"{n:,}" if n else "yours" for n in (info.num_classes, info.train_images, info.test_images)]
        rows.append((info.name, info.title, *numbers, info.native_size))
    widths = [max(len(row[column]) for row in rows) for column in range(len(header))]
    lines = ["  ".join(_cell(row, i, widths[i]) for i in range(len(header))).rstrip() for row in rows]
    lines.insert(1, "  ".join("-" * width for width in widths))
    for info in _INFOS:
        how = "embedded" if info.embedded else "download=True" if info.downloadable else "bring the files"
        lines += ["", f"{info.name} ({how})", f"  split    {info.split}", f"  licence  {info.licence}"]
        lines += [f"  source   {info.source}", f"  cite     {info.citation or '-'}", f"  layout   {info.layout}"]
    return "\n".join(lines)


def _cell(row: tuple[str, ...], column: int, width: int) -> str:
    return row[column].rjust(width) if column in (2, 3, 4) else row[column].ljust(width)
