"""What commands print: results and help on standard output, the one line of an error on standard error."""

import argparse
import os
import signal
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

from polyrank.errors import ConfigError, OutputError
from polyrank.reasons import system_reason

if TYPE_CHECKING:
    from _typeshed import SupportsWrite

    from polyrank.files import Location


def say(text: str, *, end: str = "\n") -> None:
    """Print a result.

    Raises:
        OutputError: standard output is closed, full, or in an encoding that lacks a character.
        SystemExit: it is a pipe whose reader has left, as `head` does: nothing to tell, and the status that a shell
            gives a program that ends so.
    """
    if sys.stdout is None:  # what Python makes of `>&-`
        raise OutputError("cannot write to standard output: it is closed; send it to a file or a terminal")
    try:
        print(text, end=end, flush=True)
    except BrokenPipeError:
        _discard(sys.stdout)
        raise SystemExit(128 + signal.SIGPIPE) from None
    except OSError as err:
        _discard(sys.stdout)
        reason = system_reason(err)
        raise OutputError(f"cannot write to standard output: {reason}; send it to where there is room") from err
    except UnicodeEncodeError as err:
        raise OutputError(
            f"cannot write {err.object[err.start]!a} to standard output in {err.encoding}; set PYTHONUTF8=1"
        ) from err


def table(rows: Sequence[Sequence[str]]) -> str:
    """Lay rows of text out in columns, each as wide as its widest cell."""
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    return "\n".join(
        "  ".join(text.ljust(width) for text, width in zip(row, widths, strict=True)).rstrip() for row in rows
    )


def tell(text: str) -> None:
    """Print on standard error; a job is not given up because nobody reads of it."""
    try:
        print(text, end="", file=sys.stderr, flush=True)
    except OSError:
        _discard(sys.stderr)


def _discard(stream: TextIO) -> None:
    """Send what is still buffered nowhere, or the interpreter would complain of it at its end."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, stream.fileno())
    os.close(nowhere)


def place(text: str) -> str:
    """Return a path or an address; an empty one, as of a variable that is not set, would be the folder that one is in.

    Raises:
        argparse.ArgumentTypeError: it is empty.
    """
    if not text:
        raise argparse.ArgumentTypeError("must not be empty, got ''; is a variable of the shell not set?")
    return text


def rows_place(text: str) -> "Location":
    """Return where rows are: a path, or a URL of a store.

    Raises:
        argparse.ArgumentTypeError: it is empty, or no URL that fsspec knows.
        MissingExtraError: fsspec, or the package for the kind of store, is not installed.
    """
    from polyrank.files import location

    try:
        return location(place(text))
    except ConfigError as err:  # as a `ValueError` argparse would show what was typed, a password included
        raise argparse.ArgumentTypeError(str(err)) from err


def parquet_file(text: str) -> Path:
    """Return the path of a file that is written as Parquet, whatever it is called.

    Raises:
        argparse.ArgumentTypeError: its name says that it is something else.
    """
    path = Path(place(text))
    if path.suffix.lower() not in ("", ".parquet"):
        raise argparse.ArgumentTypeError(f"is written as Parquet and must end in .parquet, got {path.name}")
    return path


class Parser(argparse.ArgumentParser):
    """A parser whose help and version fail as results do; argparse alone keeps it to itself.

    An empty word is no `Path`.
    """

    def __init__(self, *args: Any, **keywords: Any) -> None:
        super().__init__(*args, **keywords)
        self.register("type", Path, lambda text: Path(place(text)))

    def _print_message(self, message: str, file: "SupportsWrite[str] | None" = None) -> None:
        if message and file is not None and file is sys.stdout:
            say(message, end="")
        else:
            super()._print_message(message, file)
