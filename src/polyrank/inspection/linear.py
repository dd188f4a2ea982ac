"""How well a linear function of vectors tells a label."""

import dataclasses

import numpy as np
from numpy.typing import NDArray

STEPS = 50
TOLERANCE = 1e-10
RIDGE = 1.0
"""Weighs slopes of columns with a variance of 1 against the squared errors of all rows."""


@dataclasses.dataclass(frozen=True, slots=True)
class VectorSignal:
    """A vector in each row.

    Attributes:
        vectors: float32 [B, D], NaN where missing.
    """

    vectors: NDArray[np.float32]
    is_directed = True

    def scores(self, labels: NDArray[np.float64], fitted: NDArray[np.bool_]) -> list[NDArray[np.float64]]:
        """Return a linear function of the vectors that fits the labels of the `fitted` rows.

        Ridge regression, by conjugate gradients on its normal equations (Hestenes and Stiefel, 1952).
        """
        missing = np.isnan(self.vectors[:, :1])
        columns = np.hstack([np.where(missing, 0, self.vectors), missing]).astype(np.float32)
        mean, spread = columns[fitted].mean(axis=0), columns[fitted].std(axis=0)
        columns -= mean
        columns /= np.where(spread > 0, spread, 1)
        known = columns[fitted]
        return [columns @ _slopes(known, labels[fitted] - labels[fitted].mean())]


def _slopes(columns: NDArray[np.float32], labels: NDArray[np.float64]) -> NDArray[np.float64]:
    wanted = columns.T @ labels
    slopes, rest = np.zeros(len(wanted)), wanted
    direction, size = rest, float(rest @ rest)
    enough = TOLERANCE * size
    for _ in range(STEPS):
        if size <= enough:
            break
        image = columns.T @ (columns @ direction) + RIDGE * direction
        step = size / float(direction @ image)
        slopes, rest = slopes + step * direction, rest - step * image
        size, before = float(rest @ rest), size
        direction = rest + size / before * direction
    return slopes
