"""Rows from files to train on."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from polyrank.files import UTF8, Location, Wanted, location, read_table

if TYPE_CHECKING:
    import pyarrow as pa


def read_rows(
    path: str | Location,
    *,
    columns: Sequence[str] | None = None,
    text: Sequence[str] = (),
    integers: Sequence[str] = (),
    encoding: str = UTF8,
) -> "pa.Table":
    """Read a file, the files of a directory, or those of a pattern, in the order of their names, as one table.

    Args:
        path: file, directory, URL or pattern such as `logs/2026-*/part-*.parquet`; docs/data.md lists the formats.
        columns: what to read; None reads all.
        text: columns that CSV files, and folders such as `day=1`, give as they are written; the type of the others is
            inferred, so that 007 is 7.
        integers: columns that CSV files give exactly, with 46.0 as 46 and NA as null, beside floats too. One with
            another value is text.
        encoding: of CSV and JSON Lines files.

    Raises:
        DataError: nothing to read, a file is damaged or lacks a column, or the files' columns do not fit together.
    """
    return read_table(location(path), Wanted(columns=columns, text=text, integers=integers, encoding=encoding))
