"""Rows from files: Parquet and CSV, one file or a directory of them."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from polyrank.errors import DataError
from polyrank.files import SUFFIXES, QuoteCheck, check_columns, first_line, readable

if TYPE_CHECKING:
    import pyarrow as pa


def read_rows(path: str | Path, *, columns: Sequence[str] | None = None, text: Sequence[str] = ()) -> "pa.Table":
    """Read a file, or every Parquet and CSV file of a directory in the order of their names, as one table.

    Args:
        path: file or directory.
        columns: what to read; None reads all.
        text: columns that CSV files give as they are written; the type of the others is inferred, so that 007 is 7.

    Raises:
        DataError: nothing to read, a file is damaged or lacks a column, or the files' columns do not fit together.
    """
    import pyarrow as pa

    tables = [_read_file(file, columns, text) for file in _files(Path(path))]
    try:
        return pa.concat_tables(tables, promote_options="permissive")
    except pa.ArrowException as err:
        raise DataError(f"the files of {path} do not fit together: {first_line(err)}") from err


def _files(path: Path) -> list[Path]:
    if path.is_file():
        return [path]
    if not path.is_dir():
        raise DataError(f"{path} does not exist; give a Parquet or CSV file, or a directory of them")
    files = sorted(file for file in path.iterdir() if file.name.endswith(SUFFIXES) and not file.name.startswith("."))
    if not files:
        raise DataError(f"{path} holds no file that ends in {', '.join(SUFFIXES)}")
    return files


def _read_file(file: Path, columns: Sequence[str] | None, text: Sequence[str]) -> "pa.Table":
    import pyarrow.parquet

    if not file.name.endswith(SUFFIXES):
        raise DataError(f"{file} must end in {', '.join(SUFFIXES)}")
    with readable(file):
        table = pyarrow.parquet.read_table(file) if file.name.endswith(".parquet") else _read_csv(file, text)
        present = table.column_names
    if columns is None:
        return table
    check_columns(file, present, columns)
    return table.select(columns)


def _read_csv(file: Path, text: Sequence[str]) -> "pa.Table":
    import pyarrow as pa
    import pyarrow.csv

    convert = pyarrow.csv.ConvertOptions(column_types=dict.fromkeys(text, pa.string()))
    parse = pyarrow.csv.ParseOptions(newlines_in_values=True)
    with QuoteCheck(file) as check:
        check.check_all()
        table = pyarrow.csv.read_csv(file, parse_options=parse, convert_options=convert)
        check.finish()
    return table
