"""What the library can be asked, each option declared once: name, type, default, help.

The command line, the grid's settings in the Snakefile and the check of notebook parameters follow from these classes.
"""

import dataclasses
import hashlib
import importlib.util
import math
import os
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fd2lib.ground import SCALES, SettingError, add_recipes, fitting_option, require, shortened
from fd2lib.ground.typed import LARGEST, LARGEST_IMAGE
from fd2lib.record import check_up_to


def option(
    default: Any = dataclasses.MISSING,
    help: str = "",
    *,
    choices: Sequence[str] = (),
    name: str = "",
    formerly: Sequence[str] = (),
    path: bool = False,
    high: float | None = None,
) -> Any:
    """Declare an option as a dataclass field, with its help for people and the words that it may be.

    Without a default it is required; empty texts and zeros take the recipe's. ``name`` is the command line's, where it
    is another than the field's, and ``formerly`` are earlier ones, which files and command lines that exist may have.
    Of a ``path`` the tilde of a home folder is understood. Numbers are at least 0, and at most ``high`` where that is
    given.
    """
    metadata: dict[str, Any] = {"help": help, "choices": tuple(choices), "name": name, "formerly": tuple(formerly)}
    metadata |= {"path": path, "high": high}
    return dataclasses.field(default=default, metadata=metadata)


@dataclass(frozen=True, kw_only=True)
class Options:
    """Options as they were declared: what a person gave is brought to their types, or refused.

    Raises:
        SettingError: a value of another type, or a word that is none of an option's choices.
    """

    def __post_init__(self) -> None:
        for field in dataclasses.fields(self):
            if field.type in (str, int, float, bool):
                object.__setattr__(self, field.name, _as_declared(field, getattr(self, field.name)))


def _as_declared(field: dataclasses.Field[Any], value: Any) -> Any:
    default = "" if field.default is dataclasses.MISSING else field.default  # required ones are texts
    given, about = fitting_option(field.name, value, default), field.metadata
    high = about["high"] or LARGEST[int]
    if isinstance(given, int | float) and not 0 <= given <= high:
        raise SettingError(f"{field.name} is {given}; expected {type(given).__name__} between 0 and {high}.")
    if about["path"]:
        return os.path.expanduser(given)
    if not about["choices"]:
        return given
    word = given.strip().lower()
    require(field.name, word, about["choices"])
    return word


@dataclass(frozen=True, kw_only=True)
class Additions(Options):
    """What is added from outside the package."""

    plugin: str = option("", "Python files or modules that register terms or readers, separated by blanks")
    recipes: str = option("", "TOML files with methods, studies, plans or values of your own, separated by blanks")

    def load(self) -> None:
        """Import the plugins and read the recipe files; a plugin that was loaded before is not loaded again.

        Raises:
            SettingError: one of them is missing or fails.
        """
        for plugin in self.plugin.split():
            load_plugin(os.path.expanduser(plugin))
        for file in self.recipes.split():
            add_recipes(os.path.expanduser(file))

    def only(self, kind: "type[Additions]") -> dict[str, Any]:
        """Return those options, by name, that requests of a kind have, such as what all of a grid's share."""
        return {field.name: getattr(self, field.name) for field in dataclasses.fields(kind)}


@dataclass(frozen=True, kw_only=True)
class Machine(Additions):
    """Where images come from, where stages run and keep what they make; a plan leaves these to its caller."""

    data_root: str = option(
        "", "folder that holds the set; of dataset folder, the one with train/ and test/", path=True
    )
    device: str = option("auto", "auto, cpu, cuda, cuda:N or mps")
    runs_dir: str = option("runs", "folder where stages keep their artefacts", path=True)
    check_up_to: int = option(0, "GiB of the largest artefact that is compared with its digest before use; 0: any size")

    def load(self) -> None:
        """Load the additions, and check only so large files from now on.

        Raises:
            SettingError: an addition is missing or fails.
        """
        super().load()
        check_up_to(self.check_up_to * 2**30 or math.inf)


@dataclass(frozen=True, kw_only=True)
class Common(Machine):
    """What every experiment is asked to be; empty texts and zeros take the recipe's."""

    scale: str = option("toy", "toy (embedded images), reduced (two CPU cores) or paper (a GPU)", choices=SCALES)
    dataset: str = option("plumage", "image set, as `fd2lib data` lists them; folder: your own images")
    image_set: str = option("", "name of your own for the images; by default the folder's", name="name")
    classes: str = option("", "subset: a pattern (Warbler), a count (10) or both (Warbler:10)")
    image_size: int = option(0, "pixels, square", high=LARGEST_IMAGE)
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
    starts: str = option("whole", "what optimisation starts from: whole, pool2, pool1, noise; recipe: the method's own")
    study: str = option("", "studies in place of methods and starts, as NAME or NAME:ARM,ARM, separated by blanks")
    ipc: str = option("1,3", "images per class")
    seeds: str = option("0,1,2", "seeds")


@dataclass(frozen=True, kw_only=True)
class MeasureRequest(Common):
    """What every measurement of teachers or distilled images is asked."""

    scale: str = option("reduced", "toy (embedded images), reduced (two CPU cores) or paper (a GPU)", choices=SCALES)
    seeds: str = option("0,1,2", "seeds")


@dataclass(frozen=True, kw_only=True)
class AttentionRequest(MeasureRequest):
    """How much of the teachers' attention lies on the parts of the bird, with and without attention head."""

    radius: float = option(0.0, "of discs around parts, share of the image's side; by default a sixteenth", high=1)
    occluded: int = option(0, "images that are occluded place by place; by default 200")


@dataclass(frozen=True, kw_only=True)
class GeometryRequest(MeasureRequest):
    """How diverse, how distinct and how new images are, in pixels and in networks that made none of them."""

    methods: str = option("random,sre2lpp,sre2lpp_fd2", "methods, as `fd2lib recipes` lists them")
    starts: str = option("whole,pool2", "what optimisation starts from, of methods that optimise")
    ipc: int = option(3, "images per class, at least 2")
    distill_ipc: int = option(0, "images per class of the run that they are the first of; by default ipc")
    judge_backbone: str = option("", "network of the judging teacher; by default the same")


def todays_names(given: Mapping[str, Any], kind: type[Common]) -> dict[str, Any]:
    """Return options of a file under the names that they have today.

    Raises:
        SettingError: an option that there never was.
    """
    fields = {field.name: field for field in dataclasses.fields(kind)}
    today = {old: name for name, field in fields.items() for old in field.metadata["formerly"]}
    for name in given:
        if name not in today:
            require("option", name, fields)
        elif today[name] in given:
            raise SettingError(f"{name} is an earlier name of {today[name]}, and both are given; give one of the two.")
    return {today.get(name, name): value for name, value in given.items()}


def load_plugin(plugin: str) -> None:
    """Import a Python file by its path, or a module by its name.

    Raises:
        SettingError: there is none, or importing it fails.
    """
    path = Path(plugin)
    try:
        if path.suffix != ".py":
            importlib.import_module(plugin)
            return
        name = f"fd2lib_plugin_{hashlib.sha256(path.read_bytes()).hexdigest()[:16]}"
        if name in sys.modules:  # the same content registers once, wherever it lies
            return
        spec = importlib.util.spec_from_file_location(name, path)
        if spec is None or spec.loader is None:
            raise ImportError("no Python file")
        module = importlib.util.module_from_spec(spec)
        sys.modules[name] = module
        try:
            spec.loader.exec_module(module)
        except BaseException:
            del sys.modules[name]
            raise
    except (Exception, SystemExit) as error:
        raise SettingError(
            f"plugin {shortened(plugin)} could not be loaded ({type(error).__name__}: {error}); "
            "expected a Python file or the name of a module that imports without errors."
        ) from error
