"""CUB-200-2011 as its authors lay it out: text tables keyed by image number."""

from pathlib import Path

from fd2lib.data.listing import Listing, sorted_split
from fd2lib.ground import DataError

FOLDER = "CUB_200_2011"


def read_table(path: Path) -> dict[int, str]:
    """Read a table of ``number rest-of-line``, skipping lines that start with ``#``.

    Raises:
        DataError: no such file, or a line that does not start with a number.
    """
    try:
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


def list_cub(folder: Path) -> Listing:
    """List ``CUB_200_2011`` with its official split.

    Raises:
        DataError: a table is missing or damaged, or the tables do not cover the same images.
    """
    classes = read_table(folder / "classes.txt")
    files = read_table(folder / "images.txt")
    labels = read_table(folder / "image_class_labels.txt")
    training = read_table(folder / "train_test_split.txt")
    for name, table in (("image_class_labels.txt", labels), ("train_test_split.txt", training)):
        if table.keys() != files.keys():
            raise DataError(
                f"{folder}: {name} lists {len(table)} images and images.txt {len(files)}; unpack the archive again."
            )
    index = {number: position for position, number in enumerate(sorted(classes))}
    names = tuple(classes[number] for number in sorted(classes))
    items: dict[str, list[tuple[int, str, str]]] = {"0": [], "1": []}
    for number, file in files.items():
        try:
            item = (index[int(labels[number])], file.rsplit("/", 1)[-1], str(folder / "images" / file))
            items[training[number]].append(item)
        except (KeyError, ValueError) as error:
            raise DataError(
                f"{folder}: image {number} has class {labels[number]!r} and split {training[number]!r}; "
                f"expected a class of classes.txt and 0 or 1. Unpack the archive again."
            ) from error
    return Listing(names, sorted_split("train", items["1"], names), sorted_split("test", items["0"], names))
