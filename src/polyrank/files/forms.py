"""The formats of files of rows, each with its suffixes and its reader."""

import dataclasses
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

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
        read: gives the file as a table of at least the columns that are wanted and there.
        pieces: gives it as several, of a size that does not grow with the file; of JSON Lines that takes all of it.
        is_text: the encoding counts.
        has_header: a column that a file lacks is a mistake; without, it may be null in all rows of the file.
    """

    name: str
    suffixes: tuple[str, ...]
    read: Callable[[Path, Wanted, Path], Any]
    pieces: Callable[[Path, Wanted, Path], Iterator[Any]]
    is_text: bool = False
    has_header: bool = True


def _read_parquet(file: Path, wanted: Wanted, name: Path) -> Any:
    import pyarrow.parquet as pq

    from .reading import check_columns

    with pq.ParquetFile(file) as parquet:
        if wanted.columns is not None:
            check_columns(name, parquet.schema_arrow.names, wanted.columns)
        return parquet.read(columns=wanted.columns)


def _parquet_pieces(file: Path, wanted: Wanted, name: Path) -> Iterator[Any]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    from .pieces import parquet_batches
    from .reading import check_columns

    # Buffered reading takes a megabyte of each column at a time, where the default takes a row group.
    with pq.ParquetFile(file, buffer_size=2**20) as parquet:
        if wanted.columns is not None:
            check_columns(name, parquet.schema_arrow.names, wanted.columns)
        columns = None if wanted.columns is None else list(wanted.columns)
        yield from (pa.Table.from_batches([batch]) for batch in parquet_batches(parquet, columns))


def _read_csv(file: Path, wanted: Wanted, name: Path) -> Any:
    from .csv_table import read_csv

    return read_csv(file, wanted, name)


def _csv_pieces(file: Path, wanted: Wanted, name: Path) -> Iterator[Any]:
    from .csv_pieces import csv_pieces
    from .pieces import slices

    return slices(_read_csv(file, wanted, name)) if _is_small(file) else csv_pieces(file, wanted, name)


def _is_small(file: Path) -> bool:
    """Say whether a file of text is read faster as a whole, once, than in pieces, twice."""
    shrunk = 8 if file.name.lower().endswith(".gz") else 1
    return file.stat().st_size * shrunk <= WHOLE_TEXT_BYTES


def _read_json_lines(file: Path, wanted: Wanted, name: Path) -> Any:
    from .json_lines import read_json_lines

    return read_json_lines(file, wanted.columns, name)


def _json_pieces(file: Path, wanted: Wanted, name: Path) -> Iterator[Any]:
    from .pieces import slices

    return slices(_read_json_lines(file, wanted, name))  # whether 46 is a number or text, the last line may say


def _read_arrow(file: Path, wanted: Wanted, _name: Path) -> Any:
    from .arrow_file import read_arrow_file

    return read_arrow_file(file, wanted.columns)


def _arrow_pieces(file: Path, wanted: Wanted, _name: Path) -> Iterator[Any]:
    import pyarrow as pa

    from .arrow_file import open_arrow_file
    from .pieces import slices

    with open_arrow_file(file, wanted.columns) as (_, batches):
        for batch in batches:
            yield from slices(pa.Table.from_batches([batch]))


FORMATS = (
    Format(name="Parquet", suffixes=(".parquet",), read=_read_parquet, pieces=_parquet_pieces),
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


def format_of(file: Path) -> Format:
    """Return the format that the name of a file says; Parquet where it says none."""
    return next((one for one in FORMATS if file.name.lower().endswith(one.suffixes)), FORMATS[0])
