"""A file's bytes, out of their compression, and what its first bytes say that its name does not."""

import codecs
from pathlib import Path
from typing import Any

from polyrank.errors import DataError

from .remote import Location

PIECE_BYTES = 2 * 2**20
_GZIP = b"\x1f\x8b"
_KINDS = {
    b"PAR1": ("Parquet", "let its name end in .parquet"),
    b"ARROW1": ("Arrow", "let its name end in .arrow"),
    _GZIP: ("compressed with gzip", "let its name end in .gz, too"),
}
_UTF16 = (b"\xff\xfe", b"\xfe\xff")
_HEADER_BYTES = 2**16


def is_compressed(file: Path) -> bool:
    """Say whether a name is that of a file in gzip."""
    return file.name.lower().endswith(".gz")


def open_bytes(file: Path) -> Any:
    """Open a file as an Arrow stream of what it holds."""
    import pyarrow as pa

    return pa.input_stream(file, compression="gzip" if is_compressed(file) else None)


def open_csv_bytes(file: Path) -> Any:
    """Open a CSV file; a header alone, to which Arrow takes a line break for granted, gets one."""
    import pyarrow as pa

    with open_bytes(file) as stream:
        start = stream.read(_HEADER_BYTES)
    if 0 < len(start) < _HEADER_BYTES and not set(b"\r\n") & set(start):
        return pa.BufferReader(start + b"\n")
    return open_bytes(file)


def check_text(file: Path, encoding: str, name: Location) -> None:
    """Refuse a file, named as one of text, whose first bytes are those of another kind, or not of `encoding`.

    Messages call it `name`.

    Raises:
        DataError: it is Parquet, Arrow, or compressed where its name does not say so or not where it does; or UTF-16
            that is not declared.
        OSError: it cannot be read.
    """
    with file.open("rb") as raw:
        start = raw.read(6)
    for magic, (kind, remedy) in _KINDS.items():
        if start.startswith(magic) and not is_compressed(file):
            raise DataError(f"{name} is {kind}, by its first bytes; {remedy}")
    if is_compressed(file) and start and not start.startswith(_GZIP):
        raise DataError(f"{name} is not compressed with gzip, by its first bytes; take .gz off its name")
    if codecs.lookup(encoding).name == "utf-8" and start.startswith(_UTF16):
        raise DataError(f"{name} is UTF-16 text; declare it, as in --encoding utf-16, or convert it")
