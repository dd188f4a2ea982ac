"""What an evaluation finds, as it is written to evaluation.json."""

from pathlib import Path
from typing import Literal, Self

import msgspec

from polyrank.errors import DataError
from polyrank.staging import staged_file

FORMAT = 1

Interval = tuple[float, float]
"""Lower and upper end."""

SliceKind = Literal["column", "novelty", "activity"]


class Model(msgspec.Struct, frozen=True, kw_only=True):
    """What answered.

    Attributes:
        source: as it was named: a directory, or the address of a server.
        kind: what it is.
        name: of the schema, or of the model on its server.
        run_id: content hash of the training run.
        version: on a server, or of a published bundle; empty otherwise.
    """

    source: str
    kind: Literal["run", "bundle", "server"]
    name: str
    run_id: str
    version: str = ""


class Rows(msgspec.Struct, frozen=True, kw_only=True):
    """What was answered.

    Attributes:
        source: the path that was given.
        part: `all` rows of it, or those of the run's `validation`.
        rows: how many.
        group: the column that names groups, such as users; None where the schema names none.
        groups: how many there are.
        begins: time of the oldest row, ISO 8601 in UTC; None where the schema names no column of times.
        ends: time of the newest.
    """

    source: str
    part: Literal["all", "validation"]
    rows: int
    group: str | None = None
    groups: int | None = None
    begins: str | None = None
    ends: str | None = None


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

    def is_worse_than(self, whole: "MetricValue") -> bool:
        """Say whether the interval of a part of the rows lies on the bad side of the value of all of them."""
        if self.interval is None or whole.value is None:
            return False
        return self.interval[1] < whole.value if self.best == "high" else self.interval[0] > whole.value


class TaskResult(msgspec.Struct, frozen=True, kw_only=True):
    """How good the answers for a task are.

    Attributes:
        task: its name.
        kind: `binary`, `regression`, `count`, `ordinal` or `multiclass`.
        label: the column of its labels.
        rows: those with an observed label.
        mean_label: of these; None of a multiclass task, and without a row.
        mean_answer: likewise.
        metrics: all that it has, the first of which stands for it where there is room for one.
        counts: what single metrics rest on, such as `gauc.groups`.
    """

    task: str
    kind: str
    label: str
    rows: int
    mean_label: float | None
    mean_answer: float | None
    metrics: tuple[MetricValue, ...]
    counts: dict[str, int] = {}


class SlicePart(msgspec.Struct, frozen=True, kw_only=True):
    """Rows with one value of what is sliced by.

    Attributes:
        value: as text, such as `7`, `18 to 25`, `missing` or `new`.
        rows: how many rows.
        metrics: by task, its first metric.
        calibration: by task, sum of the answers over sum of the labels; None where undefined, and of a multiclass task.
    """

    value: str
    rows: int
    metrics: dict[str, MetricValue]
    calibration: dict[str, float | None]


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
        below_half: share of the groups whose area is below 0.5, that are ranked worse than by chance.
        quantiles: area by quantile: `0.05`, `0.25`, `0.5`, `0.75`, `0.95`.
        edges: ends of the bins of a histogram.
        counts: groups in each bin.
    """

    groups: int
    skipped_groups: int
    below_half: float
    quantiles: dict[str, float]
    edges: tuple[float, ...]
    counts: tuple[int, ...]


class OrderQuality(msgspec.Struct, frozen=True, kw_only=True):
    """How well a score that combines tasks orders the rows of groups, by one task's labels.

    Attributes:
        ndcg: normalised discounted cumulative gain of the best `k` rows, with the label as gain.
        recall: share of the positive rows that are among the best `k`; None of a task that is not binary.
        top_label: mean label of the best `k` rows of groups that have more than `k`; None where none has.
        mean_label: mean label of all rows of these.
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


class Result(msgspec.Struct, frozen=True, kw_only=True):
    """All that an evaluation finds. Where a part is None or empty, the rows or the schema had nothing for it.

    Attributes:
        model: what answered.
        data: what it answered.
        tasks: by the order of the schema.
        slices: the rows in parts.
        calibration: by binary, regression, count or ordinal task: bins in the order of answers, of equal size.
        distributions: by task.
        group_areas: by binary task.
        ordering: under given weights; None without groups.
        trade_offs: for each pair of tasks with one answer.
        catalogue: None where items or users have no column.
        importance: of columns.
        tables: of embeddings.
        level: of the confidence intervals.
        resamples: of the bootstrap.
        seed: of all that is drawn.
        seconds: that it took.
        created: when, ISO 8601 in UTC.
        environment: versions of what computed it, and the machine.
        format: of this file.
    """

    model: Model
    data: Rows
    tasks: tuple[TaskResult, ...]
    slices: tuple[Slice, ...] = ()
    calibration: dict[str, tuple[CalibrationBin, ...]] = {}
    distributions: dict[str, Distribution] = {}
    group_areas: dict[str, GroupAreas] = {}
    ordering: Ordering | None = None
    trade_offs: tuple[TradeOff, ...] = ()
    catalogue: Catalogue | None = None
    importance: Importances | None = None
    tables: tuple[TableLoad, ...] = ()
    level: float
    resamples: int
    seed: int
    seconds: float
    created: str
    environment: dict[str, str] = {}
    format: int = FORMAT

    def to_json(self) -> str:
        """Write all as JSON."""
        return msgspec.json.format(msgspec.json.encode(self)).decode() + "\n"

    def save(self, file: Path) -> None:
        """Write a file, whole or not at all.

        Raises:
            OutputError: it cannot be written.
        """
        with staged_file(file) as partial:
            partial.write_text(self.to_json(), encoding="utf-8")

    @classmethod
    def load(cls, file: Path) -> Self:
        """Read a file that `save` wrote.

        Raises:
            DataError: it cannot be read, or is something else.
        """
        try:
            found = msgspec.json.decode(file.read_bytes(), type=cls)
        except OSError as err:
            raise DataError(f"{file} cannot be read: {(err.strerror or str(err)).lower()}") from err
        except (msgspec.DecodeError, UnicodeDecodeError) as err:
            raise DataError(f"{file} is no evaluation: {err}; make one with: polyrank evaluate") from err
        if found.format != FORMAT:
            raise DataError(f"{file} is of format {found.format}, {FORMAT} expected; evaluate anew with this Polyrank")
        return found
