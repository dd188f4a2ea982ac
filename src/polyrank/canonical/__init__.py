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
from .slow import no_column
from .slow import worded as worded

# Dtypes of polars that no Arrow type stands for.
_AS_OBJECTS = ("Object", "Int128", "UInt128")


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
    if kind is not None and str(kind) in _AS_OBJECTS:
        return list(values)
    if kind is not None and _is_kept_in_numpy(kind):
        return _numpy_rows(np.asanyarray(values), column)
    if hasattr(values, "__arrow_c_array__") or hasattr(values, "__arrow_c_stream__"):
        return values
    if hasattr(values, "__array__"):
        return _numpy_rows(np.asanyarray(values), column)
    if isinstance(values, Sequence) and not isinstance(values, str | bytes | bytearray | memoryview):
        return list(values)
    raise no_column(values, column)


def _is_kept_in_numpy(kind: object) -> bool:
    """Recognise what pandas keeps in numpy, without a detour over Arrow, or has no Arrow form for."""
    return (isinstance(kind, np.dtype) and kind.kind in "biufO") or type(kind).__name__ == "SparseDtype"


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
