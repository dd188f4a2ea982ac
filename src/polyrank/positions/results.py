"""The examination of ranks, as it is written to a file."""

from typing import ClassVar

import msgspec
import numpy as np
from numpy.typing import NDArray

from polyrank.errors import RowError
from polyrank.metrics import Interval
from polyrank.result_files import ResultFile

from .options import Method


class RankExamination(msgspec.Struct, frozen=True, kw_only=True):
    """A place in lists.

    Attributes:
        rank: from 1.
        examination: how likely it is looked at, as a share of how likely the first is.
        interval: of it; None of the first, and where fewer than two users tell.
        impressions: items shown there.
        clicks: labels of 1 among them.
    """

    rank: int
    examination: float
    interval: Interval | None
    impressions: int
    clicks: int


class Positions(ResultFile, msgspec.Struct, frozen=True, kw_only=True):
    """How likely places in lists are looked at.

    Attributes:
        task: whose label is what follows from a look.
        method: that found it.
        confidence: of intervals.
        limit: of a weight.
        users: who the rows are of.
        rows: that were used.
        ranks: from 1, without a gap.
        format: of this file.
    """

    noun: ClassVar[str] = "estimate of positions"
    verb: ClassVar[str] = "positions"
    newest: ClassVar[int] = 1

    task: str
    method: Method
    confidence: float
    limit: float
    users: int
    rows: int
    ranks: tuple[RankExamination, ...]
    format: int = 1

    def weights(self, ranks: NDArray[np.int64]) -> NDArray[np.float32]:
        """Return inverse propensity weights of rows at these ranks, float32 [B], at most `limit`.

        A rank beyond those that are known has the weight of the last.

        Args:
            ranks: int64 [B], from 1.

        Raises:
            DataError: a rank is below 1.
        """
        wrong = ranks < 1
        if wrong.any():
            row = int(wrong.argmax())
            raise RowError(f"rank holds {ranks[row]}", row, "; places from 1 expected")
        known = np.array([max(each.examination, 1 / self.limit) for each in self.ranks])
        found: NDArray[np.float32] = (1 / known[np.minimum(ranks, len(known)) - 1]).astype(np.float32)
        return found
