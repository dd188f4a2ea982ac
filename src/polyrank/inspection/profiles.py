"""What the data say of a column that no schema describes yet."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from polyrank.errors import DataError, RowError
from polyrank.features import MAX_DIM, BagFeature, CategoricalFeature, NumericFeature, VectorFeature

from .dense import NumericInspector
from .hashed import HashedInspector
from .kinds import Reader
from .probes import ListProbe
from .shapes import ListCandidate, Shape, WordsCandidate, candidates
from .vectors import VectorInspector

MANY_TEXTS = 100
MANY_COLUMNS = 12


class Profile:
    """A column as it passes by.

    Attributes:
        name: of the column.
        type: of Arrow.
        form: `text`, `integer`, `float`, `list` of text or integers, or `vector`; None where it can be no feature.
        dtype: that its values are hashed under.
        single: reads it as one value in each row, or as the list or the vector that it is.
        refused: why it can be no feature; None where it can.
        low: the smallest number, exact for integers; None where there is none.
        high: the largest.
        nulls: how many rows are null.
        dim: of a vector, the length of the first.
    """

    def __init__(self, name: str, kind: Any) -> None:
        self.name, self.type = name, kind
        self.form, self.dtype = _form(kind)
        self.single = self._new_reader()
        self.refused = f"{kind} is no type of a feature; cast it at its source" if self.form is None else None
        self.low: Any = None
        self.high: Any = None
        self.nulls = 0
        self.dim = 0
        self._rows = 0
        self._candidates = candidates(name) if self.form == "text" else []

    def add(self, column: Any) -> None:
        """Read the next rows, an Arrow column."""
        import pyarrow as pa

        self.nulls += column.null_count
        if self.form == "vector" and self.single is None:
            self.single = self._new_vector(column)
        if self.single is not None and self.refused is None:
            try:
                self.single.add({self.name: column})
            except DataError as err:
                self.refused = str(err.after(self._rows) if isinstance(err, RowError) else err)
        self._rows += len(column)
        if self._candidates:
            texts = column.cast(pa.large_string())  # Arrow does not search dictionaries and views
            self._candidates = [one for one in self._candidates if one.fits(texts)]
        if self.form in ("integer", "float") or pa.types.is_timestamp(self.type):
            self._stretch(column)

    @property
    def shape(self) -> Shape | None:
        """How text is cut into lists; None where it is not."""
        found = self._candidate
        return found.shape if isinstance(found, ListCandidate) else None

    @property
    def has_words(self) -> bool:
        """Say whether text is to be read by its words."""
        return isinstance(self._candidate, WordsCandidate)

    @property
    def reader(self) -> Reader | None:
        """What reads the column as the feature that it might be."""
        found = self._candidate
        return self.single if found is None else found.probe

    @property
    def values(self) -> NDArray[np.int64]:
        """The distinct fingerprints of single values, int64 [n]."""
        known = None if self.single is None else self.single.distinct
        return np.empty(0, np.int64) if known is None else known.values

    @property
    def num_single(self) -> int | None:
        """How many distinct values there are where each row has one, None of floats."""
        known = None if self.single is None else self.single.distinct
        return None if known is None else len(known.values)

    def is_flag(self) -> bool:
        """Say whether the values are 0 and 1, and both are there."""
        whole = self.form == "integer" and self.num_single == 2  # noqa: PLR2004 (0 and 1)
        return whole and (self.low, self.high) == (0, 1)

    def is_constant(self) -> bool:
        """Say whether all values that are there are one; nothing is said of lists."""
        if self.form == "vector":
            return isinstance(self.single, VectorInspector) and not self.single.varies
        is_number = self.low is not None and self.low == self.high
        return self.form != "list" and (self.num_single == 1 or is_number)

    def is_unique(self, rows: int) -> bool:
        """Say whether each of several rows has a value of its own."""
        is_single = self.form in ("text", "integer") and self._candidate is None
        return is_single and rows > 1 and self.num_single == rows - self.nulls

    @property
    def _candidate(self) -> ListCandidate | WordsCandidate | None:
        """The first way to read text that has fewer values than there are texts, or words in many texts."""
        for one in self._candidates:
            has_words = isinstance(one, WordsCandidate)
            if len(self.values) >= MANY_TEXTS if has_words else len(one.probe.distinct.values) < len(self.values):
                return one
        return None

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

    def _new_reader(self) -> Reader | None:
        if self.form == "list":
            return ListProbe(BagFeature(name=self.name, dtype=self.dtype, num_buckets=1, max_length=1))
        if self.form == "float":
            return NumericInspector(NumericFeature(name=self.name), ())
        if self.form in ("text", "integer"):
            return HashedInspector(CategoricalFeature(name=self.name, dtype=self.dtype, num_buckets=1), ())
        return None

    def _new_vector(self, column: Any) -> Reader | None:
        """Take the length of the first list for that of all."""
        import pyarrow.compute as pc

        lengths = pc.drop_null(pc.list_value_length(column))
        if len(lengths) == 0:
            return None
        self.dim = lengths[0].as_py()
        if not 1 < self.dim <= MAX_DIM:
            self.refused = f"begins with a list of {self.dim} numbers; a vector has 2 to {MAX_DIM:,}"
            return None
        return VectorInspector(VectorFeature(name=self.name, dim=self.dim), ())


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
        known = {"text": "list", "integer": "list", "float": "vector"}.get(form or "")
        return (known, dtype)
    return None, None


def names_of(profiles: Sequence[Profile]) -> str:
    """Return the names of columns, for a message: of the first, where they are many."""
    more = f" and {len(profiles) - MANY_COLUMNS} more" if len(profiles) > MANY_COLUMNS else ""
    return ", ".join(repr(profile.name) for profile in profiles[:MANY_COLUMNS]) + more
