"""JSON and TOML out of files and answers: whatever is wrong with them is one kind of error."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import msgspec

T = TypeVar("T")

MAX_PARTS = 100
"""Parts of a dotted key of TOML; Python's reader takes time and memory in their square."""

_LONG_KEY = re.compile(rf"(?<![\w\"'-])(?:[\w\"'-]++[ \t]*+\.[ \t]*+){{{MAX_PARTS}}}")


def decode_json(content: str | bytes | bytearray, kind: type[T]) -> T:
    """Read JSON as a `kind`.

    Raises:
        msgspec.DecodeError: it is none, is nested too deep, or holds no UTF-8; `msgspec.ValidationError` where it is
            JSON, and of another kind.
    """
    return _decoded(msgspec.json.decode, content, kind)


def decode_toml(content: str | bytes, kind: type[T]) -> T:
    """Read TOML as a `kind`.

    Raises:
        msgspec.DecodeError: as `decode_json`; or a key has too many parts, or a number too many digits.
    """
    text = _text(content)
    if _LONG_KEY.search(text):
        raise msgspec.DecodeError(f"a key has more than {MAX_PARTS} parts")
    return _decoded(msgspec.toml.decode, text, kind)


def _decoded(decode: Callable[..., Any], content: str | bytes | bytearray, kind: type[T]) -> T:
    try:
        found: T = decode(content, type=kind, dec_hook=_converted)
    except msgspec.DecodeError:
        raise
    except RecursionError as err:
        raise msgspec.DecodeError("it is nested too deep") from err
    except UnicodeError as err:
        raise msgspec.DecodeError(f"not UTF-8 text: {err}") from err
    except ValueError as err:  # Python's limit of the digits of an integer
        raise msgspec.DecodeError(str(err).partition(";")[0]) from err
    return found


def _converted(kind: type, value: Any) -> Any:
    """Make a path of text; msgspec refuses what is returned of another kind than it asks for."""
    return Path(value) if kind is Path and isinstance(value, str) else value


def _text(content: str | bytes) -> str:
    try:
        return content if isinstance(content, str) else content.decode()
    except UnicodeDecodeError as err:
        raise msgspec.DecodeError(f"not UTF-8 text: {err}") from err
