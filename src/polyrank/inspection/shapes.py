"""What text may be besides one value: a list with separators, with or without weights, or words."""

import dataclasses
import itertools
import re
from typing import Any

from polyrank.features import BagFeature, Dtype, TextFeature

from .probes import ListProbe, WordsProbe

MIN_LISTS = 0.2
"""The share of texts that hold more than one value, below which a separator is taken for a part of the values."""

MIN_SPACES = 2.0
MAX_WORDS = 256
SEPARATORS = (", ", ",", "|", ";")
WEIGHTED_SEPARATORS = (",", ";", "|", " ")
WEIGHT_SEPARATORS = (":", "=")
_WHOLE = "-?(0|[1-9][0-9]{0,17})"
_WEIGHT = r"-?([0-9]{1,18}(\.[0-9]*)?|\.[0-9]+)([eE][-+]?[01]?[0-9])?"
"""Numbers below 1e38, which 32 bits hold."""


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class Shape:
    """One way to read texts as lists.

    Attributes:
        pattern: of a regular expression that every text matches; None where any text does.
    """

    separator: str
    weight_separator: str | None = None
    dtype: Dtype = "text"
    pattern: str | None = None


def _shapes() -> list[Shape]:
    """Return all ways, those that ask for more first."""
    found = []
    dtypes: tuple[Dtype, ...] = ("int64", "text")
    for separator, weight, dtype in itertools.product(WEIGHTED_SEPARATORS, WEIGHT_SEPARATORS, dtypes):
        value = _WHOLE if dtype == "int64" else f"[^{re.escape(separator)}]*"
        item = f"{value}{re.escape(weight)}{_WEIGHT}"
        found.append(Shape(separator=separator, weight_separator=weight, dtype=dtype, pattern=_listed(item, separator)))
    found += [Shape(separator=one, dtype="int64", pattern=_listed(_WHOLE, one)) for one in SEPARATORS]
    return [*found, *(Shape(separator=one) for one in SEPARATORS)]


def _listed(item: str, separator: str) -> str:
    return f"^({item}({re.escape(separator)}{item})*)?$"


class ListCandidate:
    """A way to read a column as lists, as long as all texts fit and enough hold more than one value."""

    def __init__(self, name: str, shape: Shape) -> None:
        self.shape = shape
        bag = BagFeature(
            name=name,
            dtype=shape.dtype,
            num_buckets=1,
            max_length=1,
            separator=shape.separator,
            weight_separator=shape.weight_separator,
        )
        self.probe = ListProbe(bag)
        self._texts, self._lists = 0, 0

    def fits(self, column: Any) -> bool:
        """Read the next texts, and say whether they may be lists; if not, nothing more is to be read."""
        import pyarrow.compute as pc

        texts = column.drop_null()
        self._texts += len(texts)
        self._lists += pc.sum(pc.match_substring(texts, self.shape.separator)).as_py() or 0
        if self._lists < MIN_LISTS * self._texts:
            return False
        pattern = self.shape.pattern
        if pattern is not None and pc.all(pc.match_substring_regex(texts, pattern)).as_py() is False:
            return False
        self.probe.add({self.probe.feature.name: column})
        return True


class WordsCandidate:
    """A column of texts of several words."""

    def __init__(self, name: str) -> None:
        self.probe = WordsProbe(TextFeature(name=name, num_buckets=1, max_length=MAX_WORDS))
        self._texts, self._spaces = 0, 0

    def fits(self, column: Any) -> bool:
        """Read the next texts, and say whether they have words enough; if not, nothing more is to be read."""
        import pyarrow.compute as pc

        self._texts += len(column) - column.null_count
        self._spaces += pc.sum(pc.count_substring(column, " ")).as_py() or 0
        if self._spaces < MIN_SPACES * self._texts:
            return False
        self.probe.add({self.probe.feature.name: column})
        return True


def candidates(name: str) -> "list[ListCandidate | WordsCandidate]":
    """Return every way to read a column of text, the one to be preferred first."""
    return [*(ListCandidate(name, shape) for shape in _shapes()), WordsCandidate(name)]
