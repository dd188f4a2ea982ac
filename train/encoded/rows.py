"""Rows with everything that training needs of them."""

import dataclasses
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from polyrank.encoder import Batch


@dataclasses.dataclass(frozen=True, slots=True)
class EncodedRows:
    """Encoded rows.

    Attributes:
        ids: int64 [B, S], as in `Batch`.
        dense: float32 [B, D], as in `Batch`.
        labels: float32 [B, T], NaN where unobserved.
        weights: float32 [B, W], as in `Batch`; None where no bag is weighted.
        sample_weights: float32 [B], as the rows give them; None where the schema names no column.
        groups: int64 [B], fingerprints of the group column, -1 where missing; None where the schema names no column.
        split_keys: int64 [B], what the split looks at; None where it looks at nothing.
    """

    ids: NDArray[np.int64]
    dense: NDArray[np.float32]
    labels: NDArray[np.float32]
    weights: NDArray[np.float32] | None = None
    sample_weights: NDArray[np.float32] | None = None
    groups: NDArray[np.int64] | None = None
    split_keys: NDArray[np.int64] | None = None

    def __len__(self) -> int:
        """Return B, the number of rows."""
        return len(self.ids)

    @property
    def batch(self) -> Batch:
        """What the model takes, without a copy."""
        return Batch(self.ids, self.dense, self.weights)

    @property
    def row_bytes(self) -> int:
        """How many bytes a row takes."""
        return sum(array.itemsize * array[:1].size for array in self.arrays().values())

    def arrays(self) -> dict[str, NDArray[Any]]:
        """Return the arrays that there are, by name."""
        named = {field.name: getattr(self, field.name) for field in dataclasses.fields(self)}
        return {name: array for name, array in named.items() if array is not None}

    def empty(self, count: int) -> Self:
        """Return as many rows of the same columns, their values unset."""
        arrays = self.arrays()
        return type(self)(**{name: np.empty((count, *a.shape[1:]), a.dtype) for name, a in arrays.items()})

    def head(self, count: int) -> Self:
        """View the first rows."""
        return type(self)(**{name: array[:count] for name, array in self.arrays().items()})

    def copy_from(self, rows: Self, chosen: NDArray[np.int64], start: int) -> None:
        """Write the chosen rows of others over those from `start`."""
        for name, array in self.arrays().items():
            place = array[start : start + len(chosen)]
            np.take(getattr(rows, name), chosen, axis=0, out=place, mode="clip")  # clip writes without a buffer between
