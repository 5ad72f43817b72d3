"""What the library can be asked, each option declared once: name, type, default, help.

The command line, the grid's settings in the Snakefile and the check of notebook parameters follow from these classes.
"""

import contextlib
import dataclasses
import math
import numbers
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from fd2lib.ground import SCALES, SettingError, parse_numbers, unknown


def option(
    default: Any = dataclasses.MISSING,
    help: str = "",
    *,
    choices: Sequence[str] = (),
    name: str = "",
    formerly: Sequence[str] = (),
) -> Any:
    """Declare an option as a dataclass field.

    Args:
        default: its value where it is not given; empty texts and zeros take the recipe's. Without one it is required.
        help: what it is, for people.
        choices: the words that it may be.
        name: on the command line, where it is another than the field's.
        formerly: earlier names, which files and command lines that exist may have.
    """
    metadata = {"help": help, "choices": tuple(choices), "name": name, "formerly": tuple(formerly)}
    return dataclasses.field(default=default, metadata=metadata)


@dataclass(frozen=True, kw_only=True)
class Additions:
    """What is added from outside the package."""

    plugin: str = option("", "Python files or modules that register terms or readers, separated by blanks")
    recipes: str = option("", "TOML files with methods, studies, plans or values of your own, separated by blanks")


@dataclass(frozen=True, kw_only=True)
class Machine(Additions):
    """Where images come from, where stages run and keep what they make: nothing that changes a number."""

    data_root: str = option("", "folder that holds the set; of dataset folder, the one with train/ and test/")
    device: str = option("auto", "auto, cpu, cuda or cuda:N")
    runs_dir: str = option("runs", "folder where stages keep their artefacts")


@dataclass(frozen=True, kw_only=True)
class Common(Machine):
    """What every experiment is asked to be; empty texts and zeros take the recipe's."""

    scale: str = option("toy", "toy (embedded images), reduced (two CPU cores) or paper (a GPU)", choices=SCALES)
    dataset: str = option("plumage", "image set, as `fd2lib data` lists them; folder: your own images")
    image_set: str = option("", "name of your own for the images; by default the folder's", name="name")
    classes: str = option("", "subset: a pattern (Warbler), a count (10) or both (Warbler:10)")
    image_size: int = option(0, "pixels, square")
    backbone: str = option("", "network of teacher and student, a timm name")
    bundle: str = option("", "paper or release: all their readings at once")
    teacher_kind: str = option(
        "", "kind of teacher that makes the images: plain, probed, crops, cal", formerly=["teacher"]
    )
    label_teacher_kind: str = option(
        "", "kind of teacher that makes the labels; by default the images'", formerly=["label_teacher"]
    )
    teacher_backbones: str = option("", "the teachers' networks, separated by blanks", formerly=["teachers"])
    student: str = option("", "the student's network; by default the backbone")
    overrides: str = option(
        "", "settings laid over the recipe, as 'distill.iterations=100 pretrain.epochs=5'", formerly=["set", "settings"]
    )

    def __post_init__(self) -> None:
        for field in dataclasses.fields(self):
            object.__setattr__(self, field.name, fitting_option(field.name, getattr(self, field.name), field.default))


@dataclass(frozen=True, kw_only=True)
class Request(Common):
    """What one experiment is asked to be."""

    method: str = option("sre2lpp_fd2", "method, as `fd2lib recipes` lists them")
    ipc: int = option(1, "images per class")
    distill_ipc: int = option(0, "images per class to distill, of which the first ipc are used; by default ipc")
    seed: int = option(0, "seed of every stage")
    progress: bool = option(True, "show progress bars")


@dataclass(frozen=True, kw_only=True)
class GridRequest(Common):
    """What a grid of experiments is asked to be: methods × starts × IPC × seeds, or the arms of studies."""

    scale: str = option("reduced", "toy (embedded images), reduced (two CPU cores) or paper (a GPU)", choices=SCALES)
    methods: str = option("random,random_cal,sre2lpp,sre2lpp_fd2", "methods, as `fd2lib recipes` lists them")
    starts: str = option("whole", "what optimisation starts from: whole, pool2, pool1, noise")
    study: str = option("", "studies in place of methods and starts, as NAME or NAME:ARM,ARM, separated by blanks")
    ipc: str = option("1,3", "images per class")
    seeds: str = option("0,1,2", "seeds")

    @property
    def ipcs(self) -> list[int]:
        """Images per class."""
        return parse_numbers("ipc", self.ipc)

    @property
    def seed_list(self) -> list[int]:
        """Seeds."""
        return parse_numbers("seeds", self.seeds)

    def common(self) -> dict[str, Any]:
        """Return the fields that the requests of all its experiments share."""
        return {field.name: getattr(self, field.name) for field in dataclasses.fields(Common)}


def fitting_option(name: str, value: Any, default: Any) -> Any:
    """Return a value as the type of an option's default; neighbouring types are taken, as 2 for ``"2"``.

    Raises:
        SettingError: another type.
    """
    kind = type(default)
    if kind is str and isinstance(value, os.PathLike | numbers.Integral) and not isinstance(value, bool):
        return str(value)
    if kind in (int, float) and isinstance(value, numbers.Real | str) and not isinstance(value, bool):
        with contextlib.suppress(ValueError):
            if kind(value) == float(value) and math.isfinite(float(value)):
                return kind(value)
    if type(value) is not kind or (kind is float and not math.isfinite(value)):
        raise SettingError(f"{name} is {value!r}; expected {kind.__name__}, such as its default {default!r}.")
    return value


def split_names(text: str) -> list[str]:
    """Return names from a text that separates them by commas."""
    return [item.strip() for item in text.split(",") if item.strip()]


def todays_names(given: Mapping[str, Any], kind: type[Common]) -> dict[str, Any]:
    """Return options of a file under the names that they have today.

    Raises:
        SettingError: an option that there never was.
    """
    fields = {field.name: field for field in dataclasses.fields(kind)}
    today = {old: name for name, field in fields.items() for old in field.metadata["formerly"]}
    for name in given:
        if name not in fields and name not in today:
            raise SettingError(unknown("option", name, fields))
    return {today.get(name, name): value for name, value in given.items()}
