"""What an evaluation finds, part by part."""

from typing import Literal

import msgspec

Interval = tuple[float, float]
"""Lower and upper end."""

SliceKind = Literal["column", "novelty", "activity"]


class MetricValue(msgspec.Struct, frozen=True, kw_only=True):
    """A metric of a task.

    Attributes:
        name: such as `auc`.
        best: whether a high value is good, a low one, or one near 1.
        value: None where undefined.
        interval: confidence interval; None where there is none, and of a part of too few rows or groups.
        undefined: why there is no value.
    """

    name: str
    best: Literal["high", "low", "one"]
    value: float | None
    interval: Interval | None = None
    undefined: str = ""


class SlicePart(msgspec.Struct, frozen=True, kw_only=True):
    """Rows with one value of what is sliced by.

    Attributes:
        value: as text, such as `7`, `18 to 25`, `missing` or `new`.
        rows: how many rows.
        metrics: by task, its first metric.
        calibration: by task, sum of the answers over sum of the labels; None where undefined, and of a multiclass task.
        worse: tasks in which the part is worse than all rows, beyond chance: of all parts of an evaluation that are
            said to be, a share of 1 - level is not.
    """

    value: str
    rows: int
    metrics: dict[str, MetricValue]
    calibration: dict[str, float | None]
    worse: tuple[str, ...] = ()


class Slice(msgspec.Struct, frozen=True, kw_only=True):
    """Rows by the values of a column, or of what is known of a user or item.

    Attributes:
        by: the column, or a phrase such as `rows of user_id`, `length of history` or `is video_id new`.
        kind: `column`, `novelty` (did training know the value?) or `activity` (how many rows has the value?).
        parts: one for each value, in the order of values; of more than shown the last is `others`.
    """

    by: str
    kind: SliceKind
    parts: tuple[SlicePart, ...]


class CalibrationBin(msgspec.Struct, frozen=True, kw_only=True):
    """Rows with answers near one another.

    Attributes:
        rows: how many.
        answer: their mean answer.
        label: their mean label.
        interval: confidence interval of the mean label.
    """

    rows: int
    answer: float
    label: float
    interval: Interval


class Distribution(msgspec.Struct, frozen=True, kw_only=True):
    """Histogram of the answers of a task.

    Attributes:
        edges: ends of the bins, one more than there are bins.
        series: rows in each bin, by label: `0` and `1` of a binary task, each class of a multiclass one (of whose
            answers it is the probability of the label), `all` otherwise.
    """

    edges: tuple[float, ...]
    series: dict[str, tuple[int, ...]]


class GroupAreas(msgspec.Struct, frozen=True, kw_only=True):
    """Area under the ROC curve of each group, such as a user, in one binary task.

    Attributes:
        groups: those with labels of both classes, whose areas these are.
        skipped_groups: the others.
        below_half: share of the groups whose area is below 0.5.
        below_half_by_chance: what that would be, of groups of as many rows of each label, if scores were random.
        quantiles: area by quantile: `0.05`, `0.25`, `0.5`, `0.75`, `0.95`.
        edges: ends of the bins of a histogram.
        counts: groups in each bin.
    """

    groups: int
    skipped_groups: int
    below_half: float
    below_half_by_chance: float
    quantiles: dict[str, float]
    edges: tuple[float, ...]
    counts: tuple[int, ...]


class OrderQuality(msgspec.Struct, frozen=True, kw_only=True):
    """How well a score that combines tasks orders the rows of groups, by one task's labels.

    Attributes:
        ndcg: normalised discounted cumulative gain of the best `k` rows, with the label as gain.
        recall: share of the positive rows that are among the best `k`; None of a task that is not binary.
        top_label: mean label of a group's best `k` rows, averaged over the groups that have more than `k`; None where
            none has.
        mean_label: mean label of all rows of a group, averaged likewise: what `top_label` is where scores are random.
        own_ndcg: what `ndcg` would be, if rows were in the order of this task's answers alone.
    """

    ndcg: float | None
    recall: float | None
    top_label: float | None
    mean_label: float | None
    own_ndcg: float | None


class Ordering(msgspec.Struct, frozen=True, kw_only=True):
    """How well groups are ordered under given task weights.

    Attributes:
        k: rows that count.
        weights: of the tasks in the score, which is their answers weighted and summed.
        groups: how many there are.
        groups_above_k: those of them with more than `k` rows, in which there is something to choose.
        tasks: by task with one answer.
    """

    k: int
    weights: dict[str, float]
    groups: int
    groups_above_k: int
    tasks: dict[str, OrderQuality]


class TradePoint(msgspec.Struct, frozen=True, kw_only=True):
    """Two tasks under one pair of weights.

    Attributes:
        share: of the second task, in [0, 1], where the answers of both are in units of their standard deviation.
        weights: the same as weights of the answers as they are.
        ndcg: of the first task and of the second; None where undefined.
    """

    share: float
    weights: tuple[float, float]
    ndcg: tuple[float | None, float | None]


class TradeOff(msgspec.Struct, frozen=True, kw_only=True):
    """What weighing one task more costs another.

    Attributes:
        tasks: the two.
        k: rows of a group that `ndcg` counts.
        rows: that it rests on: those of all groups, or of some, drawn at random.
        points: from the first task alone to the second alone.
    """

    tasks: tuple[str, str]
    k: int
    rows: int
    points: tuple[TradePoint, ...]


class Catalogue(msgspec.Struct, frozen=True, kw_only=True):
    """What users would see, if each were recommended the best of all items.

    Attributes:
        user: the column that names users.
        item: the column that names items.
        users: users drawn at random.
        items: items that were ranked for each.
        of_items: items that there are; more than `items` where some were drawn.
        k: items recommended to each.
        weights: of the tasks, as in `Ordering`.
        coverage: share of the items that somebody is recommended.
        possible_coverage: what it could be at most: `users * k` recommendations of different items.
        gini: inequality of how often items are recommended, 0 all alike, near 1 a few always.
        possible_gini: what it could be at least: `users * k` recommendations spread over all items.
        popularity: mean share of items that have fewer rows than a recommended one, in [0, 1]; 0.5 is by chance.
        logged_popularity: the same of the items in the rows.
        top_items: those recommended most: name, and share of the users.
    """

    user: str
    item: str
    users: int
    items: int
    of_items: int
    k: int
    weights: dict[str, float]
    coverage: float
    possible_coverage: float
    gini: float
    possible_gini: float
    popularity: float
    logged_popularity: float
    top_items: tuple[tuple[str, float], ...] = ()


class Importance(msgspec.Struct, frozen=True, kw_only=True):
    """How much worse a task becomes when a column's values are shuffled between rows.

    Attributes:
        column: which.
        losses: by task: how much worse its first metric is, mean of the shuffles, above 0 where the column helps.
        ranges: by task: the least and the largest of the shuffles.
    """

    column: str
    losses: dict[str, float]
    ranges: dict[str, Interval]


class Importances(msgspec.Struct, frozen=True, kw_only=True):
    """Permutation importance of the model's columns.

    Attributes:
        rows: drawn at random, in which values were shuffled.
        shuffles: of each column.
        metrics: by task, the metric.
        base: by task, its value with nothing shuffled.
        columns: the most important first, by the largest loss of a task as a share of its base value.
    """

    rows: int
    shuffles: int
    metrics: dict[str, str]
    base: dict[str, float]
    columns: tuple[Importance, ...]


class TableLoad(msgspec.Struct, frozen=True, kw_only=True):
    """How full an embedding table is.

    Attributes:
        table: the feature that it is named after.
        features: those that share it.
        distinct: values in the rows.
        num_buckets: rows of the table.
        collisions: share of the values that share a row with another.
        expected_collisions: what a random hash would give; 0 where ids have a row each.
    """

    table: str
    features: tuple[str, ...]
    distinct: int
    num_buckets: int
    collisions: float
    expected_collisions: float
