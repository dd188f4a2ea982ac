"""How well architectures rank MovieLens-1M: test AUC of Polyrank with its defaults, of the plain loop and of peers."""

import dataclasses
import itertools
import statistics
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from polyrank.auc import auc

from . import movielens
from .contenders import OURS, PEERS, Contender, contenders, train
from .results import Lines, deviation, spread, verdict
from .workers.worker import ARRAYS, TASKS, Job, Task

HEADINGS = [
    "architecture",
    "who",
    *(f"AUC {task}" for task in TASKS),
    "epochs",
    *(f"{task}: outcome" for task in TASKS),
]


@dataclasses.dataclass(frozen=True)
class Score:
    """Test AUC of each task at the epoch of the best validation AUC."""

    epoch: int
    test: list[float]


def measure(folder: Path, *, architectures: Sequence[str], seeds: int, epochs: int, peers: bool) -> Lines:
    """Train everyone with every seed; peers and the plain loop for `epochs`, of which the best on validation counts."""
    lines = [HEADINGS]
    with tempfile.TemporaryDirectory() as job:
        movielens.write(movielens.load(folder), Path(job))
        rows = Job(**np.load(Path(job, ARRAYS)))
        for architecture in architectures:
            scores: dict[str, list[Score]] = {}
            everyone = contenders([OURS], peers=peers)
            for seed, (name, contender) in itertools.product(range(seeds), everyone.items()):
                print(f"{architecture}, {name}, seed {seed} ...", file=sys.stderr, flush=True)
                task = Task(folder=job, architecture=architecture, batch_size=1024, seed=seed, epochs=epochs)
                scores.setdefault(name, []).append(_score(contender, task, rows))
            lines += [_line(architecture, name, scores) for name in scores]
    return lines


def _score(contender: Contender, task: Task, rows: Job) -> Score:
    train(contender, task)
    _, start, middle = (int(end) for end in (0, *rows.ends[:2]))
    found = []
    for epoch in itertools.count(1):
        if not task.answers(epoch, "test").exists():
            break
        validation = _areas(_taken(task.answers(epoch, "validation")), rows.labels[start:middle])
        test = _areas(_taken(task.answers(epoch, "test")), rows.labels[middle:])
        found.append((statistics.fmean(validation), Score(epoch, test)))
    return max(found, key=lambda pair: pair[0])[1]


def _taken(file: Path) -> NDArray[np.float64]:
    """Read answers and remove them, so that those of the next contender are its own."""
    answers: NDArray[np.float64] = np.load(file)
    file.unlink()
    return answers


def _areas(answers: NDArray[np.float64], labels: NDArray[np.float32]) -> list[float]:
    return [auc(answers[:, place], labels[:, place] == 1) for place in range(len(TASKS))]


def _line(architecture: str, name: str, scores: dict[str, list[Score]]) -> list[str]:
    by_task = [[score.test[place] for score in scores[name]] for place in range(len(TASKS))]
    epochs = [] if name == OURS else sorted({score.epoch for score in scores[name]})
    outcomes = [_outcome(name, place, scores) for place in range(len(TASKS))]
    return [architecture, name, *map(spread, by_task), ", ".join(map(str, epochs)) or "by validation", *outcomes]


def _outcome(name: str, place: int, scores: dict[str, list[Score]]) -> str:
    """Hold Polyrank to the best peer, with room for the spread of both over seeds."""
    peers = [[score.test[place] for score in scores[peer]] for peer in PEERS if peer in scores]
    if name != OURS or not peers:
        return "-"
    ours, best = [score.test[place] for score in scores[name]], max(peers, key=statistics.fmean)
    return verdict(ours, statistics.fmean(best), (deviation(ours) ** 2 + deviation(best) ** 2) ** 0.5)
