"""Files of rows as one table, whatever their formats."""

import dataclasses
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from polyrank.errors import DataError

from .csv import first_line
from .encoding import UTF8, as_utf8
from .forms import SUFFIXES, Wanted, format_of
from .listing import Part, list_files
from .opening import check_text
from .reading import check_columns, check_name, readable

_INTEGER = re.compile(r"-?[0-9]{1,18}")


def read_table(path: Path, wanted: Wanted) -> Any:
    """Read the files that `path` stands for, in the order of their names; folders such as `day=1` add columns.

    Raises:
        DataError: nothing to read, a file is damaged or lacks a column, or the files' columns do not fit together.
    """
    import pyarrow as pa

    parts = list_files(path, SUFFIXES)
    types = _partition_types(parts, wanted)
    tables = [_read_part(part, types, wanted) for part in parts]
    try:
        table = pa.concat_tables(tables, promote_options="permissive")
    except pa.ArrowException as err:
        raise DataError(f"the files of {path} do not fit together: {first_line(err)}") from err
    if wanted.columns is None:
        return table
    if table.num_columns == 0:
        raise DataError(f"{path} holds no row")
    check_columns(path, table.column_names, wanted.columns)
    return table.select(wanted.columns)


def _read_part(part: Part, types: dict[str, Any], wanted: Wanted) -> Any:
    import pyarrow as pa

    table = _read_file(part.file, [*types], wanted)
    for name, kind in types.items():
        value = part.partition.get(name)
        cell = pa.scalar(None if value is None else int(value) if pa.types.is_integer(kind) else value, kind)
        others = table.select([at for at, present in enumerate(table.column_names) if present != name])
        table = others.append_column(name, pa.repeat(cell, table.num_rows))
    return table


def _read_file(file: Path, partitions: Sequence[str], wanted: Wanted) -> Any:
    if not file.is_file():
        raise DataError(f"{file} is no regular file; give files that can be read twice")
    check_name(file)
    form = format_of(file)
    inside = wanted.columns and [name for name in wanted.columns if name not in partitions]
    own = dataclasses.replace(wanted, columns=inside)
    if form.is_text:
        with readable(file):
            check_text(file, wanted.encoding)
    with as_utf8(file, wanted.encoding if form.is_text else UTF8) as text:
        with readable(file, text):
            table = form.read(text, own, file)
        if inside is None or not form.has_header:
            return table
        check_columns(file, table.column_names, inside)
        return table.select(inside)


def _partition_types(parts: Sequence[Part], wanted: Wanted) -> dict[str, Any]:
    """Return the columns that folders add: int64 where every value is an integer, text otherwise."""
    import pyarrow as pa

    values: dict[str, list[str]] = {}
    for part in parts:
        for name, value in part.partition.items():
            values.setdefault(name, []).extend([] if value is None else [value])
    return {
        name: pa.int64() if name not in wanted.text and all(map(_INTEGER.fullmatch, found)) else pa.string()
        for name, found in values.items()
        if wanted.columns is None or name in wanted.columns
    }
