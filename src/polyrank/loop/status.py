"""How a loop stands: cycles and their steps, the live version, and what it waits for."""

import msgspec

from .cycles import STEPS, History
from .live import live_version
from .locking import holder
from .records import Record, Trouble
from .settings import Loop


class CycleStatus(msgspec.Struct, frozen=True, kw_only=True):
    """A cycle.

    Attributes:
        cycle: its number.
        is_over: whether no step is left to do.
        records: of the steps that are done.
        failures: of steps that failed, by step, also of those that went well later.
    """

    cycle: int
    is_over: bool
    records: tuple[Record, ...]
    failures: dict[str, Trouble]


class LiveStatus(msgspec.Struct, frozen=True, kw_only=True):
    """What is live.

    Attributes:
        model: its name.
        version: its number.
        run_id: of the run that it came from.
        cycle: that trained it; None where none did.
    """

    model: str
    version: int
    run_id: str | None
    cycle: int | None


class Status(msgspec.Struct, frozen=True, kw_only=True):
    """How a loop stands.

    Attributes:
        cycles: the oldest first.
        live: None where nothing is.
        next_cycle: number of the cycle of the next step.
        next_step: its name.
        waits_for: what it was waiting for when the loop looked last; None where it did not wait.
        failed: why it failed then; None where it did not.
        runs: who runs the loop now; None where nobody does.
    """

    cycles: tuple[CycleStatus, ...]
    live: LiveStatus | None
    next_cycle: int
    next_step: str
    waits_for: str | None
    failed: str | None
    runs: str | None


def status_of(loop: Loop) -> Status:
    """Say how a loop stands; nothing is changed, and it may be running.

    Raises:
        DataError: a record cannot be read.
        RepositoryError: the model repository is damaged.
    """
    history = History.read(loop)
    current, live = history.current(loop), live_version(loop)
    step = current.next_step or STEPS[0]
    wait, trouble = current.wait(), current.trouble(step)
    if wait is not None and trouble is not None:  # the newer one says how it stands
        wait, trouble = (wait, None) if wait.looked > trouble.last else (None, trouble)
    origin = None if live is None else history.of_run(live.run_id)
    return Status(
        cycles=tuple(
            CycleStatus(
                cycle=each.number,
                is_over=each.is_over,
                records=each.records,
                failures={name: found for name in STEPS if (found := each.trouble(name)) is not None},
            )
            for each in history.cycles
        ),
        live=None
        if live is None
        else LiveStatus(
            model=loop.model, version=live.version, run_id=live.run_id, cycle=None if origin is None else origin.number
        ),
        next_cycle=current.number,
        next_step=step,
        waits_for=None if wait is None else wait.reason,
        failed=None if trouble is None else trouble.reason,
        runs=holder(loop.folder),
    )


def status_rows(status: Status) -> list[tuple[str, ...]]:
    """Return the rows of a table of cycles and steps, its header first."""
    return [("cycle", *STEPS), *(_row(each) for each in status.cycles)]


def _row(cycle: CycleStatus) -> tuple[str, ...]:
    outcomes = {record.step: record.found.outcome for record in cycle.records}
    cells = (outcomes.get(step, "failed" if step in cycle.failures else "-") for step in STEPS)
    return (str(cycle.cycle), *cells)


def status_lines(status: Status) -> list[str]:
    """Return lines that say what is live, what comes next, and who is at work."""
    live = status.live
    if live is None:
        lines = ["live    nothing"]
    else:
        of = "not of this loop" if live.cycle is None else f"of cycle {live.cycle}"
        lines = [f"live    {live.model} version {live.version}, run {live.run_id}, {of}"]
    lines.append(f"next    cycle {status.next_cycle} {status.next_step}")
    lines += [] if status.waits_for is None else [f"waits   for {status.waits_for}"]
    lines += [] if status.failed is None else [f"failed  {status.failed}"]
    return lines + ([] if status.runs is None else [f"runs    {status.runs.rstrip(',')}"])
