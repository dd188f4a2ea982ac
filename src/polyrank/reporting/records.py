"""What rooms write to files, as far as a report reads it. Fields that it does not need are passed over."""

from collections.abc import Mapping
from datetime import datetime
from typing import Literal

import msgspec

from .numerals import count

Interval = tuple[float | None, float | None]
"""Lower and upper end; None where there is none."""

Values = dict[str, dict[str, float | None]]
"""By task and metric; None where undefined."""


class Epoch(msgspec.Struct, frozen=True, kw_only=True):
    """An entry of a training's history.

    Attributes:
        epoch: from 1.
        steps: of the training so far.
        train_loss: mean of the epoch so far, by task.
        validation: metrics after it.
    """

    epoch: int
    steps: int
    train_loss: dict[str, float | None] = {}
    validation: Values = {}


class Kept(msgspec.Struct, frozen=True, kw_only=True):
    """The entry of the history whose weights the run has."""

    epoch: int
    steps: int


class RunMetrics(msgspec.Struct, frozen=True, kw_only=True):
    """`metrics.json` of a run directory; docs/training.md has its fields."""

    run_id: str
    train_rows: int
    validation_rows: int
    validation: Values
    kept: Kept
    history: tuple[Epoch, ...]
    undefined: dict[str, dict[str, str]] = {}
    counts: dict[str, dict[str, int]] = {}
    intervals: dict[str, dict[str, Interval | None]] = {}
    data_digest: str = ""


class Times(msgspec.Struct, frozen=True, kw_only=True):
    """`times.json` of a run directory."""

    train_s: float
    environment: dict[str, str] = {}


class Difference(msgspec.Struct, frozen=True, kw_only=True):
    """An entry of `parity.json`: the largest difference of an output on one kind of rows at one batch size."""

    task: str
    rows: str
    batch_size: int
    difference: float | None


class MetricLoss(msgspec.Struct, frozen=True, kw_only=True):
    """An entry of `parity.json`: what a task loses to smaller numbers."""

    task: str
    metric: str
    before: float
    after: float
    loss: float
    error: float


class Parity(msgspec.Struct, frozen=True, kw_only=True):
    """`parity.json` of a bundle. A difference that is no number is None."""

    differences: tuple[Difference, ...]
    onnxruntime: str
    tolerance: float
    verified: "tuple[Parity, ...]" = ()
    is_reduced: bool = False
    losses: tuple[MetricLoss, ...] = ()
    exact: "Parity | None" = None


class Record(msgspec.Struct, frozen=True, kw_only=True):
    """`version.json` of a published version."""

    published: datetime
    models: tuple[str, ...] = ()
    origin: int | None = None


class Load(msgspec.Struct, frozen=True, kw_only=True):
    """What a server made of one rate; a latency is None where nothing was answered."""

    rate: float
    requests: int
    seconds: float
    answered: float
    errors: dict[str, int]
    p50_ms: float | None
    p90_ms: float | None
    p99_ms: float | None
    p999_ms: float | None
    max_ms: float | None
    holds: bool


class LoadTest(msgspec.Struct, frozen=True, kw_only=True):
    """What `polyrank loadtest --json` prints."""

    model: str
    version: str | None
    run_id: str
    batch: int
    seconds: float
    highest_rate: float | None
    p99_ms: float | None
    loads: tuple[Load, ...]
    ranks: bool = False

    @property
    def request(self) -> str:
        """What each request was."""
        size = f"a user and {count(self.batch, 'item')}" if self.ranks else count(self.batch, "row")
        return f"{size} a request"


class Change(msgspec.Struct, frozen=True, kw_only=True):
    """A metric of a task, of one model and of the baseline."""

    task: str
    metric: str
    best: Literal["high", "low", "one"]
    model: str
    values: tuple[float | None, ...]
    baseline: tuple[float | None, ...]
    difference: float | None
    interval: Interval | None
    verdict: Literal["better", "worse", "no clear difference", "unknown"]


class Cost(msgspec.Struct, frozen=True, kw_only=True):
    """What a model costs."""

    model: str
    graphs: int
    table_parameters: int
    layer_parameters: int
    weights_mib: float
    latency_ms: Mapping[int, float]
    train_s: float | None = None
    rows_per_s: float | None = None


class Comparison(msgspec.Struct, frozen=True, kw_only=True):
    """What `polyrank compare --json` prints."""

    baseline: str
    rows: int
    seeds: int
    level: float
    changes: tuple[Change, ...]
    costs: tuple[Cost, ...] = ()
    engine: str = ""
