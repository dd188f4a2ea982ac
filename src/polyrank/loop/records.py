"""Records: what a step did, in a file that is whole or not there. A step is done iff its record is there."""

import contextlib
import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import ClassVar

import msgspec

from polyrank.errors import DataError
from polyrank.reasons import system_reason
from polyrank.result_files import ResultFile

from .findings import AnyFound

FORMAT = 1


class Input(msgspec.Struct, frozen=True, kw_only=True):
    """What a step read.

    Attributes:
        path: as loop.toml has it, or relative to that file.
        files: how many.
        size_bytes: of all.
        sha256: of their names, sizes and contents.
    """

    path: str
    files: int
    size_bytes: int
    sha256: str


class Record(ResultFile, msgspec.Struct, frozen=True, kw_only=True):
    """What a step of a cycle did.

    Attributes:
        cycle: number of the cycle.
        found: what the step found; names the step.
        began: when, ISO 8601 in UTC.
        seconds: that it took.
        inputs: what it read.
        wrote: paths relative to loop.toml.
        format: of this file.
    """

    noun: ClassVar[str] = "record of a step"
    verb: ClassVar[str] = "loop"
    remedy: ClassVar[str] = "put it back from a copy, or remove its folder, and the cycle begins anew"
    newest: ClassVar[int] = FORMAT

    cycle: int
    found: AnyFound
    began: str
    seconds: float
    inputs: tuple[Input, ...] = ()
    wrote: tuple[str, ...] = ()
    format: int = FORMAT

    @property
    def step(self) -> str:
        """Name of the step."""
        return str(self.found.__struct_config__.tag)


class Trouble(ResultFile, msgspec.Struct, frozen=True, kw_only=True):
    """Attempts of a step that failed.

    Attributes:
        attempts: how many.
        reason: of the last one.
        first: when the first ended, ISO 8601 in UTC.
        last: when the last did.
        format: of this file.
    """

    noun: ClassVar[str] = "record of failures"
    verb: ClassVar[str] = "loop"
    newest: ClassVar[int] = FORMAT

    attempts: int
    reason: str
    first: str
    last: str
    format: int = FORMAT


class Wait(ResultFile, msgspec.Struct, frozen=True, kw_only=True):
    """What a step waits for.

    Attributes:
        reason: in one line.
        looked: when the loop looked last, ISO 8601 in UTC.
        format: of this file.
    """

    noun: ClassVar[str] = "record of waiting"
    verb: ClassVar[str] = "loop"
    newest: ClassVar[int] = FORMAT

    reason: str
    looked: str
    format: int = FORMAT


def fingerprint_of(shown: str, files: list[Path]) -> Input:
    """Describe the files that a path stands for.

    Args:
        shown: the path, as the record has it.
        files: in any order.

    Raises:
        DataError: one cannot be read.
    """
    digest, size = hashlib.sha256(), 0
    for file in sorted(files):
        with _readable(file), file.open("rb") as content:
            own = hashlib.file_digest(content, "sha256").hexdigest()
            length = content.tell()
        digest.update(f"{file.name} {length} {own}\n".encode())
        size += length
    return Input(path=shown, files=len(files), size_bytes=size, sha256=digest.hexdigest())


@contextlib.contextmanager
def _readable(file: Path) -> Iterator[None]:
    try:
        yield
    except OSError as err:
        raise DataError(f"{file} cannot be read: {system_reason(err)}") from err
