"""Commands that tell what there is: image sets, recipes, plans."""

from dataclasses import dataclass

from tyro.conf import Positional

from fd2lib.drive.parsing import Command
from fd2lib.drive.recipe_text import NAME, format_all, format_diff, format_recipe, parse_recipe
from fd2lib.drive.request import Additions, option
from fd2lib.ground import DataError


@dataclass(frozen=True, kw_only=True)
class List(Additions, Command):
    """List image sets, with licences and sources."""

    def run(self) -> None:
        """Print them."""
        from fd2lib.data import format_listing

        print(format_listing())


@dataclass(frozen=True, kw_only=True)
class Check(Command):
    """Say what a folder with train/ and test/ holds, and everything that is wrong with it; each image is decoded."""

    path: Positional[str] = option(help="folder that holds train/ and test/ with one folder per class", path=True)

    def run(self) -> None:
        """Print it; problems end with an error."""
        from fd2lib.data import PROBLEM, check_folder

        lines = check_folder(self.path)
        print("\n".join(lines))
        if problems := sum(line.startswith(PROBLEM) for line in lines):
            raise DataError(f"{self.path} has {problems} problems, listed above; mend them and check again.")


@dataclass(frozen=True, kw_only=True)
class Prepare(Command):
    """Unpack the tars of a set below a data root."""

    name: Positional[str] = option(help="cub200, flowers102 or imagewoof")
    source: str = option(help="folder that holds NAME-train.tar and NAME-test.tar", name="from", path=True)
    root: str = option(help="data root; NAME/ is made below it", path=True)
    limit_mib: int = option(0, "MiB that each tar may unpack to; by default 20 times its size and 64 MiB")

    def run(self) -> None:
        """Unpack them."""
        from fd2lib.data import prepare

        print(prepare(self.name, self.source, self.root, limit_mib=self.limit_mib))


@dataclass(frozen=True, kw_only=True)
class All(Additions, Command):
    """Every setting's value and source, of every recipe; or those of one (show), or what differs (diff)."""

    def run(self) -> None:
        """Print all."""
        print(format_all())


@dataclass(frozen=True, kw_only=True)
class Show(Additions, Command):
    """One recipe in full."""

    name: Positional[str] = option(help=f"{NAME}, as in paper/fadrm_fd2/cub200/resnet50@release")

    def run(self) -> None:
        """Print it."""
        print(format_recipe(parse_recipe(self.name)))


@dataclass(frozen=True, kw_only=True)
class Diff(Additions, Command):
    """What differs between two recipes, as in: diff paper release."""

    first: Positional[str] = option(help=NAME)
    second: Positional[str] = option(help=NAME)

    def run(self) -> None:
        """Print it."""
        print(format_diff(self.first, self.second))


@dataclass(frozen=True, kw_only=True)
class Plans(Additions, Command):
    """Plans, each of which makes exactly the rows of a committed file of results: run --plan NAME."""

    def run(self) -> None:
        """Print them."""
        from fd2lib.drive.plans import list_plans, load_plan

        for name, title in list_plans().items():
            print(f"{name:12} {load_plan(name).file:24} {title}")
