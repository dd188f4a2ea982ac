"""What a report is made of: files and directories that other commands wrote, each recognised by what it is."""

import dataclasses
from collections.abc import Sequence
from typing import Any, Generic, Protocol, TypeVar

from polyrank.evaluation.results import Result
from polyrank.schema import Schema
from polyrank.signature import Signature

from .records import Comparison, LoadTest, Parity, Record, RunMetrics


class OfRun(Protocol):
    """Something that a training run led to."""

    @property
    def name(self) -> str:
        """What it is called in the report."""

    @property
    def run_id(self) -> str:
        """Content hash of the run."""


T = TypeVar("T")
R = TypeVar("R", bound=OfRun)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Run:
    """A run directory.

    Attributes:
        name: what it is called in the report: its path.
        metrics: of its validation rows.
        schema: with its fitted statistics.
        schema_text: the same as it is written.
        config: how it was trained, by section.
        train_s: seconds that it took; None where the run does not say.
        environment: what trained it: versions and machine; empty where the run does not say.
    """

    name: str
    metrics: RunMetrics
    schema: Schema
    schema_text: str
    config: dict[str, Any]
    train_s: float | None
    environment: dict[str, str]

    @property
    def run_id(self) -> str:
        """Content hash of the training."""
        return self.metrics.run_id

    @property
    def chose_epoch(self) -> bool:
        """Whether the validation rows chose which epoch is kept."""
        return self.config.get("epochs") == "auto" or "early_stopping" in self.config


@dataclasses.dataclass(frozen=True, kw_only=True)
class Bundle:
    """A bundle, the one over requests within it, or a published version of either.

    Attributes:
        name: its path.
        signature: what a client knows of it.
        parity: evidence that it answers like the trained model.
        record: of a published version.
    """

    name: str
    signature: Signature
    parity: Parity
    record: Record | None = None

    @property
    def run_id(self) -> str:
        """Content hash of the training that it came from."""
        return self.signature.run_id


@dataclasses.dataclass(frozen=True)
class Named(Generic[T]):
    """What a file holds, and its path."""

    name: str
    found: T


@dataclasses.dataclass(frozen=True)
class Evaluation(Named[Result]):
    """What `polyrank evaluate` found."""

    @property
    def run_id(self) -> str:
        """Content hash of the training that answered."""
        return self.found.model.run_id


@dataclasses.dataclass(frozen=True)
class Loaded(Named[LoadTest]):
    """What `polyrank loadtest` measured."""

    @property
    def run_id(self) -> str:
        """Content hash of the training that answered."""
        return self.found.run_id


@dataclasses.dataclass(frozen=True)
class Compared(Named[Comparison]):
    """What `polyrank compare` found."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Sources:
    """All that was given, by kind: what belongs to the main run first, else in the order in which it was given."""

    runs: tuple[Run, ...] = ()
    bundles: tuple[Bundle, ...] = ()
    evaluations: tuple[Evaluation, ...] = ()
    loads: tuple[Loaded, ...] = ()
    comparisons: tuple[Compared, ...] = ()

    @property
    def main_id(self) -> str | None:
        """Content hash of the run that the report is of; None where comparisons alone are given."""
        made: tuple[OfRun, ...] = (*self.runs, *self.evaluations, *self.bundles, *self.loads)
        return made[0].run_id if made else None

    def main_first(self) -> "Sources":
        """Return the same with what belongs to the main run first."""
        return dataclasses.replace(
            self,
            bundles=self._main_first(self.bundles),
            evaluations=self._main_first(self.evaluations),
            loads=self._main_first(self.loads),
        )

    def of_main(self) -> "Sources":
        """Return the same without the bundles, evaluations and load tests of other runs than the main one."""
        return dataclasses.replace(
            self,
            bundles=self._of_main(self.bundles),
            evaluations=self._of_main(self.evaluations),
            loads=self._of_main(self.loads),
        )

    def strangers(self) -> tuple[str, ...]:
        """Name what belongs to no run that is told of: bundles, evaluations and load tests of other trainings."""
        known = {self.main_id, *(run.run_id for run in self.runs)}
        made: tuple[OfRun, ...] = (*self.evaluations, *self.bundles, *self.loads)
        return tuple(each.name for each in made if each.run_id not in known)

    def _of_main(self, given: Sequence[R]) -> tuple[R, ...]:
        return tuple(each for each in given if each.run_id == self.main_id)

    def _main_first(self, given: Sequence[R]) -> tuple[R, ...]:
        return tuple(sorted(given, key=lambda each: each.run_id != self.main_id))
