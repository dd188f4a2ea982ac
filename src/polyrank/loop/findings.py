"""What each step finds, as its record has it."""

import math
from datetime import datetime
from typing import Literal

import msgspec

from polyrank.attribution import JoinCounts

Verdict = Literal["passed", "failed", "not judged"]


def known(value: float) -> float | None:
    """Return a number; None for NaN, which JSON has not."""
    return None if math.isnan(value) else float(value)


class Found(msgspec.Struct, frozen=True, kw_only=True, tag_field="step"):
    """What a step found.

    Attributes:
        outcome: in a word or two.
        reason: why, in one line.
        ends: whether the cycle ends with it.
    """

    outcome: str
    reason: str = ""
    ends: bool = False


class RowsFound(Found, frozen=True, kw_only=True, tag="rows"):
    """Which rows the cycle learns from; times are of events.

    Attributes:
        new: rows that are newer than the last cycle's.
        earlier: rows that are learned from again, or whose labels are due by now.
        since: of the oldest of them; None where there is no limit.
        begins: of the oldest new ones; None where there is no limit.
        ends_before: all rows were shown before it: it is `until` less the shortest window.
        until: what was shown or happened before it was taken in.
        windows_s: by task: how long its labels are waited for, which is as long as those of what it is observed under.
        holdout_s: how many seconds of the newest labels of each task are held out.
        base_until: of the newest row of the base logs; None without.
        joined: what the join did; None where there was no impression yet.
    """

    new: int
    earlier: int
    since: datetime | None
    begins: datetime | None
    ends_before: datetime
    until: datetime
    windows_s: dict[str, float]
    holdout_s: float
    base_until: datetime | None
    joined: JoinCounts | None


class DriftFound(Found, frozen=True, kw_only=True, tag="drift"):
    """How the new rows moved from those of the last training.

    Attributes:
        reference: the cycle of that training; None where there is none.
        moved: a line for each feature and label that drifted.
        not_compared: tasks whose labels are not due in all new rows.
    """

    reference: int | None = None
    moved: tuple[str, ...] = ()
    not_compared: tuple[str, ...] = ()


class TrainFound(Found, frozen=True, kw_only=True, tag="train"):
    """What was trained.

    Attributes:
        run_id: content hash of the run.
        started_from: that of the run whose weights it started from; None of a cold one.
        rows: that were trained and validated on.
        validation: headline metrics of its validation rows, by task; None where undefined.
    """

    run_id: str
    started_from: str | None
    rows: int
    validation: dict[str, dict[str, float | None]]


class TaskGate(msgspec.Struct, frozen=True, kw_only=True):
    """How a task of the new run compares with that of the live version, on the hold-out.

    Attributes:
        task: its name.
        metric: it is judged by.
        rows: with a label that is observed.
        positives: those of label 1; None of other kinds.
        live: metric of the live version; None where undefined, or without such a version.
        new: metric of the new run.
        worse_by: how much worse the new run is, below 0 where it is better; in the unit of `tolerance`.
        worst: the end of the interval of that which is worse for the new run.
        verdict: what came of it.
        reason: why.
    """

    task: str
    metric: str
    rows: int
    positives: int | None = None
    live: float | None = None
    new: float | None = None
    worse_by: float | None = None
    worst: float | None = None
    verdict: Verdict
    reason: str = ""


class EvaluateFound(Found, frozen=True, kw_only=True, tag="evaluate"):
    """Whether the run may go live.

    Attributes:
        live_version: it was compared with; None where there is none.
        live_run_id: of that.
        rows: of the hold-out.
        tasks: that are judged.
    """

    live_version: int | None
    live_run_id: str | None
    rows: int
    tasks: tuple[TaskGate, ...]


class ParityFound(Found, frozen=True, kw_only=True, tag="parity"):
    """What was exported.

    Attributes:
        difference: the largest of an answer from PyTorch's, absolute up to 1 and relative above.
        precision: of the weights.
        target: what it is for.
    """

    difference: float
    precision: str
    target: str


class PublishFound(Found, frozen=True, kw_only=True, tag="publish"):
    """What went live.

    Attributes:
        model: its name.
        version: its number.
        run_id: of it.
        before: the version that was live before; None where there was none.
    """

    model: str
    version: int
    run_id: str
    before: int | None


class VerifyFound(Found, frozen=True, kw_only=True, tag="verify"):
    """How the version answers golden rows.

    Attributes:
        server: that was asked; None where the files were.
        differences: from the trained model, by model and output.
    """

    server: str | None
    differences: dict[str, dict[str, float]] = {}


class TaskWatch(msgspec.Struct, frozen=True, kw_only=True):
    """How a task went with the new version and with the one before.

    Attributes:
        task: its name.
        mean: of its labels with the new version; None without one.
        mean_before: with the version before.
        worse_by: how much worse the new version is, as a share of the mean before.
        surely_worse_by: the end of the interval of that which is better for the new version.
        is_worse: whether that is beyond the tolerance.
    """

    task: str
    mean: float | None
    mean_before: float | None
    worse_by: float | None
    surely_worse_by: float | None
    is_worse: bool


class WatchFound(Found, frozen=True, kw_only=True, tag="watch"):
    """How users took the version.

    Attributes:
        compared: with what was shown `before` it, or with the version before in other `arms` of an experiment.
        impressions: of the version, with all windows over.
        impressions_before: of the version before.
        since: when the version was shown first.
        until: what was shown or happened before was taken in.
        tasks: that were watched.
    """

    compared: Literal["before", "arms", "nothing"]
    impressions: int = 0
    impressions_before: int = 0
    since: datetime | None = None
    until: datetime | None = None
    tasks: tuple[TaskWatch, ...] = ()


class RollbackFound(Found, frozen=True, kw_only=True, tag="rollback"):
    """What went live again.

    Attributes:
        version: its number; None where nothing is live.
        origin: the version that its files are of; None where another version had gone live meanwhile.
        run_id: of it.
    """

    version: int | None
    origin: int | None = None
    run_id: str | None = None


AnyFound = (
    RowsFound
    | DriftFound
    | TrainFound
    | EvaluateFound
    | ParityFound
    | PublishFound
    | VerifyFound
    | WatchFound
    | RollbackFound
)
