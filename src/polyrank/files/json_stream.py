"""JSON Lines as record batches of one schema, for files that do not fit into memory."""

from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Any

from polyrank.errors import DataError

from .json_lines import array_or_list, as_text, json_rows
from .remote import Location


def json_schema(file: Path, name: Location, exact: Collection[str]) -> tuple[Any, int]:
    """Read a file for its Arrow schema, every key a column, and the number of its rows.

    A column that no one type holds is text; of `exact`, one that mixes integers and floats, too.

    Raises:
        DataError: a line is no JSON object; the message calls the file `name`.
    """
    import pyarrow as pa

    kinds: dict[str, Any] = {}
    num_rows = 0
    for rows in json_rows(file, name):
        num_rows += len(rows)
        for key in dict.fromkeys(key for row in rows for key in row):
            kind = _kind([row.get(key) for row in rows], is_exact=key in exact)
            kinds[key] = kind if key not in kinds else _joined(kinds[key], kind, is_exact=key in exact)
    return pa.schema(list(kinds.items())), num_rows


def json_batches(file: Path, name: Location, schema: Any) -> Iterator[Any]:
    """Read a file as batches of `schema`, which `json_schema` found.

    Raises:
        DataError: a value has no form as text, beside others that are text; the message names column and row.
    """
    import pyarrow as pa

    first = 0
    for rows in json_rows(file, name):
        columns = [_column(field, [row.get(field.name) for row in rows], first) for field in schema]
        yield pa.RecordBatch.from_arrays(columns, schema=schema)
        first += len(rows)


def _kind(values: list[Any], *, is_exact: bool) -> Any:
    import pyarrow as pa

    array = array_or_list(values)
    if isinstance(array, pa.Array):
        return array.type
    if not is_exact and all(value is None or type(value) in (int, float) for value in values):
        return pa.float64()
    return pa.list_(pa.string()) if any(isinstance(value, list) for value in values) else pa.string()


def _joined(one: Any, other: Any, *, is_exact: bool) -> Any:
    """Return the type of a column that is of one type in some blocks, and of another in others."""
    import pyarrow as pa

    has_lists = pa.types.is_list(one) or pa.types.is_list(other)
    text = pa.list_(pa.string()) if has_lists else pa.string()
    try:
        fields = [pa.schema([("", one)]), pa.schema([("", other)])]
        kind = pa.unify_schemas(fields, promote_options="permissive").field(0).type
    except pa.ArrowException:
        return text
    is_changed = not one.equals(other) and not pa.types.is_null(one) and not pa.types.is_null(other)
    item = kind.value_type if pa.types.is_list(kind) else kind
    return text if is_exact and is_changed and pa.types.is_floating(item) else kind


def _column(field: Any, values: list[Any], first: int) -> Any:
    import pyarrow as pa

    item = field.type.value_type if pa.types.is_list(field.type) else field.type
    if pa.types.is_string(item):
        return as_text(field.name, values, first).cast(field.type)
    try:
        return pa.array(values, field.type, from_pandas=True)
    except (pa.ArrowException, TypeError) as err:
        raise DataError(f"column {field.name!r} cannot be {field.type} in all rows: {err}") from err
