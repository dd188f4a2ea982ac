"""A CSV file as tables that follow one another, with the types that it has as a whole."""

import dataclasses
import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from .csv import QuoteCheck
from .csv_integers import integers
from .csv_table import as_wanted
from .csv_types import refused_column
from .forms import Wanted
from .opening import PIECE_BYTES, open_csv_bytes
from .pieces import merged
from .remote import Location

LARGE_BYTES = 2**28
"""From here on a first look takes seconds, in which nothing else is said."""

logger = logging.getLogger(__name__)


def csv_pieces(file: Path, wanted: Wanted, name: Location) -> Iterator[Any]:
    """Read a file more than once: its types are known only when the last row is; see `read_csv`.

    Raises:
        ArrowInvalid: Arrow cannot read the file, or one of the columns is not UTF-8 text.
        DataError: a quote never closes, or a column without a name has a value; the message calls the file `name`.
    """
    import pyarrow as pa

    if (size := file.stat().st_size) >= LARGE_BYTES:
        logger.info("%s: %.1f GB of CSV are read for the types of columns first, then for rows", name, size / 1e9)
    with QuoteCheck(file, name) as check:
        check.finish()
    types, text = _types(file, wanted)
    wanted, first = _as_text(wanted, text), 0
    for batch in merged(_batches(file, types)):
        yield as_wanted(pa.Table.from_batches([batch]), wanted, name, first)
        first += batch.num_rows


def _batches(file: Path, types: dict[str, Any]) -> Iterator[Any]:
    import pyarrow.csv

    read = pyarrow.csv.ReadOptions(block_size=PIECE_BYTES)  # Arrow reads some thirty blocks ahead
    parse = pyarrow.csv.ParseOptions(newlines_in_values=True)
    convert = pyarrow.csv.ConvertOptions(column_types=types)
    with open_csv_bytes(file) as text:
        yield from pyarrow.csv.open_csv(text, read_options=read, parse_options=parse, convert_options=convert)


def _as_text(wanted: Wanted, columns: set[str]) -> Wanted:
    """Want columns as text that were to be integers."""
    integers = tuple(name for name in wanted.integers if name not in columns)
    return dataclasses.replace(wanted, integers=integers, text=(*wanted.text, *columns))


def _types(file: Path, wanted: Wanted) -> tuple[dict[str, Any], set[str]]:
    """Return the types of columns that are not those of the first rows, and which integers are text in some row."""
    import pyarrow as pa

    types: dict[str, Any] = dict.fromkeys((*wanted.text, *wanted.integers), pa.string())
    text: set[str] = set()
    while True:
        try:
            for batch in _batches(file, types):
                here = [name for name in wanted.integers if name in batch.schema.names and name not in text]
                text |= {name for name in here if pa.types.is_string(integers(batch.column(name)).type)}
        except pa.ArrowInvalid as err:
            refused = refused_column(file, err)
            if refused is None:
                raise
            types[refused.name] = _next_type(refused.kind)
        else:
            return types, text


def _next_type(kind: str) -> Any:
    """Return the type that Arrow tries, where it reads a file whole, for values of which some are not of `kind`."""
    import pyarrow as pa

    tried = [
        pa.null(),
        pa.int64(),
        pa.bool_(),
        pa.date32(),
        pa.time32("s"),
        pa.timestamp("s"),
        pa.timestamp("ns"),
        pa.timestamp("s", "UTC"),
        pa.timestamp("ns", "UTC"),
        pa.float64(),
    ]
    names = [str(one) for one in tried]
    return [*tried, pa.string()][names.index(kind) + 1] if kind in names else pa.string()
