"""Values of a CSV file that are not of the type that the rows before them gave their column."""

import re
from pathlib import Path
from typing import NamedTuple

from polyrank.arguments import shown

from .opening import PIECE_BYTES, open_csv_bytes

_FOUND = re.compile(
    r"In CSV column #(\d+): (?:Row #(\d+): )?CSV conversion error to ([^:]+): invalid value '(.*)'", re.DOTALL
)


_REFUSED = re.compile(r"In CSV column #(\d+): .*?CSV conversion error to (\S[^:]*): (?!invalid UTF8)", re.DOTALL)


class Refused(NamedTuple):
    """A column, and the Arrow type that one of its values is not of."""

    name: str
    kind: str


def refused_column(file: Path, err: Exception) -> Refused | None:
    """Return what an error of Arrow refuses for its type, None where it is about something else."""
    found = _REFUSED.search(str(err))
    return None if found is None else Refused(_column_names(file)[int(found[1])], found[2])


def type_reason(file: Path, err: Exception) -> str | None:
    """Return which column, row and value an error of Arrow is about, None where it is about something else.

    It reads that column once more, on one thread: only so does Arrow know the number of a row.
    """
    import pyarrow as pa
    from pyarrow import csv

    found = _FOUND.search(str(err))
    if found is None:
        return None
    parse = csv.ParseOptions(newlines_in_values=True)
    read = csv.ReadOptions(block_size=PIECE_BYTES, use_threads=False)  # the same block says the same type
    name = _column_names(file)[int(found[1])]
    convert = csv.ConvertOptions(include_columns=[name])
    try:
        with open_csv_bytes(file) as stream:
            for _ in csv.open_csv(stream, read_options=read, parse_options=parse, convert_options=convert):
                pass
    except pa.ArrowInvalid as again:
        found = _FOUND.search(str(again)) or found
    row = f" at row {int(found[2]) - 1:,}" if found[2] else ""
    return (
        f"column {name!r} holds {shown(found[4])}{row}, and the rows before it gave {found[3]}; "
        "make the column of one type, hash it as text, or give a Parquet file"
    )


def _column_names(file: Path) -> list[str]:
    from pyarrow import csv

    with open_csv_bytes(file) as stream:
        names: list[str] = csv.open_csv(stream, parse_options=csv.ParseOptions(newlines_in_values=True)).schema.names
    return names
