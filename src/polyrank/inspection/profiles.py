"""What the data say of a column that no schema describes yet."""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from polyrank.batch.source import open_rows
from polyrank.errors import DataError
from polyrank.features import BagFeature, CategoricalFeature, NumericFeature
from polyrank.files import check_columns

from .dense import NumericInspector
from .hashed import BagInspector, CategoricalInspector
from .kinds import Inspector
from .sampling import Sample


class Profile:
    """A column as it passes by.

    Attributes:
        name: of the column.
        type: of Arrow.
        form: `text`, `integer`, `float` or `list`; None where it can be no feature.
        inspector: reads it as the feature that it might be.
        low: the smallest number, exact for integers; None where there is none.
        high: the largest.
        lengths: how often each length of a list is there.
    """

    def __init__(self, name: str, kind: Any) -> None:
        self.name, self.type = name, kind
        self.form, self.dtype = _form(kind)
        self.inspector = self._new_inspector()
        self.low: Any = None
        self.high: Any = None
        self.lengths: Counter[int] = Counter()
        self.nulls = 0

    def add(self, column: Any) -> None:
        """Read the next rows, an Arrow array."""
        import pyarrow as pa
        import pyarrow.compute as pc

        self.nulls += column.null_count
        if self.inspector is not None:
            self.inspector.add(column)
        if self.form == "list":
            self.lengths.update(pc.fill_null(pc.list_value_length(column), 0).to_pylist())
        if self.form in ("integer", "float") or pa.types.is_timestamp(self.type):
            self._stretch(column)

    @property
    def num_distinct(self) -> int | None:
        """How many distinct values there are, None of floats."""
        known = None if self.inspector is None else self.inspector.distinct
        return None if known is None else len(known.values)

    def is_flag(self) -> bool:
        """Say whether the values are 0 and 1, and both are there."""
        whole = self.form == "integer" and self.num_distinct == 2  # noqa: PLR2004 (0 and 1)
        return whole and (self.low, self.high) == (0, 1)

    def _stretch(self, column: Any) -> None:
        import pyarrow as pa
        import pyarrow.compute as pc

        if pa.types.is_timestamp(self.type):
            column = column.cast(pa.int64())
        elif pa.types.is_boolean(self.type):
            column = column.cast(pa.int8())
        ends = [end for end in pc.min_max(column).as_py().values() if end is not None]
        known = [*ends, *(end for end in (self.low, self.high) if end is not None)]
        if known:
            self.low, self.high = min(known), max(known)

    def _new_inspector(self) -> Inspector | None:
        if self.form == "list":
            return BagInspector(BagFeature(name=self.name, dtype=self.dtype, num_buckets=1, max_length=1))
        if self.form == "float":
            return NumericInspector(NumericFeature(name=self.name))
        if self.form is None:
            return None
        return CategoricalInspector(CategoricalFeature(name=self.name, dtype=self.dtype, num_buckets=1))


def read_profiles(file: Path, sample_rows: int, seed: int, progress: Any) -> tuple[dict[str, Profile], Any, int]:
    """Return a profile for each column of a file, a sample of its rows, and how many there are.

    Raises:
        DataError: the file cannot be read, holds a column twice, or holds no row.
    """
    sample, rows = Sample(sample_rows, np.random.default_rng((seed, *b"sample"))), 0
    with open_rows(file, ()) as stream:
        check_columns(file, stream.schema.names, stream.schema.names)
        profiles = {field.name: Profile(field.name, field.type) for field in stream.schema}
        for batch, _ in stream.batches:
            _add(profiles.values(), batch)
            sample.add(batch)
            rows += batch.num_rows
            progress(rows, stream.num_rows)
    if rows == 0:
        raise DataError(f"{file} holds no row; give a file with rows")
    return profiles, sample.table(), rows


def _add(profiles: Any, batch: Any) -> None:
    for profile in profiles:
        profile.add(batch.column(profile.name))


def _form(kind: Any) -> tuple[str | None, Any]:
    """Return what values of an Arrow type are, and the dtype that hashes them."""
    import pyarrow as pa

    types = pa.types
    if types.is_dictionary(kind):
        kind = kind.value_type
    if types.is_string(kind) or types.is_large_string(kind) or types.is_string_view(kind):
        return "text", "text"
    if types.is_boolean(kind) or (types.is_integer(kind) and not types.is_uint64(kind)):
        return "integer", "int64"
    if types.is_floating(kind):
        return "float", None
    if types.is_list(kind) or types.is_large_list(kind) or types.is_fixed_size_list(kind):
        form, dtype = _form(kind.value_type)
        return ("list", dtype) if form in ("text", "integer") else (None, None)
    return None, None


def names_of(profiles: Sequence[Profile]) -> str:
    """Return the names of columns, for a message."""
    return ", ".join(repr(profile.name) for profile in profiles)
