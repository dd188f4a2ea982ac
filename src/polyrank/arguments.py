"""What arguments must be: the checks that every face of the package shares, each with its one line."""

import operator
import os
import reprlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any, TypeGuard

import numpy as np

from polyrank.errors import ConfigError


class _Short(reprlib.Repr):
    def repr_int(self, x: int, level: int) -> str:
        try:
            return super().repr_int(x, level)
        except ValueError:  # more digits than Python writes
            return f"an integer of {x.bit_length():,} bits"


_short = _Short()


def shown(value: object) -> str:
    """Return a short form of any value, on one line."""
    return " ".join(_short.repr(value).splitlines())


def named(value: object) -> str:
    """Return what an argument of a wrong type is called: a plain value itself, anything else by its type."""
    return shown(value) if isinstance(value, int | float | str | bytes | None) else type(value).__name__


def integer(name: str, value: object, within: range, limits: str) -> int:
    """Return `value`, an integer of Python or numpy, as an int.

    Raises:
        ConfigError: it is no integer, or not `within` the range that `limits` writes out.
    """
    try:
        found = None if isinstance(value, bool) else operator.index(value)  # type: ignore[arg-type]
    except TypeError:
        found = None
    if found is None or found not in within:
        raise ConfigError(f"{name} must be an integer in {limits}, got {shown(value)}")
    return found


def is_number(value: object) -> TypeGuard[float]:
    """Say whether `value` is a number of Python or numpy; a truth value is none."""
    return isinstance(value, int | float | np.integer | np.floating) and not isinstance(value, bool)


def inner_share(name: str, value: object) -> None:
    """Refuse what is no number between 0 and 1, or is one of both, as a level of confidence.

    Raises:
        ConfigError: it is not.
    """
    if not is_number(value) or not 0 < value < 1:
        raise ConfigError(f"{name} must be in (0, 1), got {shown(value)}")


def text(name: str, value: object) -> str:
    """Return `value`, which must be text that has a UTF-8 form."""
    if not isinstance(value, str) or not is_utf8(value):
        raise ConfigError(f"{name} must be text, without lone surrogates, got {shown(value)}")
    return value


def path(name: str, value: object) -> Path:
    """Return `value`, a path as text or as an object, as a Path; an empty one would be the folder that one is in.

    Raises:
        ConfigError: it is none.
    """
    try:
        found = os.fspath(value)  # type: ignore[call-overload]
    except TypeError:
        found = None
    if not isinstance(found, str) or not found or "\0" in found:
        raise ConfigError(f"{name} must be a path, got {named(value)}")
    return Path(found)


def is_utf8(value: str) -> bool:
    """Say whether text has a UTF-8 form."""
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return True


def listed(name: str, values: Any, what: str) -> Sequence[Any]:
    """Return `values`, which must be a list, a tuple or a numpy array [n] of one or more of `what`."""
    is_listed = isinstance(values, list | tuple) or (isinstance(values, np.ndarray) and values.ndim == 1)
    if not is_listed or len(values) == 0:
        got = "an empty one" if is_listed else named(values)
        raise ConfigError(f"{name} must be a list of one or more {what}, got {got}")
    found: Sequence[Any] = values
    return found


def instance(name: str, value: object, kind: Any, what: str) -> None:
    """Refuse a `value` that is no `what`."""
    if not isinstance(value, kind):
        raise ConfigError(f"{name} must be {what}, got {named(value)}")
