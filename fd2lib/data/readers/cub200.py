"""Bird species {cite:p}`wah2011cub`.

**Extras.** Bounding boxes and 15 part locations per image, which this book uses to ask where attention falls.

**Known issues.** Some images are also in ImageNet, as the authors warn. A few images are grey. Label errors exist. In
a few cases a box reaches past its image. The paper distils all 200 classes; the reduced scale here uses the 25
warblers, because they are the hard case.

**Subset.** `classes="genera"` is what the warblers are compared with: 25 species of 25 genera, as many and with as many
training images. They are the first species in label order of each of the first 25 last words of a name, but warblers.
"""

from functools import partial
from pathlib import Path

from fd2lib.data.listing import Listing, make_listing
from fd2lib.data.registry import RESEARCH, DatasetInfo, Reader, fetch_archive, register_reader
from fd2lib.ground import DataError, require_file

INFO = DatasetInfo(
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
)

GENERA = """
    001.Black_footed_Albatross 004.Groove_billed_Ani 005.Crested_Auklet 009.Brewer_Blackbird 013.Bobolink
    014.Indigo_Bunting 017.Cardinal 018.Spotted_Catbird 020.Yellow_breasted_Chat 021.Eastern_Towhee
    022.Chuck_will_Widow 023.Brandt_Cormorant 026.Bronzed_Cowbird 028.Brown_Creeper 029.American_Crow
    031.Black_billed_Cuckoo 034.Gray_crowned_Rosy_Finch 036.Northern_Flicker 037.Acadian_Flycatcher 044.Frigatebird
    045.Northern_Fulmar 046.Gadwall 047.American_Goldfinch 049.Boat_tailed_Grackle 050.Eared_Grebe
"""


def read_table(path: Path) -> dict[int, str]:
    """Read a table of ``number rest-of-line``, skipping lines that start with ``#``."""
    try:
        require_file(path)
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"cannot read {path} ({error}); unpack the archive again, completely.") from error
    table = {}
    for number, line in enumerate(lines, start=1):
        if not line.strip() or line.startswith("#"):
            continue
        key, _, rest = line.strip().partition(" ")
        if not key.isdecimal() or not rest:
            raise DataError(f"{path} line {number} is {line!r}; expected a number and a value. Unpack it again.")
        table[int(key)] = rest.strip()
    return table


def read(folder: Path) -> Listing:
    """List ``CUB_200_2011`` with its official split; its tables must cover the same images."""
    tables = ("classes", "images", "image_class_labels", "train_test_split")
    classes, files, labels, training = (read_table(folder / f"{table}.txt") for table in tables)
    for name, table in (("image_class_labels", labels), ("train_test_split", training)):
        if table.keys() != files.keys():
            raise DataError(
                f"{folder}: {name}.txt lists {len(table)} images and images.txt {len(files)}; unpack the archive again."
            )
    index = {number: position for position, number in enumerate(sorted(classes))}
    pairs: dict[str, list[tuple[Path, int]]] = {"0": [], "1": []}
    for number, file in files.items():
        try:
            pairs[training[number]].append((folder / "images" / file, index[int(labels[number])]))
        except (KeyError, ValueError) as error:
            raise DataError(
                f"{folder}: image {number} has class {labels[number]!r} and split {training[number]!r}; "
                f"expected a class of classes.txt and 0 or 1. Unpack the archive again."
            ) from error
    return make_listing([classes[number] for number in sorted(classes)], pairs["1"], pairs["0"])


ADDRESS = "https://data.caltech.edu/records/65de6-vp158/files/CUB_200_2011.tgz"
download = partial(fetch_archive, ADDRESS, "97eceeb196236b17998738112f37df78")
SUBSETS = {"genera": tuple(GENERA.split())}
PACKS = {  # the copies whose shorter side has 128 pixels
    "train.tar": "5b5a36c8b28d903a88c77672ea86c04f92e0f6c7f7e5c9717994db942fcb37cd",
    "test.tar": "61315771ea4ab3bed2abba6b54fd154a13bd78d63a53d6783e4c18e363f4a0dd",
    "metadata.tar.gz": "34bde36553d4fc80449bc634c3a65c91b27d129bc65c55cbfcd4229c058ff9e0",
}
register_reader(
    Reader(INFO, __doc__, read=read, unpacked=("CUB_200_2011",), subsets=SUBSETS, download=download, packs=PACKS)
)
