"""An evaluation, as it is written to evaluation.json."""

from typing import ClassVar, Literal

import msgspec

from polyrank.result_files import Answering, ResultFile

from .findings import (
    CalibrationBin,
    Catalogue,
    Distribution,
    GroupAreas,
    Importances,
    MetricValue,
    Ordering,
    Slice,
    TableLoad,
    TradeOff,
)

FORMAT = 1


class Model(Answering, frozen=True, kw_only=True):
    """What answered, and what kind of thing that is.

    Attributes:
        kind: what it is.
        precision: how exactly it holds its weights, as in `embeddings int8, dense fp32`; empty where it does not say.
    """

    kind: Literal["run", "bundle", "server"]
    precision: str = ""


class Rows(msgspec.Struct, frozen=True, kw_only=True):
    """What was answered.

    Attributes:
        source: the path that was given.
        part: `all` rows of it, or those that a run validated on.
        rows: how many.
        group: the column that names groups, such as users; None where the schema names none.
        groups: how many there are.
        begins: time of the oldest row, ISO 8601 in UTC; None where the schema names no column of times.
        ends: time of the newest.
        validation_of: content hash of the run that validated on them; None of all rows.
        chose_epoch: whether they chose which epoch is kept of the run that answered, which flatters it.
        as_trained: whether all rows are as many as the run that answered was made of, and so maybe those.
    """

    source: str
    part: Literal["all", "validation"]
    rows: int
    group: str | None = None
    groups: int | None = None
    begins: str | None = None
    ends: str | None = None
    validation_of: str | None = None
    chose_epoch: bool = False
    as_trained: bool = False


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


class Result(ResultFile, msgspec.Struct, frozen=True, kw_only=True):
    """All that an evaluation finds. Where a part is None or empty, the rows or the schema had nothing for it.

    Attributes:
        model: what answered.
        data: what it answered.
        tasks: by the order of the schema.
        slices: the rows in parts.
        calibration: by binary, regression, count or ordinal task: bins in the order of answers, of about equal weight.
        distributions: by task.
        group_areas: by binary task.
        ordering: under given weights; None without groups.
        trade_offs: for each pair of the first four tasks with one answer.
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

    noun: ClassVar[str] = "evaluation"
    verb: ClassVar[str] = "evaluate"
    newest: ClassVar[int] = FORMAT

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
