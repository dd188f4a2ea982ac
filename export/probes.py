"""Rows to compare a graph with its model on: real ones, awkward ones, and numbers far off the scale."""

import dataclasses
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from polyrank.encoder import Batch, slot_layout
from polyrank.schema import Schema

from .subject import Subject

BATCH_SIZES = (1, 2, 33, 1000, 4096)
"""The last is the largest request that a published model takes, unless it is told otherwise."""

BASE_ROWS = 16
"""Rows of the sample that awkward ones are made of."""

Number = TypeVar("Number", np.int64, np.float32)

_EDGES = np.array(
    [2**63 - 1, 2**63 - 2, 2**62, 2**32, 2**31, 2**31 - 1, 1, 0, -1, -2, -(2**31), -(2**63) + 1, -(2**63)], np.int64
)
_LARGEST = 3.4028235e38
_NUMBERS = np.array(
    [0.0, -0.0, 1e-45, -1.0, 1e3, -1e3, np.nan, 1e6, -1e6, 1e30, -1e30, _LARGEST, -_LARGEST], np.float32
)
_SHARES = np.array([1.0, 0.0, 1e-30, -1.0, 1e4, 1e30], np.float32)


@dataclasses.dataclass(frozen=True)
class Probe:
    """Rows of one kind.

    Attributes:
        name: `sample`, `awkward` or `extreme`.
        rows: go through the graph at each of `BATCH_SIZES`, repeated as often as needed.
        is_strict: whether answers may differ by no more than the tolerance, however far rounding alone moves them.
    """

    name: str
    rows: Batch
    is_strict: bool

    def batch(self, size: int) -> Batch:
        """Return `size` rows."""
        return self.rows[self.places(size)]

    def places(self, size: int) -> NDArray[np.int64]:
        """Return which rows those of `batch(size)` are."""
        return np.arange(size) % len(self.rows)


def make_probes(ranker: Subject) -> tuple[Probe, ...]:
    """Make the rows: see `sample_rows`, `awkward_rows` and `extreme_rows`."""
    found = [
        Probe("sample", sample_rows(ranker, max(BATCH_SIZES)), is_strict=True),
        Probe("awkward", awkward_rows(ranker), is_strict=False),
    ]
    if ranker.sample.dense.shape[1] > 0 or ranker.sample.weights is not None:
        found.append(Probe("extreme", extreme_rows(ranker), is_strict=False))
    return tuple(found)


def sample_rows(ranker: Subject, count: int) -> Batch:
    """Take `count` rows of the validation sample, repeated when it is shorter; the second has every value missing."""
    real = _real_rows(ranker, count - 1)
    return _joined([real[:1], _missing(real[:1]), real[1:]])


def awkward_rows(ranker: Subject) -> Batch:
    """Make rows that logs have few of.

    Of 16 real rows each: no value, no number, empty bags, full bags of the fingerprints at both ends of int64, and such
    fingerprints everywhere, which are out of range of features with `identity`.
    """
    real = _real_rows(ranker, BASE_ROWS)
    slots = _slots_of_lists(ranker.schema)
    edges = _rolled(_EDGES, real.ids.shape)
    full = np.where(slots, np.where(edges < 0, -(edges + 1), edges), real.ids)
    shares = None if real.weights is None else np.ones_like(real.weights)
    return _joined(
        [
            _missing(real),
            dataclasses.replace(real, dense=np.full_like(real.dense, np.nan)),
            dataclasses.replace(real, ids=np.where(slots, -1, real.ids)),
            dataclasses.replace(real, ids=full, weights=shares),
            dataclasses.replace(real, ids=edges),
        ]
    )


def extreme_rows(ranker: Subject) -> Batch:
    """Make real rows with numbers up to the largest of float32, and weights of bags up to 1e30.

    Infinities are left out: no client can send one, since encoding refuses them.
    """
    real = _real_rows(ranker, len(_NUMBERS) * 2)
    numbers = _rolled(_NUMBERS, real.dense.shape)
    one = np.arange(real.dense.shape[1]) == np.arange(len(real))[:, None] % max(1, real.dense.shape[1])
    half = len(_NUMBERS)
    # In the first half every number is extreme, in the second one a row.
    dense = np.concatenate([numbers[:half], np.where(one, numbers, real.dense)[half:]])
    shares = None if real.weights is None else _rolled(_SHARES, real.weights.shape)
    return Batch(real.ids, dense, shares)


def _real_rows(ranker: Subject, count: int) -> Batch:
    return ranker.sample[np.arange(count) % len(ranker.sample)]


def _missing(rows: Batch) -> Batch:
    weights = None if rows.weights is None else np.zeros_like(rows.weights)
    return Batch(np.full_like(rows.ids, -1), np.full_like(rows.dense, np.nan), weights)


def _slots_of_lists(schema: Schema) -> NDArray[np.bool_]:
    """Mark the columns of `ids` that lists fill, bool [S]."""
    widths = [slots.stop - slots.start for slots in slot_layout(schema)]
    return np.repeat(np.array(widths, np.int64) > 1, widths)


def _rolled(values: NDArray[Number], shape: tuple[int, ...]) -> NDArray[Number]:
    """Fill rows with values in turn, so that each comes to each column."""
    places = np.arange(shape[0])[:, None] + np.arange(shape[1])
    found: NDArray[Number] = values[places % len(values)]
    return found


def _joined(parts: list[Batch]) -> Batch:
    weights = [part.weights for part in parts if part.weights is not None]
    return Batch(
        np.concatenate([part.ids for part in parts]),
        np.concatenate([part.dense for part in parts]),
        np.concatenate(weights) if weights else None,
    )
