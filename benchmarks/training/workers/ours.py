"""Polyrank, trained by its public `fit`.

Speed is that of `fit` as it runs: what asks for the next batch also holds it up between two windows, so that whatever a
step does, and picking its batch, counts, and validation does not.
"""

import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any
from unittest import mock

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from worker import ROWS, SCHEMA, TASKS, Say, Task, answering, asked

from polyrank.encoder import Encoder
from polyrank.models import TrainedRanker
from polyrank.models.trained import predict
from polyrank.schema import Schema
from polyrank.train import TrainConfig, fit
from polyrank.train.shuffling import Shuffler

if TYPE_CHECKING:
    from numpy.typing import NDArray

MANY_EPOCHS = 50
"""More than are asked for, and few enough for `compile = "auto"` to see no long training in it."""

MODEL = {
    "ple": "num_experts = 2\nnum_task_experts = 2\nnum_extraction_layers = 1\n",
    "esmm": 'chain = ["like", "love"]\n',
}
"""What the job says of an architecture; the rest are the defaults, which are the job's."""


def main() -> None:
    """Do the task of the command line."""
    task = asked()
    with tempfile.TemporaryDirectory() as scratch:
        rows = pq.read_table(Path(task.folder, ROWS))
        schema = Schema.load(Path(task.folder, SCHEMA))
        if task.epochs:
            answer(schema, rows, task, Path(scratch))
        else:
            with answering() as say:
                keep_pace(schema, rows, task, say, Path(scratch))


def configuration(task: Task, folder: Path, *lines: str) -> TrainConfig:
    """Return the configuration: what the task says, and defaults."""
    file = folder / "train.toml"
    text = [
        f"batch_size = {task.batch_size}",
        f"seed = {task.seed}",
        *lines,
        task.options,
        f'[model]\narchitecture = "{task.architecture}"\n{MODEL.get(task.architecture, "")}',
        '[validation]\ncolumn = "side"\n',
    ]
    file.write_text("\n".join(text))
    return TrainConfig.load(file)


def keep_pace(schema: Schema, rows: pa.Table, task: Task, say: Say, scratch: Path) -> None:
    """Train for as long as windows are asked for."""
    rows = rows.filter(pc.not_equal(rows["side"], "test"))
    config = configuration(task, scratch, f"epochs = {MANY_EPOCHS}")
    pace = Pace(task, say)
    with mock.patch.object(Shuffler, "batches", pace.paced(Shuffler.batches)):
        fit(schema, rows, out=scratch / "run", config=config, progress=False)


def answer(schema: Schema, rows: pa.Table, task: Task, scratch: Path) -> None:
    """Train once, with the defaults, and answer the validation and the test rows."""
    config = configuration(task, scratch)
    known = rows.filter(pc.not_equal(rows["side"], "test"))
    run = fit(schema, known, out=scratch / "run", config=config, progress=False)
    ranker = TrainedRanker.load(run.path)
    for side in ("validation", "test"):
        answers = predict(ranker.model, Encoder(ranker.schema).encode(rows.filter(pc.equal(rows["side"], side))))
        joined: NDArray[np.float64] = np.stack([answers[name] for name in TASKS], axis=1).astype(np.float64)
        np.save(task.answers(1, side), joined)


class Pace:
    """Holds up the loop between windows, and says what a window took."""

    def __init__(self, task: Task, say: Say) -> None:
        self._say = say
        self._size = task.window_rows
        self._wanted = task.first_rows
        self._rows, self._spent = 0, 0.0
        self._start: float | None = None
        self._has_stepped = False

    def paced(self, batches: Callable[..., Iterator[Any]]) -> Callable[..., Iterator[Any]]:
        """Return a way to give batches that keeps pace."""

        def give(*arguments: Any) -> Iterator[Any]:
            waiting = batches(*arguments)
            self._go_on()
            while (batch := next(waiting, None)) is not None:
                self._rows += len(batch.ids)
                yield batch
                self._after_step()
            self._pause()  # what comes next is a validation

        return give

    def _after_step(self) -> None:
        self._pause()
        if not self._has_stepped:
            self._has_stepped = True
            self._report(0)
        elif self._rows >= self._wanted:
            self._wanted = self._size
            self._report(self._rows)
        self._go_on()

    def _report(self, rows: int) -> None:
        """Say what the window took, and wait for the next."""
        self._say(rows, self._spent)
        if not sys.stdin.readline():
            raise SystemExit
        self._rows, self._spent = 0, 0.0

    def _go_on(self) -> None:
        self._start = time.process_time()

    def _pause(self) -> None:
        self._spent += 0.0 if self._start is None else time.process_time() - self._start
        self._start = None


if __name__ == "__main__":
    main()
