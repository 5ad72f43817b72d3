"""What a setting is: a field with default, source, range or choices and unit; and what identifies settings."""

import contextlib
import dataclasses
import functools
import numbers
import os
from collections.abc import Mapping, Sequence
from dataclasses import MISSING, dataclass
from types import MappingProxyType
from typing import Any, ClassVar

from fd2lib.ground.errors import SettingError, require, shortened
from fd2lib.ground.files import file_digest
from fd2lib.ground.typed import LARGEST, MOST_THREADS

PACKAGED_INITS = ("random", "imagenet")  # initial weights that are known by name; anything else is a file
DIGEST = "sha256:"  # weights of a file are known by what is in it, not by where it lies


def setting(
    default: Any = MISSING,
    source: str = "",
    *,
    low: float | None = None,
    high: float | None = None,
    below: float | None = None,
    choices: Sequence[str | int] = (),
    unit: str = "",
    before: Any = MISSING,
    weights: bool = False,
) -> Any:
    """Declare a setting as a dataclass field: its value at the paper's scale and where that comes from.

    Without a default the caller of a recipe gives it. Numbers are finite and lie from ``low`` to ``high`` (where that
    is not given, :data:`fd2lib.ground.typed.LARGEST`), or stay ``below``; words, and numbers that have some, are among
    the ``choices``; ``unit`` is for people. ``before`` is what runs were made with before the setting existed, which
    still identifies them. ``weights`` tells that it names initial weights: ``random``, ``imagenet`` or a file.
    """
    about = {"source": source, "low": low, "high": high, "below": below, "choices": tuple(choices), "unit": unit}
    return dataclasses.field(default=default, metadata={**about, "before": before, "weights": weights})


@dataclass(frozen=True, kw_only=True)
class StageSettings:
    """What the settings of all stages have in common; checks choices and ranges when one is made."""

    stage: ClassVar[str]  # whose settings they are
    precision: str = setting("fp32", "release", choices=("fp32", "bf16", "mixed"))
    seed: int = setting(low=0)
    threads: int = setting(
        1, "ours: the same numbers on every machine", low=1, high=MOST_THREADS, unit="CPU threads", before=1
    )

    def __post_init__(self) -> None:
        for field in setting_fields(type(self)).values():
            value = getattr(self, field.name)
            check_field(field, value, self.stage)
            if field.metadata["weights"] and not _is_named(value):
                object.__setattr__(self, field.name, os.path.expanduser(value))


def check_field(field: dataclasses.Field[Any], value: Any, stage: str) -> None:
    """Check a value against what its field of a stage declares.

    Raises:
        SettingError: another word, or a number that is not finite or out of range.
    """
    about, name = field.metadata, f"{stage}.{field.name}"
    if about["choices"]:
        require(name, value, about["choices"])
    if isinstance(value, bool) or not isinstance(value, int | float):
        return
    below = about["below"]
    high = LARGEST[type(value)] if about["high"] is None else about["high"]
    low = -high if about["low"] is None else about["low"]
    if below is not None and not low <= value < below:
        raise SettingError(f"{name} is {shortened(value)}; expected at least {low:g} and less than {below:g}.")
    if not low <= value <= high:  # nor is a number that is none
        ends = " and ".join(f"{end:g}" if isinstance(end, float) else str(end) for end in (low, high))
        raise SettingError(f"{name} is {shortened(value)}; expected a number between {ends}.")


def setting_fields(kind: type[Any]) -> Mapping[str, dataclasses.Field[Any]]:
    """Return the fields of a settings class, by name; every recipe asks for those of each stage several times."""
    key: Any = kind  # type checkers do not take a class for something that has a hash
    return _fields_of(key)


@functools.cache
def _fields_of(kind: Any) -> Mapping[str, dataclasses.Field[Any]]:
    return MappingProxyType({field.name: field for field in dataclasses.fields(kind)})


def fitting(name: str, field: dataclasses.Field[Any], value: Any) -> Any:
    """Return a value as a field's declared type: that, or NumPy's like it, or a whole number where any is expected.

    Raises:
        SettingError: another type.
    """
    kind = field.type
    wider = {int: numbers.Integral, float: numbers.Real}.get(kind) if isinstance(kind, type) else None
    if wider and isinstance(value, wider) and not isinstance(value, bool):
        with contextlib.suppress(OverflowError):
            return kind(value)  # type: ignore[operator]
    if type(value) is not kind:
        wanted = kind.__name__ if isinstance(kind, type) else kind
        raise SettingError(f"{name} is {shortened(value)}; expected {wanted}, got {type(value).__name__}.")
    return value


def setting_values(settings: StageSettings) -> dict[str, Any]:
    """Return every value of a stage's settings; weights of a file as the digest of what is in it.

    Raises:
        SettingError: the file of weights is not there.
    """
    return {
        field.name: _weights(field.name, value) if field.metadata.get("weights") else value
        for field in dataclasses.fields(settings)
        for value in [getattr(settings, field.name)]
    }


def _is_named(weights: str) -> bool:
    return weights in PACKAGED_INITS or weights.startswith(DIGEST)


def _weights(name: str, value: str) -> str:
    if _is_named(value):
        return value
    try:
        return DIGEST + file_digest(value)
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        raise SettingError(
            f"{name} is {shortened(value)}; expected {', '.join(PACKAGED_INITS)} or a file of weights ({reason})."
        ) from error


def identity(settings: StageSettings) -> dict[str, Any]:
    """Return what identifies settings: every value, but a setting added later only where it was changed.

    So a run made before a setting existed is found again, and a new value of it makes another run.
    """
    return identifying(setting_fields(type(settings)), setting_values(settings))


def identifying(fields: Mapping[str, dataclasses.Field[Any]], values: Mapping[str, Any]) -> dict[str, Any]:
    """Return the values that identify settings, of a dictionary such as a result row holds; unknown ones all do."""
    return {
        name: value
        for name, value in values.items()
        if name not in fields or value != fields[name].metadata.get("before", MISSING)
    }
