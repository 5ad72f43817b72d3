"""From words to a command: tyro reads them as its options say, and what is wrong is one sentence."""

import contextlib
import dataclasses
import functools
import inspect
import io
import operator
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar

import tyro
from tyro.conf import FlagCreatePairsOff, OmitSubcommandPrefixes, arg, subcommand

from fd2lib.drive.request import Options
from fd2lib.ground import SettingError, require, unknown

Group = Sequence[Any]  # classes of commands under one name: one, or what the name does alone and others


@dataclass(frozen=True, kw_only=True)
class Command(Options):
    """One command: a dataclass of its options that can be run."""

    shared: ClassVar[bool] = False  # whether several processes can run it together

    def run(self) -> None:
        """Do it."""
        raise NotImplementedError


def parse_command(words: Sequence[str], groups: Mapping[str, Group]) -> Command:
    """Return the command that the words of a command line say; where they ask for help, print it and leave.

    Raises:
        SettingError: there is no such command or option, or a value that it does not take.
        SystemExit: help was asked for.
    """
    if not words:
        raise SettingError(f"no command was given; expected one of: {', '.join(groups)}. See `fd2lib --help`.")
    first = words[0]
    if not first.startswith("-"):
        require("command", first, groups)
    told = io.StringIO()
    try:
        with contextlib.redirect_stderr(told):
            read = _read(words, groups)
    except SystemExit as ended:
        if not ended.code:
            raise
        raise SettingError(_in_one_line(told.getvalue(), first, groups)) from ended
    command: Command = read.command(**vars(read))
    return command


def _read(words: Sequence[str], groups: Mapping[str, Group]) -> Any:
    """What tyro makes of words; it reads the options of one command faster than those of all."""
    config = (OmitSubcommandPrefixes, FlagCreatePairsOff)
    if words[0] not in groups:
        kinds = functools.reduce(operator.or_, (_group(name, group) for name, group in groups.items()))
        about = "Fine-grained dataset distillation with FD²."
        return tyro.cli(kinds, args=list(words), prog="fd2lib", description=about, config=config)
    group, rest = groups[words[0]], list(words[1:])
    if len(group) > 1 and rest and rest[0].startswith("-") and rest[0] not in ("-h", "--help"):
        rest = [_name(group[0]), *rest]  # options of what the name does alone
    alone: dict[str, Any] = {"default": _options(group[0])()} if len(group) > 1 else {}
    prog, about = f"fd2lib {words[0]}", inspect.getdoc(group[0]) or ""
    return tyro.cli(_kinds(group), args=rest, prog=prog, description=about, config=config, **alone)


def _in_one_line(told: str, first: str, groups: Mapping[str, Group]) -> str:
    """What tyro tells in a box over several lines, or for a word that there is not the nearest that there is."""
    lines = [line.strip("│ ") for line in told.splitlines() if line.startswith("│")]
    end = next((place for place, line in enumerate(lines) if line.startswith("──")), len(lines))
    text = " ".join(line for line in lines[:end] if line)
    help_ = f"See `fd2lib {first} --help`." if first in groups else "See `fd2lib --help`."
    if not (found := re.match(r"Unrecognized options: ([^,]*)", text)):
        return f"{text.rstrip('.')}. {help_}"
    word, kinds = found[1].split("=")[0], groups.get(first, ())
    if word.startswith("-"):
        options = [f"--{name}" for kind in kinds for name in _written(kind)]
        return f"{unknown('option', word, options or ['--help', '--version'])} {help_}"
    if len(kinds) > 1:
        return unknown(f"command of {first}", word, [_name(kind) for kind in kinds])
    return f"{word!r} is one word too many; options have a name, as --seeds 0,1. {help_}"


def _written(kind: Any) -> list[str]:
    """The names of a command's options, as they are typed."""
    names = {(field.metadata["name"] or field.name).replace("_", "-"): field for field in dataclasses.fields(kind)}
    return [f"no-{name}" if field.default is True else name for name, field in names.items()]


def _group(name: str, group: Group) -> Any:
    """What tyro reads for a name: one command, or several that stand as words behind it."""
    if len(group) == 1:
        return _named(group[0])
    alone = group[0]
    told = inspect.getdoc(alone)
    return Annotated[_kinds(group), subcommand(name=name, description=told, default=_options(alone)())]


def _kinds(group: Group) -> Any:
    """The one kind of a group, or any of several that stand as words."""
    if len(group) == 1:
        return _options(group[0])
    return functools.reduce(operator.or_, (_named(kind) for kind in group))


def _name(kind: Any) -> str:
    return str(kind.__name__.lower())


def _named(kind: Any) -> Any:
    return Annotated[_options(kind), subcommand(name=_name(kind), description=inspect.getdoc(kind))]


@functools.cache
def _options(kind: Any) -> Any:
    """The options of a command for tyro, which reads texts: the command brings them to its types."""
    fields = []
    for field in dataclasses.fields(kind):
        about, default = field.metadata, field.default
        old = [f"--{name.replace('_', '-')}" for name in about["formerly"]]
        old += [f"-{about['name']}"] * (len(about["name"]) == 1)
        place = (about["name"] or field.name).upper() if default is dataclasses.MISSING else None
        type_: Any = field.type
        if type_ in (int, float):
            place, type_, default = type_.__name__.upper(), str, str(default)
        elif about["choices"]:
            place = f"{{{','.join(about['choices'])}}}"
        shown = arg(name=about["name"] or None, aliases=old or None, help=about["help"], metavar=place)
        copy = dataclasses.field(default=default)
        fields.append((field.name, Annotated[type_, shown], copy))
    texts = dataclasses.make_dataclass(kind.__name__, fields, frozen=True, kw_only=True)
    texts.command = kind  # type: ignore[attr-defined]
    return texts
