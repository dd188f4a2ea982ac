"""Whole tables to the arrays of a model, in one pass of the extension over all columns and rows.

What the extension does not read - columns of decimals, rows that mix types - is read by way of pyarrow, which also
finds the words for a value that is refused.
"""

import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from polyrank import _native
from polyrank.arguments import instance, integer, listed
from polyrank.canonical.arrow import table_of
from polyrank.errors import DataError
from polyrank.fingerprint import fingerprint, fingerprint_cross
from polyrank.ngrams import fingerprint_ngrams
from polyrank.rows import Column, Rows, columns_of, num_rows

from .groups import BagGroup as BagGroup
from .groups import CategoricalGroup as CategoricalGroup
from .groups import CrossGroup as CrossGroup
from .groups import Field as Field
from .groups import Group as Group
from .groups import NGramGroup as NGramGroup
from .groups import NumberGroup as NumberGroup
from .groups import VectorGroup as VectorGroup
from .identities import fill_identities, identities
from .lists import bag, bag_weights
from .numbers import logged_numbers
from .numbers import numbers as numbers
from .vectors import vectors

MAX_THREADS = 1024

ArrayError, TensorLayout = _native.ArrayError, _native.TensorLayout
"""Columns that come as the tensors of an inference server; see polyrank.raw_inputs."""

Arrays = tuple[NDArray[np.int64], NDArray[np.float32] | None, NDArray[np.float32]]
"""ids int64 [B, S], weights float32 [B, W] or None where W is 0, dense float32 [B, D]."""


class TableEncoder:
    """Encodes tables into groups of slots. Immutable; safe to share between threads.

    >>> user = CategoricalGroup(field=Field(name="user", dtype="int64"))
    >>> table = TableEncoder([user, NumberGroup(name="age")])
    >>> ids, _, dense = table.encode([{"user": 46, "age": 30}])
    >>> ids.tolist(), dense.tolist()
    ([[1516787460400590945]], [[30.0]])

    Attributes:
        groups: what the slots hold, in order.
        columns: the columns that rows need, each once.
    """

    def __init__(self, groups: Sequence[Group], threads: int | None = None) -> None:
        """Prepare `groups`; a table is split between up to `threads` (default: the processors at hand).

        Raises:
            ConfigError: there is no group, or `threads` is not in [1, 1024].
        """
        self.groups = tuple(listed("groups", groups, "groups"))
        for index, group in enumerate(self.groups):
            instance(f"groups[{index}]", group, Group, "a group such as CategoricalGroup")
        self.columns = tuple(dict.fromkeys(name for group in self.groups for name in group.columns))
        self._identities = {
            index: group
            for index, group in enumerate(self.groups)
            if isinstance(group, CategoricalGroup | BagGroup) and group.field.identity
        }
        self._reads_lists = any(isinstance(group, BagGroup | VectorGroup) for group in self.groups)
        self._threads = _num_threads(threads)
        self._plan = _native.TablePlan([group.described() for group in self.groups])

    def __reduce__(self) -> tuple[type, tuple[Any, ...]]:
        return type(self), (self.groups, self._threads)

    def encode(self, rows: Rows, out: Arrays | None = None) -> Arrays:
        """Encode rows, into `out` where it is given; columns that no group reads are ignored.

        The arrays of `out` may share memory with the rows, but not with one another. After an error their content is
        unspecified.

        Raises:
            DataError: no rows, a column is missing, or a value does not fit its group; the message names column, value
                and row.
            ConfigError: `out` is not three arrays.
            TypeError: an array of `out` has another dtype.
            ValueError: an array of `out` has another shape, is not contiguous or not writable, or two share memory.
        """
        arrays: Arrays | None = None
        if isinstance(rows, list | tuple):
            # Numpy arrays among the values may share memory with `out`.
            direct = None if self._reads_lists else out
            arrays = self._plan.encode_dicts(rows, direct)
            arrays = self._placed(arrays, out) if arrays is not None and self._identify(rows, arrays) else None
        elif (isinstance(rows, _native.TensorTable) or _is_table(rows)) and not self._identities:
            arrays = self._encode_table(rows, out, lambda: columns_of(rows, self.columns), whole=True)
        return self.encode_columns(columns_of(rows, self.columns), out) if arrays is None else arrays

    def encode_columns(self, columns: Mapping[str, Column], out: Arrays | None = None) -> Arrays:
        """Encode columns that `columns_of` has picked; see `encode`."""
        import pyarrow as pa

        readable = {
            name: columns[name] for name in self.columns if isinstance(columns[name], pa.Array | pa.ChunkedArray)
        }
        # A list may hold memory that nothing here can see, and `out` must not be written before all is read.
        direct = out if len(readable) == len(self.columns) and not self._identities else None
        arrays = self._encode_table(table_of(readable), direct, lambda: columns, whole=False) if readable else None
        arrays = self._read_all(columns) if arrays is None else arrays
        self._read(self._identities, columns, arrays)
        return self._placed(arrays, out)

    def _identify(self, rows: Sequence[Mapping[str, Any]], arrays: Arrays) -> bool:
        """Write ids without a hash over their slots; return whether all are in range."""
        are_in_range = True
        for index, group in self._identities.items():
            values = [row.get(group.field.name) for row in rows]
            lists = values if isinstance(group, BagGroup) else [(value,) for value in values]
            slots = arrays[0][:, slice(*self._plan.slots(index))]
            are_in_range &= fill_identities(slots, group.field, lists)
        return are_in_range

    def _encode_table(
        self, table: Any, out: Arrays | None, columns: Callable[[], Mapping[str, Column]], *, whole: bool
    ) -> Arrays | None:
        try:
            found = self._plan.encode_table(table, self._threads, out, whole)
        except _native.ArrayError as err:
            raise DataError(str(err)) from err
        if isinstance(found, int):
            return self._placed(self._read_refused(found, columns()), out)
        if found is None:
            return None
        arrays, unread = found[:3], found[3]
        if unread:
            self._read(unread, columns(), arrays)
        return arrays if out is None or arrays[0] is out[0] else self._placed(arrays, out)

    def _placed(self, arrays: Arrays, out: Arrays | None) -> Arrays:
        """Return `arrays`, copied to `out` where it is given and they lie elsewhere."""
        if out is None:
            return arrays
        placed = self._plan.matrices(len(arrays[0]), out)
        for array, place in zip(arrays, placed, strict=True):
            if array is not None and place is not None and place is not array:
                np.copyto(place, array)
        return placed

    def _read_refused(self, group: int, columns: Mapping[str, Column]) -> Arrays:
        """Raise the error of a group that refuses a value."""
        spare = self._plan.matrices(num_rows(columns))
        self._read([group], columns, spare)
        return self._read_all(columns)

    def _read_all(self, columns: Mapping[str, Column]) -> Arrays:
        arrays = self._plan.matrices(num_rows(columns))
        self._read(range(len(self.groups)), columns, arrays)
        return arrays

    def _read(self, indices: Iterable[int], columns: Mapping[str, Column], into: Arrays) -> None:
        """Read groups by way of pyarrow."""
        ids, weights, dense = into
        for index in indices:
            group = self.groups[index]
            slots = slice(*self._plan.slots(index))
            if isinstance(group, NumberGroup):
                dense[:, slots.start] = _numbers(group, columns[group.name])
            elif isinstance(group, VectorGroup):
                dense[:, slots] = vectors(group, columns[group.name])
            else:
                ids[:, slots] = _fingerprints(group, columns)
            if isinstance(group, BagGroup) and group.weights is not None and weights is not None:
                start = self._plan.first_weight(index)
                bags = columns[group.field.name]
                weights[:, start : start + group.max_length] = bag_weights(group, columns[group.weights], bags)


def _num_threads(threads: int | None) -> int:
    if threads is None:
        return min(len(os.sched_getaffinity(0)), MAX_THREADS)
    return integer("threads", threads, range(1, MAX_THREADS + 1), f"[1, {MAX_THREADS}]")


def _numbers(group: NumberGroup, column: Column) -> NDArray[np.float32]:
    return logged_numbers(column, group.name) if group.log1p else numbers(column, group.name)


def _fingerprints(
    group: CategoricalGroup | BagGroup | CrossGroup | NGramGroup, columns: Mapping[str, Column]
) -> NDArray[np.int64]:
    """Fingerprint one group, int64 [B, its slots]."""
    if isinstance(group, CrossGroup):
        return fingerprint_cross(
            [columns[name] for name in group.columns],
            dtypes=[part.dtype for part in group.parts],
            missing=[part.missing for part in group.parts],
            columns=group.columns,
        )[:, None]
    field, column = group.field, columns[group.field.name]
    if isinstance(group, BagGroup):
        return bag(group, column)
    if isinstance(group, NGramGroup):
        return fingerprint_ngrams(
            column, sizes=group.sizes, max_length=group.max_length, missing=field.missing, column=field.name
        )
    if field.identity:
        return identities(field, column)[:, None]
    return fingerprint(column, dtype=field.dtype, missing=field.missing, column=field.name)[:, None]


def _is_table(rows: Rows) -> bool:
    """Say whether `rows` is a table whose columns may be read again: an error is worded by a second reading."""
    import pyarrow as pa

    return isinstance(rows, pa.Table | pa.RecordBatch) or (
        type(rows).__module__.startswith("polars.") and hasattr(rows, "__arrow_c_stream__") and hasattr(rows, "columns")
    )
