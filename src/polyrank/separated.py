"""Lists that are written as text, such as "39,68", and lists with weights, such as "a:0.3,b:0.7"."""

import re
from typing import Any

import numpy as np
from numpy.typing import NDArray

from polyrank.arguments import shown
from polyrank.canonical.arrow import decoded, import_arrow, is_list
from polyrank.errors import DataError, RowError
from polyrank.rows import Column, is_missing

_PLAIN_WEIGHT = re.compile(r"-?[0-9]{1,9}(\.[0-9]{1,20})?", re.ASCII)


def split_lists(column: Column, name: str, separator: str) -> Column:
    """Cut each text at the separator. Empty text is an empty list; lists pass as they are.

    Raises:
        DataError: the column holds something else.
    """
    import pyarrow as pa
    import pyarrow.compute as pc

    if not isinstance(column, pa.Array | pa.ChunkedArray):
        return [_split_one(value, name, separator, row) for row, value in enumerate(column)]
    if pa.types.is_null(column.type) or is_list(column.type):
        return column
    texts = _texts(column, name)
    lists = pc.split_pattern(texts, separator)
    empty = pc.equal(texts, "")
    return lists if not pc.any(empty).as_py() else _emptied(lists, empty)


def split_weighted(column: Column, name: str, separator: str, weight_separator: str) -> tuple[Column, Column]:
    """Cut each text into values and their weights, two columns of lists; a value may hold the weight's separator.

    Raises:
        DataError: the column holds something else, or a value has no weight; the message names column, value and row.
    """
    import pyarrow as pa
    import pyarrow.compute as pc

    if not isinstance(column, pa.Array | pa.ChunkedArray):
        column = pa.array([_checked_text(value, name, row) for row, value in enumerate(column)], pa.large_string())
    if pa.types.is_null(column.type):
        return column, column
    lists = split_lists(_texts(column, name), name, separator)
    lists = lists.combine_chunks() if isinstance(lists, pa.ChunkedArray) else lists
    pairs = pc.split_pattern(lists.flatten(), weight_separator, max_splits=1, reverse=True)
    lengths = pc.fill_null(pc.list_value_length(lists), 0).to_numpy(zero_copy_only=False)
    offsets = np.concatenate([[0], np.cumsum(lengths)])
    _require(pc.equal(pc.list_value_length(pairs), 2), lists, offsets, name, weight_separator)
    values, texts = pc.list_element(pairs, 0), pc.list_element(pairs, 1)
    weights = _weights(texts)
    _require(np.isfinite(weights), lists, offsets, name, weight_separator)
    ends = pa.array(offsets, pa.int64())
    return pa.LargeListArray.from_arrays(ends, values, mask=lists.is_null()), pa.LargeListArray.from_arrays(
        ends, pa.array(weights)
    )


def split_pairs(text: str, separator: str, weight_separator: str) -> tuple[list[str], list[float]] | None:
    """Cut one text as `split_weighted` does; None where a weight is missing, or is no plain decimal such as -0.25."""
    values, weights = [], []
    for part in text.split(separator) if text else ():
        value, found, weight = part.rpartition(weight_separator)
        if not (found and _PLAIN_WEIGHT.fullmatch(weight)):
            return None
        values.append(value)
        weights.append(float(weight))
    return values, weights


def _emptied(lists: Any, empty: Any) -> Any:
    """Return lists of which some are made empty; null stays null."""
    import pyarrow as pa
    import pyarrow.compute as pc

    kept = pc.if_else(empty, pa.scalar(None, lists.type), lists)
    kept = kept.combine_chunks() if isinstance(kept, pa.ChunkedArray) else kept
    lengths = pc.fill_null(pc.list_value_length(kept), 0).to_numpy(zero_copy_only=False)
    offsets = pa.array(np.concatenate([[0], np.cumsum(lengths)]), pa.int64())
    return pa.LargeListArray.from_arrays(offsets, kept.flatten(), mask=pa.array(lists.is_null()))


def _weights(texts: Any) -> NDArray[np.float32]:
    """Read decimal numbers; what is none becomes NaN."""
    import pyarrow as pa

    try:
        wide = texts.cast(pa.float64()).to_numpy(zero_copy_only=False)
    except pa.ArrowInvalid:
        wide = np.array([_number(text) for text in texts.to_pylist()], np.float64)
    with np.errstate(over="ignore"):
        return np.asarray(wide, np.float64).astype(np.float32)


def _number(text: str) -> float:
    import pyarrow as pa

    try:
        return float(pa.scalar(text).cast(pa.float64()).as_py())
    except pa.ArrowInvalid:
        return float("nan")


def _require(fits: Any, lists: Any, offsets: NDArray[np.int64], name: str, weight_separator: str) -> None:
    bad = np.flatnonzero(~np.asarray(fits, np.bool_))
    if bad.size > 0:
        row = int(np.searchsorted(offsets, bad[0], side="right")) - 1
        value = lists.flatten()[int(bad[0])].as_py()
        expected = f"a value, {weight_separator!r} and a finite weight expected, as in 'a{weight_separator}0.3'"
        raise RowError(f"column {name!r} holds {shown(value)}", row, f"; {expected}")


def _texts(column: Any, name: str) -> Any:
    """Return text of a layout that Arrow can cut: in chunks if it came in chunks."""
    import pyarrow as pa

    kind = column.type.value_type if pa.types.is_dictionary(column.type) else column.type
    if not any(test(kind) for test in (pa.types.is_string, pa.types.is_large_string, pa.types.is_string_view)):
        raise DataError(f"column {name!r} holds {column.type}; text that separators cut expected")
    texts = decoded(import_arrow(column)).cast(pa.large_string())
    return texts if isinstance(column, pa.ChunkedArray) else texts.combine_chunks()


def _split_one(value: object, name: str, separator: str, row: int) -> object:
    if isinstance(value, list | tuple | np.ndarray):
        return value
    text = _checked_text(value, name, row)
    return text.split(separator) if text else None


def _checked_text(value: object, name: str, row: int) -> str | None:
    if value is None or is_missing(value):
        return None
    if not isinstance(value, str):
        raise RowError(f"column {name!r} holds {shown(value)}", row, "; text that separators cut expected")
    return value
