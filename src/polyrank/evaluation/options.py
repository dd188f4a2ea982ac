"""How a model is evaluated."""

import dataclasses
import math
import os
from collections.abc import Callable, Mapping, Sequence

from polyrank.arguments import integer
from polyrank.errors import ConfigError
from polyrank.files import Location, check_encoding
from polyrank.metrics import Bootstrap

MAX_ROWS = 10_000_000

StepProgress = Callable[[str, int, int | None], None]
"""Is told what is being done, how many rows of it are done, and of how many if that is known."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class EvaluationOptions:
    """How a model is evaluated.

    Attributes:
        by: columns whose values part the rows, beside those that are chosen without being asked for.
        weights: of tasks in the score that orders items; None weighs all alike.
        k: rows or items that count as the best.
        user: column that names users; None takes the schema's group, else its first categorical feature of users.
        item: column that names items; None takes the first categorical feature of items.
        known: rows that the model was trained on, to tell new users and items from known ones; None does not, unless
            the rows that are evaluated are a part of the data, whose other part is then taken.
        resamples: of the bootstrap; enough that one lies beyond either end of an interval, `2 / (1 - level)`.
        level: of the confidence intervals, in (0, 1).
        seed: of all that is drawn.
        importance_rows: drawn for the importance of columns; 0 leaves it out.
        shuffles: of each column.
        catalogue_users: drawn for what users would see of all items; 0 leaves it out.
        encoding: of CSV and JSON Lines files; None takes that of the run whose validation rows are evaluated, else
            UTF-8.
        threads: how many measure resamples and parts; None takes all that the process may use.
        progress: see `StepProgress`.
    """

    by: Sequence[str] = ()
    weights: Mapping[str, float] | None = None
    k: int = 10
    user: str | None = None
    item: str | None = None
    known: Location | None = None
    resamples: int = 100
    level: float = 0.95
    seed: int = 0
    importance_rows: int = 10_000
    shuffles: int = 3
    catalogue_users: int = 100
    encoding: str | None = None
    threads: int | None = None
    progress: StepProgress = lambda _what, _done, _total: None

    def __post_init__(self) -> None:
        """Check ranges.

        Raises:
            ConfigError: a value is out of range, no encoding is known by that name, resamples are too few for the
                level, or `by` names a column twice.
        """
        integer("k", self.k, range(1, 10_001), "[1, 10000]")
        integer("shuffles", self.shuffles, range(1, 101), "[1, 100]")
        for name in ("importance_rows", "catalogue_users"):
            integer(name, getattr(self, name), range(MAX_ROWS + 1), f"[0, {MAX_ROWS}]")
        if self.encoding is not None:
            check_encoding("encoding", self.encoding)
        self.bootstrap()
        least = math.ceil(round(2 / (1 - self.level), 6))
        if self.resamples < least:
            raise ConfigError(f"resamples must be at least {least:,} for level {self.level:g}, got {self.resamples:,}")
        for name in self.by:
            if list(self.by).count(name) > 1:
                raise ConfigError(f"by names column {name!r} twice; name it once")

    def bootstrap(self) -> Bootstrap:
        """Return how intervals are found."""
        threads = len(os.sched_getaffinity(0)) if self.threads is None else self.threads
        return Bootstrap(level=self.level, resamples=self.resamples, seed=self.seed, threads=threads)
