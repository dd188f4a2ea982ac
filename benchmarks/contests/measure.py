"""Contests: several ways to do one job, timed in turns on one core, and the targets that their medians are held to."""

import contextlib
import dataclasses
import gc
import os
import statistics
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np

OURS = "polyrank"
ROUND_S = 0.02  # a contender faster than this is called several times a round
FEW_KEYS = 10_000  # below, a row gives the time of a call rather than keys per second


@dataclasses.dataclass(frozen=True, kw_only=True)
class Scale:
    """How much work a run does: `keys` in the long columns, `rows` in tables and lists."""

    keys: int = 10_000_000
    rows: int = 1_000_000
    rounds: int = 9


ALLOWED = frozenset(os.sched_getaffinity(0))  # before anything is pinned
FULL = Scale()
QUICK = Scale(keys=100_000, rows=10_000, rounds=3)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Target:
    """One line of the table: `ours` should be at least `least` times as fast as the contender `against`.

    Without `least` the line is there for information. `against` may name one of the contest's limits instead.
    """

    workload: str
    text: str
    against: str
    least: float | None
    ours: str = OURS


@dataclasses.dataclass(frozen=True, kw_only=True)
class Contest:
    """Contenders that each do `keys` keys in a call, or rows; `limits_s` are fixed times that targets may name.

    `absent` holds contenders that cannot run here, each with what it lacks. The clock counts the processor time of all
    threads of this process, so that what else a shared machine runs costs nobody a turn; two threads need real time.
    """

    keys: int
    contenders: Mapping[str, Callable[[], object]]
    targets: Sequence[Target]
    limits_s: Mapping[str, float] = dataclasses.field(default_factory=dict)
    absent: Mapping[str, str] = dataclasses.field(default_factory=dict)
    clock: Callable[[], float] = time.process_time
    unit: str = "keys"


@dataclasses.dataclass(frozen=True, kw_only=True)
class Row:
    """What a contest says about one target; a time is None where the contender is absent, which `note` explains.

    `spread` is how far apart our rounds were, where it is known.
    """

    target: Target
    keys: int
    ours_s: float | None
    theirs_s: float | None
    note: str = ""
    unit: str = "keys"
    spread: float | None = None

    @property
    def ratio(self) -> float | None:
        """How many times as fast as the other contender."""
        return self.theirs_s / self.ours_s if self.ours_s and self.theirs_s else None

    @property
    def verdict(self) -> str:
        """Reached, or missed and how many times as fast it would have to be."""
        if self.ratio is None:
            return f"not measured: {self.note}"
        if self.target.least is None:
            return "for information"
        short = self.target.least / self.ratio
        return "reached" if short <= 1 else f"missed by a factor of {short:.2f}"


def medians(contest: Contest, rounds: int) -> dict[str, float]:
    """Time the contenders in turns; return each one's median seconds for a call."""
    return {name: statistics.median(seconds) for name, seconds in turns(contest, rounds).items()}


def spread(seconds: Sequence[float]) -> float:
    """Return how far the middle half of the rounds lies apart, as a share of their median."""
    if len(seconds) < 2:  # noqa: PLR2004 (two have quartiles)
        return 0.0
    low, middle, high = statistics.quantiles(seconds, n=4, method="inclusive")
    return (high - low) / middle


def turns(contest: Contest, rounds: int) -> dict[str, list[float]]:
    """Time the contenders in turns; return each one's seconds for a call, of every round."""
    calls = {name: _calls_per_round(run, contest.clock) for name, run in contest.contenders.items()}
    times: dict[str, list[float]] = {name: [] for name in contest.contenders}
    gc.collect()
    gc.disable()
    try:
        for _ in range(rounds):
            for name, run in contest.contenders.items():
                times[name].append(_seconds(run, calls[name], contest.clock) / calls[name])
    finally:
        gc.enable()
    return times


def rows_of(contest: Contest, seconds: Mapping[str, float], spreads: Mapping[str, float] | None = None) -> list[Row]:
    """Hold the medians to the contest's targets."""
    known = {**contest.limits_s, **seconds}
    return [
        Row(
            target=target,
            keys=contest.keys,
            ours_s=known.get(target.ours),
            theirs_s=known.get(target.against),
            note=contest.absent.get(target.ours, contest.absent.get(target.against, "")),
            unit=contest.unit,
            spread=None if spreads is None else spreads.get(target.ours),
        )
        for target in contest.targets
    ]


def check_same(ours: np.ndarray, theirs: np.ndarray, workload: str, whose: str) -> None:
    """Stop the run when fingerprints are not those that they must be, `whose`: a wrong hash has no speed."""
    if not np.array_equal(ours, theirs):
        raise SystemExit(f"{workload}: the fingerprints differ from {whose}")


def cores() -> list[int]:
    """Return the cores that this process may run on, the one to measure on first."""
    return sorted(ALLOWED, reverse=True)  # the last: the first serves most interrupts


@contextlib.contextmanager
def pinned(*wanted: int) -> Iterator[None]:
    """Keep the calling thread, and threads that it starts meanwhile, on the given cores."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, wanted)
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


@contextlib.contextmanager
def all_pinned(*wanted: int) -> Iterator[None]:
    """Keep all threads of this process, those of libraries too, on the given cores."""
    threads = [int(task.name) for task in Path("/proc/self/task").iterdir()]
    before = {thread: os.sched_getaffinity(thread) for thread in threads}
    for thread in threads:
        os.sched_setaffinity(thread, wanted)
    try:
        yield
    finally:
        for thread, allowed in before.items():
            os.sched_setaffinity(thread, allowed)


def _calls_per_round(run: Callable[[], object], clock: Callable[[], float]) -> int:
    run()
    return max(1, int(ROUND_S / max(_seconds(run, 1, clock), 1e-9)))


def _seconds(run: Callable[[], object], calls: int, clock: Callable[[], float]) -> float:
    start = clock()
    for _ in range(calls):
        run()
    return clock() - start
