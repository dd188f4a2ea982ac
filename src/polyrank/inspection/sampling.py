"""Rows drawn at random while a file passes by."""

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray


class Sample:
    """Up to `size` rows, each as likely as any other, in the order of the file; in memory for twice as many."""

    def __init__(self, size: int, generator: np.random.Generator) -> None:
        self._size = size
        self._generator = generator
        self._keys: list[NDArray[np.float64]] = []
        self._parts: list[Any] = []
        self._limit = 1.0

    def add(self, rows: Any) -> None:
        """Draw from the next rows, a table with the columns of those before."""
        import pyarrow as pa

        keys = self._generator.random(rows.num_rows)
        kept = keys < self._limit
        self._keys.append(keys[kept])
        self._parts.append(rows.filter(pa.array(kept)))
        if sum(map(len, self._keys)) > 2 * self._size:
            self._prune()

    def table(self) -> Any:
        """Return the rows, a pyarrow table in one piece."""
        self._prune()
        return self._parts[0].combine_chunks()

    def _prune(self) -> None:
        """Keep the rows with the smallest keys."""
        import pyarrow as pa

        keys, table = np.concatenate(self._keys), pa.concat_tables(self._parts, promote_options="permissive")
        if len(keys) > self._size:
            self._limit = float(np.partition(keys, self._size)[self._size])
            kept = keys < self._limit
            keys, table = keys[kept], table.filter(pa.array(kept))
        self._keys, self._parts = [keys], [table.combine_chunks()]
