"""Refusals of files that cannot be read, with the file's name and the reason."""

import contextlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TypeVar

from polyrank.arguments import is_utf8
from polyrank.errors import DataError
from polyrank.reasons import first_line
from polyrank.spelling import suggestion

from .csv import csv_reason
from .forms import format_of
from .remote import Location

MAX_LISTED = 10
_EMPTY = {"Empty CSV file": "holds no row: it is empty"}

T = TypeVar("T")


def check_name(file: Location) -> None:
    """Raise `DataError` where the name of a file is bytes that are no text, which Arrow does not open."""
    if not is_utf8(str(file)):
        raise DataError(f"the name of {str(file)!a} is not UTF-8 text; rename it")


@contextlib.contextmanager
def readable(file: Location, text: Location | None = None) -> Iterator[None]:
    """Turn what Arrow says of a file that it cannot read into a `DataError`; `text` is its copy here, in UTF-8."""
    import pyarrow as pa

    try:
        yield
    except pa.ArrowCancelled:
        raise
    except (pa.ArrowException, OSError, UnicodeDecodeError) as err:
        name = format_of(file).name
        local = text or file
        reason = csv_reason(local, file, err) if name == "CSV" and isinstance(local, Path) else first_line(err)
        raise DataError(f"{file} {_EMPTY.get(reason) or f'cannot be read as {name}: {reason}'}") from err


def guarded(file: Location, text: Location, pieces: Iterator[T]) -> Iterator[T]:
    """Yield pieces of a file, and turn what Arrow says meanwhile into a `DataError`; see `readable`."""
    while True:
        with readable(file, text):
            piece = next(pieces, None)
        if piece is None:
            return
        yield piece


def check_columns(file: Location, present: Sequence[str], names: Sequence[str]) -> None:
    """Raise `DataError` where a file lacks one of `names`, or has it twice."""
    for name in names:
        if name not in present:
            raise DataError(
                f"{file}: column {name!r} is missing{suggestion(name, present)} (the file has: {_listed(present)})"
            )
        if present.count(name) > 1:
            raise DataError(f"{file}: column {name!r} is there more than once; columns must be unique")


def _listed(names: Sequence[str]) -> str:
    shown = [name if name.isprintable() else repr(name)[1:-1] for name in names[:MAX_LISTED]]
    rest = len(names) - len(shown)
    return ", ".join(shown) + (f" and {rest:,} more" if rest else "")
