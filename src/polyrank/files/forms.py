"""The formats of files of rows, each with its suffixes and its reader."""

import dataclasses
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from .remote import Location

WHOLE_TEXT_BYTES = 256 * 2**20


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class Wanted:
    """What is to be read of a file.

    Attributes:
        columns: names of columns; None is all.
        text: columns that files of text give as they are written.
        integers: columns of integers, which CSV files give exactly as they are written.
        encoding: of files of text.
    """

    columns: Sequence[str] | None = None
    text: Sequence[str] = ()
    integers: Sequence[str] = ()
    encoding: str = "utf-8"


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class Format:
    """A format of files.

    Attributes:
        name: what people call it.
        suffixes: how names of such files end.
        read: gives the file, which messages call by another name, as a table of at least the columns that are wanted
            and there.
        pieces: gives it as several, of a size that does not grow with the file; of JSON Lines that takes all of it.
        is_text: the encoding counts.
        is_copied: a file of a store comes as a copy, since it is read more than once, or mapped.
        has_header: a column that a file lacks is a mistake; without, it may be null in all rows of the file.
    """

    name: str
    suffixes: tuple[str, ...]
    read: Callable[[Any, Wanted, Location], Any]
    pieces: Callable[[Any, Wanted, Location], Iterator[Any]]
    is_text: bool = False
    is_copied: bool = True
    has_header: bool = True


def _read_parquet(file: Location, wanted: Wanted, name: Location) -> Any:
    import pyarrow as pa
    import pyarrow.parquet as pq

    from .parquet import open_parquet
    from .reading import check_columns

    if isinstance(file, Path):
        with pq.ParquetFile(file) as parquet:
            if wanted.columns is not None:
                check_columns(name, parquet.schema_arrow.names, wanted.columns)
            return parquet.read(columns=wanted.columns)
    with open_parquet(file) as opened:
        schema = opened.parquet.schema_arrow
        if wanted.columns is not None:
            check_columns(name, schema.names, wanted.columns)
            schema = pa.schema([schema.field(each) for each in wanted.columns])
        return pa.Table.from_batches(opened.batches(wanted.columns), schema)


def _parquet_pieces(file: Location, wanted: Wanted, name: Location) -> Iterator[Any]:
    import pyarrow as pa

    from .parquet import open_parquet
    from .reading import check_columns

    with open_parquet(file) as opened:
        if wanted.columns is not None:
            check_columns(name, opened.parquet.schema_arrow.names, wanted.columns)
        yield from (pa.Table.from_batches([batch]) for batch in opened.batches(wanted.columns))


def _read_csv(file: Path, wanted: Wanted, name: Location) -> Any:
    from .csv_table import read_csv

    return read_csv(file, wanted, name)


def _csv_pieces(file: Path, wanted: Wanted, name: Location) -> Iterator[Any]:
    from .csv_pieces import csv_pieces
    from .pieces import slices

    return slices(_read_csv(file, wanted, name)) if _is_small(file) else csv_pieces(file, wanted, name)


def _is_small(file: Path) -> bool:
    """Say whether a file of text is read faster as a whole, once, than in pieces, twice."""
    shrunk = 8 if file.name.lower().endswith(".gz") else 1
    return file.stat().st_size * shrunk <= WHOLE_TEXT_BYTES


def _read_json_lines(file: Path, wanted: Wanted, name: Location) -> Any:
    from .json_lines import read_json_lines

    return read_json_lines(file, wanted.columns, name)


def _json_pieces(file: Path, wanted: Wanted, name: Location) -> Iterator[Any]:
    from .pieces import slices

    return slices(_read_json_lines(file, wanted, name))  # whether 46 is a number or text, the last line may say


def _read_arrow(file: Path, wanted: Wanted, _name: Location) -> Any:
    from .arrow_file import read_arrow_file

    return read_arrow_file(file, wanted.columns)


def _arrow_pieces(file: Path, wanted: Wanted, _name: Location) -> Iterator[Any]:
    import pyarrow as pa

    from .arrow_file import open_arrow_file
    from .pieces import slices

    with open_arrow_file(file, wanted.columns) as (_, batches):
        for batch in batches:
            yield from slices(pa.Table.from_batches([batch]))


FORMATS = (
    Format(name="Parquet", suffixes=(".parquet",), read=_read_parquet, pieces=_parquet_pieces, is_copied=False),
    Format(name="CSV", suffixes=(".csv", ".csv.gz"), read=_read_csv, pieces=_csv_pieces, is_text=True),
    Format(
        name="JSON Lines",
        suffixes=(".jsonl", ".jsonl.gz", ".ndjson", ".ndjson.gz"),
        read=_read_json_lines,
        pieces=_json_pieces,
        is_text=True,
        has_header=False,
    ),
    Format(name="Arrow", suffixes=(".arrow", ".feather", ".ipc"), read=_read_arrow, pieces=_arrow_pieces),
)
SUFFIXES = tuple(suffix for one in FORMATS for suffix in one.suffixes)


def kinds() -> str:
    """Return the suffixes as text: `.parquet, .csv or .ipc`."""
    return ", ".join(SUFFIXES[:-1]) + " or " + SUFFIXES[-1]


def format_of(file: Location) -> Format:
    """Return the format that the name of a file says; Parquet where it says none."""
    return next((one for one in FORMATS if file.name.lower().endswith(one.suffixes)), FORMATS[0])
