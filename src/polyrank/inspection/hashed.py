"""What the data say of categorical and bag features."""

from collections.abc import Iterator
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from polyrank.errors import DataError
from polyrank.features import BagFeature, CategoricalFeature, Dtype, SharingFeature
from polyrank.fingerprint import MISSING, fingerprint

from .findings import Finding
from .signals import Signal, ValueSignal

MANY_TRUNCATED = 0.1


class Distinct:
    """The distinct fingerprints of a column, as it passes by."""

    def __init__(self) -> None:
        self.values: NDArray[np.int64] = np.empty(0, np.int64)

    def add(self, fingerprints: NDArray[np.int64]) -> None:
        """Add some; missing ones do not count."""
        self.values = np.union1d(self.values, fingerprints[fingerprints != MISSING])


class CategoricalInspector:
    """One value in each row."""

    def __init__(self, feature: CategoricalFeature) -> None:
        self.feature = feature
        self.distinct = Distinct()
        self.missing = 0
        self.truncated: int | None = None

    def add(self, column: Any) -> None:
        """Read the next rows, an Arrow array.

        Raises:
            DataError: a value does not fit the feature.
        """
        fingerprints = hash_values(self.feature, column)
        self.missing += int((fingerprints == MISSING).sum())
        self.distinct.add(fingerprints)

    def findings(self, rows: int) -> Iterator[Finding]:
        """Judge, after the last of `rows` rows."""
        if len(self.distinct.values) == 1 and self.missing == 0:
            yield constant(self.feature.name, rows)

    def signal(self, column: Any) -> Signal:
        """Return what a column of rows says in each."""
        fingerprints = hash_values(self.feature, column)
        return ValueSignal.of(np.arange(len(fingerprints)), fingerprints)


class BagInspector:
    """A list of values in each row."""

    def __init__(self, feature: BagFeature) -> None:
        self.feature = feature
        self.distinct = Distinct()
        self.missing = 0
        self.truncated = 0
        self.longest = 0

    def add(self, column: Any) -> None:
        """Read the next rows; see `CategoricalInspector.add`."""
        lengths, fingerprints = hash_lists(self.feature, column)
        present = np.bincount(np.repeat(np.arange(len(lengths)), lengths)[fingerprints != MISSING], None, len(lengths))
        self.missing += int((present == 0).sum())
        self.truncated += int((lengths > self.feature.max_length).sum())
        self.longest = max(self.longest, int(lengths.max(initial=0)))
        self.distinct.add(fingerprints)

    def findings(self, rows: int) -> Iterator[Finding]:
        """Judge, after the last of `rows` rows."""
        share = self.truncated / rows
        if share > 0:
            yield Finding(
                level="warning" if share > MANY_TRUNCATED else "note",
                check="truncation",
                column=self.feature.name,
                message=f"{share:.1%} of lists exceed max_length {self.feature.max_length} and lose their tail; "
                f"the longest holds {self.longest:,}; raise max_length, or put what matters first",
            )

    def signal(self, column: Any) -> Signal:
        """Return what a column of lists says in each row; an empty one counts as a missing value."""
        lengths, fingerprints = hash_lists(self.feature, column)
        empty = np.flatnonzero(lengths == 0)
        rows = np.concatenate([np.repeat(np.arange(len(lengths)), lengths), empty])
        return ValueSignal.of(rows, np.concatenate([fingerprints, np.full(len(empty), MISSING)]))


def hash_values(feature: SharingFeature, column: Any) -> NDArray[np.int64]:
    """Fingerprint a column as training does."""
    dtype = cast("Dtype", feature.dtype)
    return fingerprint(column, dtype=dtype, missing=feature.missing, column=feature.name)


def hash_lists(feature: SharingFeature, column: Any) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the length of each list, int64 [B], and the fingerprints of their values end to end, int64 [n].

    Raises:
        DataError: the column holds no lists, or a value does not fit the feature.
    """
    import pyarrow.compute as pc

    if not any(is_kind(column.type) for is_kind in _list_kinds()):
        raise DataError(f"column {feature.name!r} holds {column.type}; a bag takes lists")
    lengths = pc.fill_null(pc.list_value_length(column), 0).to_numpy(zero_copy_only=False).astype(np.int64)
    return lengths, hash_values(feature, pc.list_flatten(column))


def _list_kinds() -> tuple[Any, ...]:
    from pyarrow import types

    plain = (types.is_list, types.is_large_list, types.is_fixed_size_list)
    return (*plain, types.is_list_view, types.is_large_list_view)


def constant(name: str, rows: int) -> Finding:
    """Return the finding of a feature that tells nothing."""
    return Finding(
        level="warning",
        check="constant",
        column=name,
        message=f"has one value in all {rows:,} rows, which tells a model nothing; leave the feature out",
    )
