"""Values of a CSV file that are not of the type that the rows before them gave their column."""

import re
from pathlib import Path

from polyrank.arguments import shown

from .opening import PIECE_BYTES, open_csv_bytes

_FOUND = re.compile(
    r"In CSV column #(\d+): (?:Row #(\d+): )?CSV conversion error to ([^:]+): invalid value '(.*)'", re.DOTALL
)


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
    with open_csv_bytes(file) as stream:
        name = csv.open_csv(stream, parse_options=parse).schema.names[int(found[1])]
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
