"""How fast architectures train: Polyrank, the plain loop and the peers, a window each in turn."""

import contextlib
import dataclasses
import itertools
import statistics
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

from contests.measure import Contest, Row, Target, rows_of

from . import movielens
from .contenders import OURS, PEERS, PLAIN, VARIANTS, Contender, Worker, contenders, worker
from .results import Lines
from .workers.worker import Task

BATCH_SIZES = (1024, 4096)
LEAST = {"shared_bottom": (1.4, 3.3), "mmoe": (1.8, 2.8), "ple": (1.7, 2.0)}
"""How many times as fast Polyrank should be as the plain loop, and as the best peer of the run."""
ARCHITECTURES = (*LEAST, "esmm")


@dataclasses.dataclass(frozen=True)
class Warmth:
    """How long it takes until a contender is at work."""

    name: str
    task: Task
    first_step_s: float
    warm_up_s: float


@dataclasses.dataclass(frozen=True, kw_only=True)
class Wanted:
    """What to measure, with which configurations of Polyrank, with or without the peers."""

    architectures: Sequence[str]
    batch_sizes: Sequence[int]
    variants: Sequence[str]
    peers: bool
    rounds: int
    window_rows: int


def measure(folder: Path, wanted: Wanted) -> tuple[list[Row], list[Warmth]]:
    """Measure every architecture at every batch size."""
    rows: list[Row] = []
    warmth: list[Warmth] = []
    everyone = contenders(wanted.variants, peers=wanted.peers)
    with tempfile.TemporaryDirectory() as job:
        movielens.write(movielens.load(folder), Path(job))
        for architecture, batch_size in itertools.product(wanted.architectures, wanted.batch_sizes):
            print(f"{architecture}, batch {batch_size} ...", file=sys.stderr, flush=True)
            task = Task(folder=job, architecture=architecture, batch_size=batch_size, window_rows=wanted.window_rows)
            rows += _rows(task, _in_turns(everyone, task, wanted.rounds, warmth))
    return rows, warmth


def waits(warmth: Sequence[Warmth]) -> Lines:
    """Return the table of how long it takes until contenders are at work."""
    lines = [["workload", "who", "start to first step", "first window"]]
    for one in warmth:
        workload = f"{one.task.architecture}, batch {one.task.batch_size:,}"
        lines.append([workload, one.name, f"{one.first_step_s:.1f} s", f"{one.warm_up_s:.1f} s"])
    return lines


def _in_turns(everyone: Mapping[str, Contender], task: Task, rounds: int, warmth: list[Warmth]) -> dict[str, float]:
    """Return each contender's median seconds for a sample."""
    with contextlib.ExitStack() as stack:
        workers: dict[str, Worker] = {}
        for name, contender in everyone.items():
            workers[name] = stack.enter_context(worker(contender, task))
            warmth.append(Warmth(name, task, workers[name].first_step_s, workers[name].warm_up_s))
        times = [{name: one.window_s() for name, one in workers.items()} for _ in range(rounds)]
    return {name: statistics.median(each[name] for each in times) for name in workers}


def _rows(task: Task, seconds: Mapping[str, float]) -> list[Row]:
    """Hold Polyrank to the targets, and its variants to none."""
    workload = f"{task.architecture}, batch {task.batch_size:,}"
    plain, peer = LEAST.get(task.architecture, (None, None))
    measured = sorted((name for name in PEERS if name in seconds), key=lambda name: seconds[name])
    targets = [_target(workload, PLAIN, plain, "the plain loop")]
    targets += [_target(workload, name, peer if name == measured[0] else None, "the best peer") for name in measured]
    targets += [
        dataclasses.replace(_target(f"{workload}: {name}", PLAIN, None, ""), ours=name)
        for name in VARIANTS
        if name != OURS and name in seconds
    ]
    contest = Contest(keys=task.window_rows, contenders={}, targets=targets, unit="samples")
    return rows_of(contest, {name: one * task.window_rows for name, one in seconds.items()})


def _target(workload: str, against: str, least: float | None, whom: str) -> Target:
    text = "-" if least is None else f"≥ {least:g} x {whom}"
    return Target(workload=workload, text=text, against=against, least=least)
