"""Sections of loop.toml."""

import math
from typing import Literal

import msgspec

from polyrank.arguments import is_number
from polyrank.attribution import seconds
from polyrank.drift import Limits
from polyrank.errors import ConfigError

Duration = str | float
"""Text such as `30m`, `12h` or `7d`, or seconds."""


class Section(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A table of loop.toml; a key that it does not know is refused."""


class LoopSection(Section, frozen=True, kw_only=True):
    """What the loop is about, and where it keeps what it makes.

    Attributes:
        schema: schema.toml, which names a time column.
        folder: of cycles, their records, runs and bundles; made when absent.
        poll_s: seconds between two looks of `--follow`.
        keep_cycles: newest cycles whose rows, bundles and runs are kept, 2 or above; None keeps all. Records stay, and
            runs of versions that are in the repository.
    """

    schema: str = "schema.toml"
    folder: str = "loop"
    poll_s: float = 60.0
    keep_cycles: int | None = None

    def __post_init__(self) -> None:
        """Check ranges."""
        require("loop.poll_s", self.poll_s, "above 0", holds=self.poll_s > 0)
        if self.keep_cycles is not None:
            require("loop.keep_cycles", self.keep_cycles, "2 or above", holds=self.keep_cycles >= 2)  # noqa: PLR2004


class RowsSection(Section, frozen=True, kw_only=True):
    """Which rows a cycle learns from.

    Attributes:
        impressions: what was shown: a file, a directory of files or a pattern.
        outcomes: what came of it, likewise.
        base: logs with labels, from before the first impression.
        min_rows: new rows that a cycle waits for.
        replay_cycles: earlier cycles whose rows are learned from again.
        window: how long after an impression an outcome counts.
        windows: the same by task.
        user: column of users, as `join` takes it.
        item: column of items.
        time: column of the outcomes' times.
        items: table of items, whose columns impressions lack.
        position: column for the place in the shown list.
        positions: what `polyrank positions` wrote.
    """

    impressions: str
    outcomes: str
    base: str | None = None
    min_rows: int = 1_000
    replay_cycles: int = 3
    window: Duration = "1h"
    windows: dict[str, Duration] = {}
    user: str | None = None
    item: str | None = None
    time: str = "time"
    items: str | None = None
    position: str | None = None
    positions: str | None = None

    def __post_init__(self) -> None:
        """Check ranges."""
        for name in ("impressions", "outcomes", "base"):
            place = getattr(self, name)
            if place is not None and "://" in place:
                raise ConfigError(f"$.rows.{name} must be files or a folder of this machine, got {place!r}")
        require("rows.min_rows", self.min_rows, "1 or above", holds=self.min_rows >= 1)
        require("rows.replay_cycles", self.replay_cycles, "0 or above", holds=self.replay_cycles >= 0)
        seconds("$.rows.window", self.window)
        for task, window in self.windows.items():
            seconds(f"$.rows.windows.{task}", window)

    def window_s(self, task: str) -> float:
        """Return how long after an impression an outcome of a task counts, in seconds."""
        return seconds(f"$.rows.windows.{task}", self.windows.get(task, self.window))


class DriftSection(Section, frozen=True, kw_only=True):
    """What becomes of a cycle whose rows moved.

    Attributes:
        action: `warn` goes on and says so, `stop` ends the cycle.
        psi: limits, as `polyrank drift` has them.
        missing: see `psi`.
        new: see `psi`.
        label: see `psi`.
    """

    action: Literal["warn", "stop"] = "warn"
    psi: float = Limits().psi
    missing: float = Limits().missing
    new: float = Limits().new
    label: float = Limits().label

    def __post_init__(self) -> None:
        """Check ranges."""
        try:
            self.limits()
        except ConfigError as err:
            raise ConfigError(f"$.drift.{err}") from err

    def limits(self) -> Limits:
        """Return the limits."""
        return Limits(psi=self.psi, missing=self.missing, new=self.new, label=self.label)


class TrainSection(Section, frozen=True, kw_only=True):
    """How a cycle trains.

    Attributes:
        config: train.toml; the defaults when None.
        start: a run that the first cycle starts from; None starts cold.
    """

    config: str | None = None
    start: str | None = None


class EvaluateSection(Section, frozen=True, kw_only=True):
    """When a run is good enough to be published.

    Attributes:
        holdout: the newest hours of event time, which are not learned from but judged on.
        tolerance: how much worse than the live version a run may be: of a metric that is best high, the difference; of
            one that is best low, the difference as a share of the live version's.
        level: of the interval of the difference.
        resamples: of the bootstrap that gives it.
        tasks: that are judged; all when None.
        metrics: that a task is judged by; the first of its metrics where there is none of it.
        min_rows: labels that a task is judged on, at least.
        min_positives: of a binary task, labels of either class, at least.
    """

    holdout: Duration = "1h"
    tolerance: float = 0.02
    level: float = 0.95
    resamples: int = 200
    tasks: tuple[str, ...] | None = None
    metrics: dict[str, str] = {}
    min_rows: int = 100
    min_positives: int = 20

    def __post_init__(self) -> None:
        """Check ranges."""
        seconds("$.evaluate.holdout", self.holdout)
        require("evaluate.tolerance", self.tolerance, "0 or above", holds=self.tolerance >= 0)
        require("evaluate.level", self.level, "in (0, 1)", holds=0 < self.level < 1)
        require("evaluate.resamples", self.resamples, "20 or above", holds=self.resamples >= 20)  # noqa: PLR2004
        require("evaluate.min_rows", self.min_rows, "1 or above", holds=self.min_rows >= 1)
        require("evaluate.min_positives", self.min_positives, "1 or above", holds=self.min_positives >= 1)

    @property
    def holdout_s(self) -> float:
        """The hold-out in seconds."""
        return seconds("$.evaluate.holdout", self.holdout)


class ExportSection(Section, frozen=True, kw_only=True):
    """What a run is exported as; the options of `polyrank export`.

    Attributes:
        triton: release that will serve it; the newest when None.
        onnxruntime: version that will load it, in place of a release.
        embeddings: numbers of embedding tables.
        dense: numbers of layers.
        prune_rows: let rows that training never changed share one.
        rows_only: leave out the graph over one user and many items.
        score: how that combines the tasks.
        top_k: best items that it names besides.
    """

    triton: str | None = None
    onnxruntime: str | None = None
    embeddings: Literal["fp32", "fp16", "int8"] = "fp32"
    dense: Literal["fp32", "fp16", "int8"] = "fp32"
    prune_rows: bool = False
    rows_only: bool = False
    score: Literal["sum", "product"] = "sum"
    top_k: int | None = None

    def __post_init__(self) -> None:
        """Refuse what would decide nothing."""
        if self.triton is not None and self.onnxruntime is not None:
            raise ConfigError(
                "$.export.triton and $.export.onnxruntime both say what will serve; leave one of them out"
            )
        for name, is_given in (("top_k", self.top_k is not None), ("score", self.score != "sum")):
            if self.rows_only and is_given:
                raise ConfigError(
                    f"$.export.{name} is of the graph that $.export.rows_only leaves out; leave one of them out"
                )


class PublishSection(Section, frozen=True, kw_only=True):
    """Where runs go live.

    Attributes:
        repository: the Triton model repository, a folder; made when absent.
        model: name; that of the schema when None.
        server: host:port of a server that reads the repository, to load and prove versions there.
        timeout_s: time for each call to it, in seconds.
        client: client.toml, with its keys and TLS files; none when None.
        options: serving.toml; the defaults when None.
        keep: newest versions that stay, 2 or above, so that there is one to roll back to; None keeps all.
    """

    repository: str
    model: str | None = None
    server: str | None = None
    timeout_s: float = 60.0
    client: str | None = None
    options: str | None = None
    keep: int | None = None

    def __post_init__(self) -> None:
        """Check ranges."""
        if "://" in self.repository.removeprefix("file://"):
            raise ConfigError(
                f"$.publish.repository must be a folder, which can be rolled back, got {self.repository!r}"
            )
        require("publish.timeout_s", self.timeout_s, "above 0", holds=self.timeout_s > 0)
        if self.keep is not None:
            require("publish.keep", self.keep, "2 or above", holds=self.keep >= 2)  # noqa: PLR2004


class WatchSection(Section, frozen=True, kw_only=True):
    """When a version is taken back.

    Attributes:
        tasks: whose outcomes are watched; all with a mean when None.
        lower_is_better: those of them of which fewer or smaller outcomes are better, such as `hide`.
        tolerance: how much worse than the version before it may be, as a share of that one's mean.
        confidence: with which it must be worse by more than that to be rolled back.
        min_impressions: of it that are waited for, with all windows over.
        span: how long it must have been shown, as `for`; None waits for impressions alone.
        compare: `before` with what was shown before it, `arms` with the arm of an experiment that has the version
            before; `auto` takes arms where both have `min_impressions`.
    """

    tasks: tuple[str, ...] | None = None
    lower_is_better: tuple[str, ...] = ()
    tolerance: float = 0.05
    confidence: float = 0.95
    min_impressions: int = 1_000
    span: Duration | None = msgspec.field(default=None, name="for")
    compare: Literal["auto", "before", "arms"] = "auto"

    def __post_init__(self) -> None:
        """Check ranges."""
        require("watch.tolerance", self.tolerance, "in [0, 1)", holds=0 <= self.tolerance < 1)
        require("watch.confidence", self.confidence, "in (0, 1)", holds=0 < self.confidence < 1)
        require("watch.min_impressions", self.min_impressions, "1 or above", holds=self.min_impressions >= 1)
        if self.span is not None:
            seconds("$.watch.for", self.span)

    @property
    def span_s(self) -> float:
        """How long a version must have been shown, in seconds."""
        return 0.0 if self.span is None else seconds("$.watch.for", self.span)


def require(path: str, value: float, limit: str, *, holds: bool) -> None:
    """Refuse a number that is out of range or not finite.

    Raises:
        ConfigError: it is; names the path, the limit and the value.
    """
    if not (holds and is_number(value) and math.isfinite(value)):
        raise ConfigError(f"$.{path} must be {limit}, got {value}")
