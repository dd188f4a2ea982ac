"""How the examination of ranks is estimated."""

import math
from typing import Literal, get_args

import msgspec

from polyrank.arguments import inner_share, instance, integer, is_number, shown
from polyrank.errors import ConfigError
from polyrank.impressions import RANK

Method = Literal["pairs", "em"]
Wish = Literal["auto", "pairs", "em"]


class PositionOptions(msgspec.Struct, frozen=True, kw_only=True):
    """How the examination of ranks is estimated.

    Attributes:
        task: a binary one; the schema's first when None.
        rank: column of places in the list, whole numbers from 1.
        method: `pairs` of ranks at which an item was shown to one user, `em`, regression by scores, or `auto`: pairs
            where there are enough of them.
        user: column of users; by default the schema's `group`, or its first categorical feature of users.
        item: column of items; by default the schema's first categorical feature of items.
        score: column of numbers that tell relevance for `em`; by default answers for the task in a column `scores`, as
            the impression log has it, or `rank_score`.
        max_rank: rows further down are left out.
        limit: of a weight.
        confidence: of intervals, in (0, 1).
    """

    task: str | None = None
    rank: str = RANK
    method: Wish = "auto"
    user: str | None = None
    item: str | None = None
    score: str | None = None
    max_rank: int = 20
    limit: float = 10.0
    confidence: float = 0.95

    def __post_init__(self) -> None:
        """Check ranges.

        Raises:
            ConfigError: a value is out of range.
        """
        if self.task is not None:
            instance("task", self.task, str, "the name of a task")
        integer("max_rank", self.max_rank, range(2, 201), "[2, 200]")
        if not is_number(self.limit) or not 1 <= self.limit < math.inf:
            raise ConfigError(f"limit must be 1 or above and finite, got {shown(self.limit)}")
        inner_share("confidence", self.confidence)
        if self.method not in get_args(Wish):
            raise ConfigError(f"method must be one of {', '.join(get_args(Wish))}, got {shown(self.method)}")
