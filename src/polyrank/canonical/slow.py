"""What happens when the extension does not know a layout, or refuses a value: rare, so it may be slow."""

from typing import Any

import numpy as np

from polyrank.errors import DataError

from .arrow import import_arrow, known_chunks, shown
from .reading import REASONS, Reading


def known_rows(rows: Any, how: Reading) -> Any:
    """Bring rows of a layout that the extension does not know to one that it does.

    Raises:
        DataError: a categorical feature takes no such type.
    """
    if isinstance(rows, np.ndarray):
        # Iterating keeps numpy's own scalars, where tolist() would make integers of datetime64[ns].
        return list(rows)
    return known_chunks(_imported(rows, how), how)


def worded(rows: Any, how: Reading, reason: str, row: int) -> DataError:
    """Return the error for the value at the 0-based `row` that the extension refused for `reason`."""
    return how.refusal(_value(rows, how, row), row, REASONS[reason])


def _value(rows: Any, how: Reading, row: int) -> object:
    if isinstance(rows, list | np.ndarray):
        value = rows[row]
        return value.item() if isinstance(value, np.generic) else value
    for chunk in _imported(rows, how).chunks:
        if row < len(chunk):
            return shown(_decoded(chunk, row), 0)
        row -= len(chunk)
    return None


def _decoded(array: Any, row: int) -> Any:
    """Return the array of length 1 that holds the value at `row`, out of its dictionary if it has one."""
    import pyarrow as pa

    if not pa.types.is_dictionary(array.type):
        return array[row : row + 1]
    index = array.indices[row].as_py()
    return array.dictionary[index : index + 1]


def _imported(rows: Any, how: Reading) -> Any:
    import pyarrow as pa

    try:
        return import_arrow(rows)
    except (pa.ArrowException, TypeError, ValueError) as err:
        raise how.unreadable(rows, err) from err
