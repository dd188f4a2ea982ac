"""A CSV file as one table."""

from pathlib import Path
from typing import Any

from polyrank.arguments import shown
from polyrank.errors import DataError, RowError

from .csv import QuoteCheck
from .csv_integers import integers
from .forms import Wanted
from .opening import open_csv_bytes
from .remote import Location

_OTHER_SEPARATORS = {"\t": "tabs", ";": "semicolons", "|": "bars"}


def read_csv(file: Path, wanted: Wanted, name: Location) -> Any:
    """Read a file; empty values are null, in quotes or not, and types are inferred where `wanted` says none.

    A last column without a name and without a value, as commas at the ends of lines make it, is left out.

    Raises:
        ArrowInvalid: Arrow cannot read the file, or one of the columns is not UTF-8 text.
        DataError: a quote never closes, a column without a name has a value, or the header has other separators than
            commas; the message calls the file `name`.
    """
    import pyarrow as pa
    import pyarrow.csv

    convert = pyarrow.csv.ConvertOptions(column_types=dict.fromkeys((*wanted.text, *wanted.integers), pa.string()))
    parse = pyarrow.csv.ParseOptions(newlines_in_values=True)
    with QuoteCheck(file, name) as check, open_csv_bytes(file) as stream:
        check.check_all()
        table = pyarrow.csv.read_csv(stream, parse_options=parse, convert_options=convert)
        check.finish()
    return as_wanted(table, wanted, name)


def as_wanted(table: Any, wanted: Wanted, name: Location, first_row: int = 0) -> Any:
    """Return what `read_csv` makes of the rows that Arrow reads, of which the first is `first_row` of the file."""
    import pyarrow as pa

    _check_separator(table.column_names, wanted, name)
    for field in table.schema:
        if pa.types.is_binary(field.type) and (wanted.columns is None or field.name in wanted.columns):
            raise pa.ArrowInvalid("text that is not UTF-8")  # Arrow makes bytes of a column that it need not make text
    return _with_integers(_without_empty_text(_without_nameless(table, name, first_row)), wanted)


def _check_separator(columns: list[str], wanted: Wanted, name: Location) -> None:
    """Refuse a header that is one column only because its names have no commas between them."""
    if len(columns) != 1 or columns[0] in (wanted.columns or ()):
        return
    for mark, words in _OTHER_SEPARATORS.items():
        if mark in columns[0]:
            raise DataError(
                f"{name}: the header has {words} where commas are expected: {shown(columns[0])}; write the file with "
                "commas, or as Parquet"
            )


def empty_as_null(column: Any) -> Any:
    """Return a column of text in which empty text is null."""
    import pyarrow as pa
    import pyarrow.compute as pc

    return pc.if_else(pc.equal(column, ""), pa.scalar(None, column.type), column)


def _without_empty_text(table: Any) -> Any:
    import pyarrow as pa

    for index, field in enumerate(table.schema):
        if pa.types.is_string(field.type):
            table = table.set_column(index, field.name, empty_as_null(table.column(index)))
    return table


def _with_integers(table: Any, wanted: Wanted) -> Any:
    for index, name in enumerate(table.column_names):
        if name in wanted.integers:
            table = table.set_column(index, name, integers(table.column(index)))
    return table


def _without_nameless(table: Any, name: Location, first_row: int) -> Any:
    import pyarrow as pa
    import pyarrow.compute as pc

    if table.num_columns < 2 or table.column_names[-1]:  # noqa: PLR2004 (one nameless column is a file without a header)
        return table
    last = table.column(table.num_columns - 1)
    texts = last.cast(pa.string())
    filled = pc.fill_null(pc.not_equal(texts, ""), fill_value=False)
    row = pc.index(filled, value=True).as_py()
    if row >= 0:
        found = shown(texts[row].as_py())
        raise RowError(f"{name}: the last column has no name, and holds {found}", first_row + row, "; name it")
    return table.remove_column(table.num_columns - 1)
