"""Rows as the tensors of the raw endpoint, written without what reads them."""

import json
import struct
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from polyrank.raw_inputs import RawInput, SerializedTexts, raw_inputs
from polyrank.schema import Schema

LOWEST = -(2**63)
_ABSENT: dict[str, Any] = {"BYTES": "\0", "INT64": LOWEST, "FP32": float("nan")}
_PADDING: dict[str, Any] = {"BYTES": "", "INT64": -1, "FP32": float("nan")}

Values = list[list[Any]]
"""Elements of a tensor, row by row."""


def raw_values(schema: Schema, rows: Sequence[Mapping[str, Any]]) -> dict[str, Values]:
    """Return what each tensor of the rows holds, those of no feature left out."""
    return {each.name: _values(each, [row.get(each.name) for row in rows]) for each in raw_inputs(schema)}


def _values(described: RawInput, cells: Sequence[Any]) -> Values:
    absent = _ABSENT[described.datatype]
    if described.rows == "value":
        return [[absent if cell is None else cell] for cell in cells]
    if described.rows == "vector":
        return [
            [absent] * int(described.width or 0) if cell is None else [float(number) for number in cell]
            for cell in cells
        ]
    width = max(len(cell or ()) for cell in cells)
    lists = [[absent if item is None else item for item in cell or ()] for cell in cells]
    return [items + [_PADDING[described.datatype]] * (width - len(items)) for items in lists]


def serialized(texts: Iterable[str | bytes]) -> bytes:
    """Return texts as Triton has them on the wire."""
    encoded = (text.encode() if isinstance(text, str) else text for text in texts)
    return b"".join(struct.pack("<I", len(text)) + text for text in encoded)


def raw_tensor(datatype: str, values: Values) -> NDArray[Any]:
    """Return a tensor of these elements."""
    shape = (len(values), len(values[0]))
    if datatype == "BYTES":
        return texts_of(serialized(text for row in values for text in row), shape)
    return np.array(values, np.int64 if datatype == "INT64" else np.float32).reshape(shape)


def texts_of(content: bytes, shape: tuple[int, int]) -> SerializedTexts:
    """Return a tensor of texts that are on the wire as `content`."""
    return np.frombuffer(content, np.uint8).view(SerializedTexts).reshape(shape)


def raw_tensors(schema: Schema, rows: Sequence[Mapping[str, Any]]) -> dict[str, NDArray[Any]]:
    """Return the tensors of rows."""
    values = raw_values(schema, rows)
    return {each.name: raw_tensor(each.datatype, values[each.name]) for each in raw_inputs(schema)}


def raw_json(schema: Schema, rows: Sequence[Mapping[str, Any]], *, without: Sequence[str] = ()) -> str:
    """Return the body of a request with these rows, without some tensors."""
    values = raw_values(schema, rows)
    tensors = [
        {
            "name": each.name,
            "datatype": each.datatype,
            "shape": [len(rows), len(values[each.name][0])],
            "data": values[each.name],
        }
        for each in raw_inputs(schema)
        if each.name not in without
    ]
    return json.dumps({"inputs": tensors})
