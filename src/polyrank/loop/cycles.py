"""Cycles on disk: `<folder>/cycles/000001` with records, rows, a run and a bundle."""

import dataclasses
import logging
import re
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TypeVar

from polyrank.errors import DataError

from .findings import Found, RowsFound, TrainFound
from .records import Record, Trouble, Wait
from .settings import Loop

logger = logging.getLogger(__name__)

WEIGHTS_FILE, GRAPH_FILE = "weights.safetensors", "model.onnx"
STEPS = ("rows", "drift", "train", "evaluate", "parity", "publish", "verify", "watch", "rollback")

AFound = TypeVar("AFound", bound=Found)


@dataclasses.dataclass(frozen=True)
class Cycle:
    """A cycle of a loop, as far as it has come.

    Attributes:
        loop: whose it is.
        number: from 1.
        records: of the steps that are done, in their order.
    """

    loop: Loop
    number: int
    records: tuple[Record, ...] = ()

    @property
    def folder(self) -> Path:
        """Where all of it lies."""
        return self.loop.folder / "cycles" / f"{self.number:06d}"

    @property
    def rows(self) -> Path:
        """The rows that it learns from: `new.parquet`, and `earlier.parquet` where there are such."""
        return self.folder / "rows"

    @property
    def run(self) -> Path:
        """The run that it trains."""
        return self.folder / "run"

    @property
    def weights(self) -> Path:
        """The weights of it."""
        return self.run / WEIGHTS_FILE

    @property
    def bundle(self) -> Path:
        """The bundle of it."""
        return self.folder / "bundle"

    @property
    def bundle_graph(self) -> Path:
        """The graph of that."""
        return self.bundle / GRAPH_FILE

    @property
    def is_over(self) -> bool:
        """Whether no step is left to do."""
        return bool(self.records) and (self.records[-1].found.ends or len(self.records) == len(STEPS))

    @property
    def next_step(self) -> str | None:
        """The step to do; None when it is over."""
        return None if self.is_over else STEPS[len(self.records)]

    def file(self, step: str, suffix: str = "") -> Path:
        """Return the record of a step, or with a suffix such as `.waits` what else is known of it."""
        return self.folder / f"{STEPS.index(step) + 1:02d}-{step}{suffix}.json"

    def find(self, kind: type[AFound]) -> AFound | None:
        """Return what a step found; None when it is not done."""
        return next((record.found for record in self.records if isinstance(record.found, kind)), None)

    def found(self, kind: type[AFound]) -> AFound:
        """Return what a step found that is done."""
        found = self.find(kind)
        if found is None:
            raise LookupError(f"cycle {self.number} has no {kind.__name__}")
        return found

    def wait(self) -> Wait | None:
        """Return what the next step was waiting for when it was looked at last."""
        step = self.next_step
        return None if step is None else _loaded(self.file(step, ".waits"), Wait)

    def trouble(self, step: str) -> Trouble | None:
        """Return the failures of a step."""
        return _loaded(self.file(step, ".failed"), Trouble)


@dataclasses.dataclass(frozen=True)
class History:
    """All cycles of a loop, the oldest first; the last may be under way."""

    cycles: Sequence[Cycle]

    @classmethod
    def read(cls, loop: Loop) -> "History":
        """Read the records of all cycles.

        Raises:
            DataError: a record cannot be read.
        """
        folder = loop.folder / "cycles"
        names = sorted(each.name for each in folder.iterdir()) if folder.is_dir() else []
        return cls([_read(loop, int(name)) for name in names if re.fullmatch(r"[0-9]{6,}", name)])

    def current(self, loop: Loop) -> Cycle:
        """Return the cycle that is under way, or the next one where none is."""
        if self.cycles and not self.cycles[-1].is_over:
            return self.cycles[-1]
        return Cycle(loop, self.cycles[-1].number + 1 if self.cycles else 1)

    def before(self, cycle: Cycle) -> "History":
        """Return the cycles before one."""
        return History([each for each in self.cycles if each.number < cycle.number])

    def last_with(self, kind: type[Found]) -> Cycle | None:
        """Return the newest cycle in which a step is done; None without."""
        return next((each for each in reversed(self.cycles) if each.find(kind) is not None), None)

    def of_run(self, run_id: str | None) -> Cycle | None:
        """Return the cycle that trained a run; None where none did, as of a run that was published by hand."""
        trained = ((each, each.find(TrainFound)) for each in reversed(self.cycles))
        return next((each for each, found in trained if found is not None and found.run_id == run_id), None)

    def ends(self) -> list[datetime]:
        """Return until when the rows of each cycle were shown, ascending."""
        found = (each.find(RowsFound) for each in self.cycles)
        return [each.ends_before for each in found if each is not None]


def now() -> str:
    """Return the time, ISO 8601 in UTC."""
    return datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _read(loop: Loop, number: int) -> Cycle:
    cycle = Cycle(loop, number)
    files = (cycle.file(step) for step in STEPS)
    # Steps are done in their order, so that the first record that is missing is of the next.
    records = []
    for file in files:
        if not file.is_file():
            break
        records.append(Record.load(file))
    return dataclasses.replace(cycle, records=tuple(records))


AFile = TypeVar("AFile", Trouble, Wait)


def _loaded(file: Path, kind: type[AFile]) -> AFile | None:
    """Read a note, which nothing depends on; None where there is none, or a damaged one."""
    try:
        return kind.load(file) if file.is_file() else None
    except DataError as err:
        logger.warning("%s; left out", err)
        return None
