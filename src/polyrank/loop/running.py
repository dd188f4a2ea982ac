"""The runner: which step is next, its record, and what to do when it fails or has to wait."""

import contextlib
import dataclasses
import time
from collections.abc import Callable, Generator, Iterator
from pathlib import Path

from polyrank.errors import PolyrankError, StepError
from polyrank.reasons import system_reason

from .cycles import Cycle, History, now
from .locking import alone
from .records import Input, Record, Trouble, Wait, fingerprint_of
from .settings import Loop
from .steps import Done, Step, Waiting, steps
from .tidying import tidy


@dataclasses.dataclass(frozen=True)
class Report:
    """What one step came to.

    Attributes:
        cycle: number of the cycle.
        step: its name.
        record: of it; None where it waits.
        waits_for: why it does; None where it is done.
    """

    cycle: int
    step: str
    record: Record | None = None
    waits_for: str | None = None


_SETTINGS = {"--rows-only": "$.export.rows_only", "publish with --raw": "set raw in $.publish.options"}
"""What messages name that a command has options for, and loop.toml settings."""


def run_loop(loop: Loop, *, one_step: bool = False) -> Generator[Report, None, None]:
    """Do all steps that can be done now, and yield what each came to; the last report says what is waited for.

    Args:
        loop: whose.
        one_step: end after one.

    Raises:
        OutputError: another process runs the loop, or a record cannot be written.
        DataError: a record cannot be read.
        StepError: a step failed; it is tried again the next time.
    """
    with alone(loop.folder):
        while True:
            report = _advance(loop)
            yield report
            if one_step or report.record is None:
                return


def follow(loop: Loop, *, on_failure: Callable[[StepError], None]) -> Generator[Report, None, None]:
    """Go on for ever: do what can be done, then look again every `poll_s`; a step that fails is tried again then.

    Raises:
        OutputError: another process runs the loop.
        DataError: a record cannot be read.
    """
    with alone(loop.folder):
        while True:
            try:
                report = _advance(loop)
            except StepError as err:
                on_failure(err)
                report = None
            if report is not None:
                yield report
            if report is None or report.record is None:
                time.sleep(loop.settings.loop.poll_s)


def _advance(loop: Loop) -> Report:
    """Do the next step."""
    history = History.read(loop)
    cycle = history.current(loop)
    name = cycle.next_step
    assert name is not None  # noqa: S101 (a cycle that is over is not the current one)
    step = next(each for each in steps() if each.name == name)
    began, start = now(), time.monotonic()
    with _told(cycle, step):
        cycle.folder.mkdir(parents=True, exist_ok=True)
        result = step.run(cycle, history.before(cycle))
        if isinstance(result, Waiting):
            Wait(reason=result.reason, looked=now()).save(cycle.file(name, ".waits"))
            return Report(cycle.number, name, waits_for=result.reason)
        cycle.file(name, ".waits").unlink(missing_ok=True)
        record = _recorded(cycle, result, began, start)
    tidy(loop)
    return Report(cycle.number, name, record)


def _recorded(cycle: Cycle, result: Done, began: str, start: float) -> Record:
    """Write the record of a step that is done; the step is done with that."""
    loop = cycle.loop
    record = Record(
        cycle=cycle.number,
        found=result.found,
        began=began,
        seconds=round(time.monotonic() - start, 3),
        inputs=tuple(_input(loop, each) for each in result.inputs),
        wrote=tuple(loop.shown(each) for each in result.wrote),
    )
    record.save(cycle.file(record.step))
    return record


def _input(loop: Loop, path: Path) -> Input:
    from polyrank.files import SUFFIXES, list_files

    listed = [path] if path.is_file() else [part.file for part in list_files(path, SUFFIXES)]
    files = [file for file in listed if isinstance(file, Path)]  # a loop reads folders of its machine
    return fingerprint_of(loop.shown(path), files)


@contextlib.contextmanager
def _told(cycle: Cycle, step: Step) -> Iterator[None]:
    """Record a failure, and say which step it is of."""
    try:
        yield
    except (PolyrankError, OSError) as err:
        reason = _reason(err)
        for option, setting in _SETTINGS.items():
            reason = reason.replace(option, setting)
        with contextlib.suppress(PolyrankError):  # what failed may be the disk
            _count_failure(cycle, step, reason)
        raise StepError(f"cycle {cycle.number}, {step.name}: {reason}") from err


def _reason(err: PolyrankError | OSError) -> str:
    """Return why; several of our errors are an `OSError` too, and have their own words."""
    if isinstance(err, PolyrankError):
        return str(err)
    place = "" if err.filename is None else f"{err.filename}: "
    return f"{place}{system_reason(err)}"


def _count_failure(cycle: Cycle, step: Step, reason: str) -> None:
    before, at = cycle.trouble(step.name), now()
    Trouble(
        attempts=1 if before is None else before.attempts + 1,
        reason=reason,
        first=at if before is None else before.first,
        last=at,
    ).save(cycle.file(step.name, ".failed"))
