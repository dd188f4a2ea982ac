"""Texts to fingerprints of their n-grams (docs/fingerprint.md, "Text and n-grams")."""

from collections.abc import Collection, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from polyrank.arguments import integer, listed
from polyrank.errors import DataError

from . import _native
from .canonical import Reading, as_rows, known_rows, new_reading
from .canonical.arrow import decoded, import_arrow, table_of
from .fingerprint import DEFAULT_SEED, checked_seed

MAX_LENGTH = 2**20

NOT_UTF8 = "text of an n-gram feature must be UTF-8 (decode the column at its source)"


def fingerprint_ngrams(
    values: Any,
    *,
    sizes: Sequence[int],
    max_length: int,
    seed: int = DEFAULT_SEED,
    missing: Collection[str] = (),
    column: str = "values",
) -> NDArray[np.int64]:
    """Fingerprint the n-grams of each text of a column.

    An n-gram is a cross of neighbouring tokens. Those of a text come by size, in the order of `sizes`, and within one
    size from left to right. Texts with more n-grams than `max_length` keep the first of them.

    >>> fingerprint_ngrams(["New York", None], sizes=[1, 2], max_length=4).tolist()
    [[4122849048029594317, 1996060305306241079, 3449691764029340641, -1], [-1, -1, -1, -1]]

    Args:
        values: a column [n] as `fingerprint` takes it, read under dtype `text`.
        sizes: how many tokens n-grams have, each 1 or above.
        max_length: how many slots a text has, in [1, 2**20].
        seed: in [0, 2**64). Only the default is part of the format.
        missing: texts that count as missing beside null.
        column: the name that errors call the column by.

    Returns:
        int64 [n, max_length], padded with -1; a missing text is all padding.

    Raises:
        DataError: a value has no canonical form under `text` or is not UTF-8.
        ConfigError: `sizes`, `max_length`, `seed` or `missing` is wrong.
    """
    how = new_reading("text", missing, column)
    field = ("text", "text", how.missing, checked_seed(seed))
    plan = _native.TablePlan([("ngrams", field, checked_sizes(sizes), checked_length(max_length))])
    texts = _texts(as_rows(values, column), how)
    try:
        encoded = plan.encode_table(table_of({"text": texts}), 1)
    except _native.ArrayError as err:
        raise DataError(f"column {column!r}: {str(err).partition(': ')[2]}") from err
    if encoded is None:
        return np.empty((0, max_length), np.int64)
    if isinstance(encoded, int):
        raise _refusal(texts, how)
    return encoded[0]


def checked_sizes(sizes: object) -> list[int]:
    """Return the sizes of n-grams as a list.

    Raises:
        ConfigError: they are not a list of integers, each in [1, 2**32).
    """
    entries = enumerate(listed("sizes", sizes, "integers"))
    return [integer(f"sizes[{index}]", size, range(1, 2**32), "[1, 2**32)") for index, size in entries]


def checked_length(max_length: object) -> int:
    """Return how many slots a list or a text has.

    Raises:
        ConfigError: it is not an integer in [1, 2**20].
    """
    return integer("max_length", max_length, range(1, MAX_LENGTH + 1), "[1, 2**20]")


def _texts(rows: Any, how: Reading) -> Any:
    """Return Arrow text or bytes: `rows` where it is that, or else the bytes of each value's canonical form."""
    if isinstance(rows, list | np.ndarray):
        return _texts_of_values(list(rows) if isinstance(rows, list) else rows, how)
    texts = decoded(known_rows(rows, how))
    return texts if _is_text(texts.type) else _keys(texts.to_pylist(), how)


def _texts_of_values(values: Any, how: Reading) -> Any:
    import pyarrow as pa

    try:
        texts = import_arrow(values)
    except (pa.ArrowException, OverflowError, TypeError, ValueError):
        return _keys(values, how)  # values of several types
    return texts if _is_text(texts.type) else _keys(values, how)


def _keys(values: Any, how: Reading) -> Any:
    import pyarrow as pa

    return pa.array([how.odd_value(value, row) for row, value in enumerate(values)], pa.large_binary())


def _is_text(kind: Any) -> bool:
    import pyarrow as pa

    tests = (
        *(pa.types.is_string, pa.types.is_large_string, pa.types.is_string_view),
        *(pa.types.is_binary, pa.types.is_large_binary, pa.types.is_binary_view),
    )
    return any(test(kind) for test in tests)


def _refusal(texts: Any, how: Reading) -> DataError:
    import pyarrow as pa

    values = texts.cast(pa.large_binary()).to_pylist()
    row = next(row for row, value in enumerate(values) if value is not None and not _is_utf8(value))
    return how.refusal(values[row], row, NOT_UTF8)


def _is_utf8(value: bytes) -> bool:
    try:
        value.decode()
    except UnicodeDecodeError:
        return False
    return True
