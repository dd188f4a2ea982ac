"""Text files with a separator, read strictly: every row has every field, every number is one."""

import dataclasses
import re
from pathlib import Path
from typing import TYPE_CHECKING

from polyrank.errors import DataError
from polyrank.files import QuoteCheck

if TYPE_CHECKING:
    from collections.abc import Mapping

    import pyarrow as pa
    import pyarrow.csv

AGAIN = "unpack the download again"
_UNIT_SEPARATOR = "\x1f"  # Arrow splits at one byte; no text file that people write holds this one


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class Format:
    """How a file is written.

    Attributes:
        delimiter: one character, or several that occur nowhere else.
        encoding: of the text.
        header: the first row holds names; columns that nobody asks for are left out.
        quoted: fields may be in double quotes, which must close.
        missing: fields that are null.
        skip_rows: rows at the start that are none.
    """

    delimiter: str
    encoding: str = "utf8"
    header: bool = False
    quoted: bool = False
    missing: tuple[str, ...] = ()
    skip_rows: int = 0


def read_delimited(file: Path, types: "Mapping[str, pa.DataType]", form: Format) -> "pa.Table":
    """Read a file, plain or `.gz`, as a table of the columns in `types`.

    Args:
        file: what to read.
        types: Arrow type by column: in the order of the file, or by the names of its header.
        form: how it is written.

    Raises:
        DataError: the file is absent, empty or damaged, or lacks a column; the message names the row.
    """
    import pyarrow as pa
    import pyarrow.csv

    try:
        if form.quoted:
            _refuse_open_quote(file)
        return pyarrow.csv.read_csv(_open(file, form), *_options(types, form))
    except (pa.ArrowException, OSError, UnicodeDecodeError) as err:
        raise DataError(f"{file}{_reason(err)}; {AGAIN}") from err


def _refuse_open_quote(file: Path) -> None:
    """Raise `DataError` where a quote never closes: Arrow would take the rows behind it for text."""
    with QuoteCheck(file) as check:
        check.finish()


def _options(types: "Mapping[str, pa.DataType]", form: Format) -> tuple[object, object, object]:
    import pyarrow.csv

    names = list(types)
    reading = pyarrow.csv.ReadOptions(
        use_threads=False,  # Arrow tells the row of a mistake only then
        column_names=None if form.header else names,
        skip_rows=form.skip_rows,
    )
    parsing = pyarrow.csv.ParseOptions(
        delimiter=form.delimiter if len(form.delimiter) == 1 else _UNIT_SEPARATOR,
        quote_char='"' if form.quoted else False,
    )
    converting = pyarrow.csv.ConvertOptions(
        column_types=dict(types),
        include_columns=names,
        null_values=list(form.missing),
        strings_can_be_null=bool(form.missing),
    )
    return reading, parsing, converting


def _open(file: Path, form: Format) -> "pa.NativeFile":
    """Open a file as UTF-8 with a separator of one byte; what must be rewritten for that is read as a whole.

    Arrow's own `encoding` runs Python in Arrow's threads, and a process that ends meanwhile aborts.
    """
    import pyarrow as pa

    stream = pa.input_stream(str(file))
    if len(form.delimiter) == 1 and form.encoding == "utf8":
        return stream
    with stream:
        text = stream.read().decode(form.encoding)
    if len(form.delimiter) > 1:
        text = text.replace(form.delimiter, _UNIT_SEPARATOR)
    return pa.BufferReader(text.encode())


def _reason(err: Exception) -> str:
    """Say what Arrow says, in our words where they are known."""
    message = (str(err).splitlines() or [type(err).__name__])[0]
    if found := re.search(r"Row #(\d+): Expected (\d+) columns, got (\d+)", message):
        return ": row {}: expected {} fields, got {}".format(*found.groups())
    if found := re.search(r"Row #(\d+): CSV conversion error to (\w+): (.*)", message):
        return f": row {found[1]}: {found[3]}, {found[2]} expected"
    if found := re.search(r"Column '(.*)' in include_columns", message):
        return f": column {found[1]!r} is missing"
    return f": {message[:1].lower()}{message[1:]}"
