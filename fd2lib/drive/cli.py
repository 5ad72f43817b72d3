"""The command line, ``fd2lib`` or ``python -m fd2lib``: made from the requests that commands take."""

import logging
import os
import signal
import sys
from collections.abc import Sequence

from fd2lib import __version__
from fd2lib.drive.commands import Export, Jobs, Notebook, Rerun, Run, Verify
from fd2lib.drive.listings import All, Check, Diff, List, Plans, Prepare, Show
from fd2lib.drive.measure_commands import Attention, Bench, Geometry
from fd2lib.drive.parsing import Command, Group, parse_command
from fd2lib.drive.request import Additions
from fd2lib.drive.signals import stopped_by_signals
from fd2lib.ground import Fd2Error, SettingError, together, world

COMMANDS: dict[str, Group] = {
    "data": (List, Check, Prepare),
    "recipes": (All, Show, Diff),
    "run": (Run,),
    "rerun": (Rerun,),
    "plans": (Plans,),
    "jobs": (Jobs,),
    "notebook": (Notebook,),
    "verify": (Verify,),
    "export": (Export,),
    "attention": (Attention,),
    "geometry": (Geometry,),
    "bench": (Bench,),
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; returns the exit status: 2 where what was given is wrong, 1 where the work failed.

    Expected errors are one line on standard error.
    """
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):  # a locale that lacks a letter, such as that of C, shows its number
            stream.reconfigure(errors="backslashreplace")
    logging.basicConfig(level=logging.INFO, format="%(message)s", stream=sys.stderr)
    given = list(sys.argv[1:] if arguments is None else arguments)
    if given == ["--version"]:
        print(f"fd2lib {__version__}")
        return 0
    try:
        command = parse_command(given, COMMANDS)
        with stopped_by_signals(), together():
            _require_shared(command)
            if isinstance(command, Additions):
                command.load()
            command.run()
        sys.stdout.flush()
    except Fd2Error as error:
        return _failed(type(error).__name__, str(error), error.exit_status)
    except KeyboardInterrupt as error:
        said = f"stopped ({error})" if str(error) else "stopped"
        print(f"fd2lib: {said}. Run the same command again to continue where it was.", file=sys.stderr)
        return 128 + getattr(error, "number", signal.SIGINT)
    except BrokenPipeError:  # what reads the output has seen enough, as in `fd2lib recipes | head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # or Python says so again on leaving
        return 141
    except (OSError, MemoryError) as error:  # of a file or a machine that no one has thought of
        place = getattr(error, "filename", None)
        reason = getattr(error, "strerror", None) or str(error) or "no more memory"
        remedy = "What is finished is kept; mend that and run the same command again."
        return _failed(type(error).__name__, f"{f'{place}: ' if place else ''}{reason}. {remedy}", 1)
    return 0


def _failed(kind: str, message: str, status: int) -> int:
    print(f"fd2lib: {kind}: {' '.join(message.split())}", file=sys.stderr)
    return status


def _require_shared(command: Command) -> None:
    if world() > 1 and not command.shared:
        name = type(command).__name__.lower()
        raise SettingError(f"{name} is not work that {world()} processes can share; call it without torchrun.")
