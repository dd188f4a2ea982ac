"""Columns in whatever form they arrive, made ready for the extension that hashes them.

The extension reads lists, numpy arrays and Arrow columns as they are (docs/fingerprint.md). This package knows the
rest: which of these a column is, the layouts and values that the extension does not know, and what a refusal says.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np

from polyrank.errors import DataError

from .arrow import import_arrow
from .items import is_missing_marker
from .reading import Dtype as Dtype
from .reading import Reading as Reading
from .reading import new_reading as new_reading
from .slow import known_rows as known_rows
from .slow import worded as worded


def as_rows(values: Any, column: str) -> Any:  # noqa: PLR0911 (a table of forms)
    """Return `values` as a list, a one-dimensional numpy array or something with the Arrow PyCapsule interface.

    Nothing is copied but what lies in rare forms.

    Raises:
        DataError: `values` is not a column.
    """
    if isinstance(values, list) or (type(values) is np.ndarray and values.ndim == 1 and values.dtype.kind != "T"):
        return values
    if isinstance(values, np.ndarray):
        return _numpy_rows(values, column)
    kind = getattr(values, "dtype", None)
    if isinstance(kind, np.dtype) and kind.kind in "biufO":  # what pandas keeps in numpy, without a detour over Arrow
        return _numpy_rows(np.asanyarray(values), column)
    if str(kind) == "Object":  # polars columns of Python objects
        return list(values)
    if hasattr(values, "__arrow_c_array__") or hasattr(values, "__arrow_c_stream__"):
        return values
    if hasattr(values, "__array__"):
        return _numpy_rows(np.asanyarray(values), column)
    if isinstance(values, Sequence) and not isinstance(values, str | bytes | bytearray | memoryview):
        return list(values)
    raise DataError(
        f"column {column!r} must be an array or a list of values, got {type(values).__name__}; "
        "fingerprint_one takes a single value"
    )


def _numpy_rows(values: Any, column: str) -> Any:
    if len(values.shape) != 1:
        raise DataError(f"column {column!r} must have one dimension, got shape {list(values.shape)}")
    if isinstance(values, np.ma.MaskedArray):
        return _masked_rows(values)
    if not is_missing_marker(getattr(values.dtype, "na_object", None)):  # a StringDType whose null is some text
        return values.astype(object)
    return values


def _masked_rows(values: Any) -> Any:
    if values.dtype.kind not in "biuf" or values.dtype.itemsize > np.dtype(np.float64).itemsize:
        return list(values)
    native = np.ma.getdata(values).astype(values.dtype.newbyteorder("="), copy=False)
    return import_arrow(native, mask=np.ma.getmaskarray(values))
