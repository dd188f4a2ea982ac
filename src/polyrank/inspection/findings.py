"""What was found in data under a schema."""

from typing import Literal, get_args

import msgspec

Level = Literal["error", "warning", "note"]
LEVELS: tuple[Level, ...] = get_args(Level)
"""The gravest first."""


class Finding(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One thing to know.

    Attributes:
        level: `error`: training fails, or learns from nothing; `warning`: somebody should decide; `note`: good to know.
        check: which check found it.
        message: one line, with what to do.
        column: the column it is about, or none.
    """

    level: Level
    check: str
    message: str
    column: str | None = None


class Table(msgspec.Struct, frozen=True, kw_only=True):
    """How full an embedding table is.

    Attributes:
        distinct: distinct values, of all features that share the table.
        num_buckets: rows of the table.
        expected_collisions: share of distinct values that share a bucket with another, as a random hash has it.
        collisions: the same, measured.
        suggested_buckets: a number of rows with four for each value, under which few collide.
    """

    distinct: int
    num_buckets: int
    expected_collisions: float
    collisions: float
    suggested_buckets: int


class FeatureFacts(msgspec.Struct, frozen=True, kw_only=True):
    """What the data say of a feature.

    Attributes:
        missing: share of rows with no value; of a bag, with none in its list.
        table: of hashed features.
        truncated: share of lists or texts that are longer than `max_length`.
        mean_length: how many values a list has on average.
        longest: how many values the longest list has.
        empty_buckets: how many buckets of `boundaries` no row falls into.
        outside: share of rows below the first or from the last of `boundaries` on.
        zero: share of rows whose vector is all zeros.
        alone: by task, how well the feature alone tells the label: AUC, or the absolute correlation.
    """

    name: str
    kind: str
    missing: float | None = None
    table: Table | None = None
    truncated: float | None = None
    mean_length: float | None = None
    longest: int | None = None
    empty_buckets: int | None = None
    outside: float | None = None
    zero: float | None = None
    alone: dict[str, float] = {}


class TaskFacts(msgspec.Struct, frozen=True, kw_only=True):
    """What the data say of a task's label: the share of rows that count, and the mean of their labels."""

    name: str
    kind: str
    observed: float
    mean: float | None


class Side(msgspec.Struct, frozen=True, kw_only=True):
    """One side of the split: its rows, and its first and last time, under a time split."""

    rows: int
    first: str | None = None
    last: str | None = None


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """All of it; `sample_rows` rows, drawn at random, stand for `rows` where single features are set against labels."""

    rows: int
    sample_rows: int
    findings: tuple[Finding, ...]
    features: tuple[FeatureFacts, ...]
    tasks: tuple[TaskFacts, ...]
    split: dict[str, Side]

    def count(self, level: Level) -> int:
        """Return the number of findings of a level."""
        return sum(finding.level == level for finding in self.findings)


def constant(name: str, rows: int) -> Finding:
    """Return the finding of a feature that tells nothing."""
    return Finding(
        level="warning",
        check="constant",
        column=name,
        message=f"has one value in all {rows:,} rows, which tells a model nothing; leave the feature out",
    )
