"""What a process that trains for the benchmark reads and answers. Imports nothing of Polyrank: peers have it not.

It is started with a `Task` as JSON. For speed it trains a window for each line that arrives, and answers what it took;
for quality it trains some epochs, and writes its answers to the validation and the test rows after each.
"""

import contextlib
import dataclasses
import itertools
import json
import os
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

TASKS = ("like", "love")
ARRAYS = "job.npz"
ROWS = "rows.parquet"
SCHEMA = "schema.toml"

WARM_UP_STEPS = 40
"""The first window, which nobody counts, is at least so long: Polyrank's layers are compiled after some steps."""

Say = Callable[[int, float], None]
"""Takes the rows of a window, and its seconds of processor time."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Task:
    """What to do.

    Attributes:
        folder: of the files that `movielens.write` made; answers go here too.
        architecture: of the model: `shared_bottom`, `mmoe`, `ple` or `esmm`.
        epochs: to train for quality; 0 measures speed.
        window_rows: rows of a window.
        options: lines of TOML for the configuration, of Polyrank alone.
    """

    folder: str
    architecture: str
    batch_size: int
    seed: int = 0
    epochs: int = 0
    window_rows: int = 65_536
    options: str = ""

    @property
    def first_rows(self) -> int:
        """Rows of the first window."""
        return max(self.window_rows, WARM_UP_STEPS * self.batch_size)

    def answers(self, epoch: int, side: str) -> Path:
        """Return where the answers of an epoch go: float64 (N, T)."""
        return Path(self.folder, f"{side}-{epoch}.npy")


@dataclasses.dataclass(frozen=True)
class Job:
    """The rows, oldest first.

    Attributes:
        ids: int64 (N, F), each column counted from 0.
        sizes: how many values each column has.
        genres: int64 (N, G), from 1; 0 where there is none.
        labels: float32 (N, T).
        ends: where training, validation and test rows end.
    """

    ids: NDArray[np.int64]
    sizes: NDArray[np.int64]
    genres: NDArray[np.int64]
    labels: NDArray[np.float32]
    ends: NDArray[np.int64]

    @property
    def num_genres(self) -> int:
        """Genres, and the place of none."""
        return int(self.genres.max()) + 1


class Learner(Protocol):
    """A model with its trainer."""

    def train(self, rows: slice) -> None:
        """Take a pass over these rows, in a random order."""

    def predict(self, rows: slice) -> NDArray[np.float64]:
        """Return probabilities (N, T)."""


def work(make: Callable[[Job, Task], Learner]) -> None:
    """Do the task of the command line with the learner that `make` gives."""
    task = asked()
    job = Job(**np.load(Path(task.folder, ARRAYS)))
    learner = make(job, task)
    if task.epochs:
        _train_epochs(learner, job, task)
    else:
        with answering() as say:
            _train_windows(learner, job, task, say)


def asked() -> Task:
    """Return the task of the command line."""
    return Task(**json.loads(sys.argv[1]))


@contextlib.contextmanager
def answering() -> Iterator[Say]:
    """Give what answers with the rows and the seconds of a window, on the descriptor that the command line names."""
    with os.fdopen(int(sys.argv[2]), "w") as output:
        yield lambda rows, seconds: print(json.dumps({"rows": rows, "seconds": seconds}), file=output, flush=True)


def _train_windows(learner: Learner, job: Job, task: Task, say: Say) -> None:
    size = min(task.window_rows, int(job.ends[0]))
    learner.train(slice(0, min(task.batch_size, size)))
    say(0, 0.0)
    starts = itertools.cycle(range(0, int(job.ends[0]) - size + 1, size))
    for number, _ in enumerate(sys.stdin):
        rows = size if number else task.first_rows
        start = time.process_time()
        for left in range(rows, 0, -size):
            first = next(starts)
            learner.train(slice(first, first + min(size, left)))
        say(rows, time.process_time() - start)


def _train_epochs(learner: Learner, job: Job, task: Task) -> None:
    train, validation, test = (int(end) for end in job.ends)
    for epoch in range(1, task.epochs + 1):
        learner.train(slice(0, train))
        np.save(task.answers(epoch, "validation"), learner.predict(slice(train, validation)))
        np.save(task.answers(epoch, "test"), learner.predict(slice(validation, test)))
