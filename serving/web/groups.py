"""Rows by the values of a column."""

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    import pyarrow as pa


class Groups:
    """Which rows have which value of a column; a missing value is of no group."""

    def __init__(self, column: "pa.ChunkedArray") -> None:
        import pyarrow as pa

        coded = column.combine_chunks().cast(pa.string()).dictionary_encode()
        codes = coded.indices.fill_null(-1).to_numpy(zero_copy_only=False)
        self.names: list[str] = coded.dictionary.to_pylist()
        self._order = np.argsort(codes, kind="stable")
        self._ends = np.searchsorted(codes[self._order], np.arange(len(self.names) + 1))
        self._places = {name: place for place, name in enumerate(self.names)}

    @property
    def sizes(self) -> NDArray[np.int64]:
        """Rows of each group."""
        return np.diff(self._ends)

    @property
    def last(self) -> NDArray[np.int64]:
        """The last row of each group."""
        return self._order[self._ends[1:] - 1]

    def rows(self, name: str) -> NDArray[np.int64]:
        """Return the rows of a group in their order; none where there is no such group."""
        place = self._places.get(name)
        return self._order[:0] if place is None else self._order[self._ends[place] : self._ends[place + 1]]
