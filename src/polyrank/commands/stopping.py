"""Signals that ask a command to stop, Ctrl-C among them: what is half written is removed."""

import contextlib
import signal
import sys
import threading
from collections.abc import Iterator
from types import FrameType

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
PERIOD_S = 1.0


class StopRequested(KeyboardInterrupt):
    """A user, or another process, asked this one to stop.

    Attributes:
        number: the signal it sent.
    """

    def __init__(self, number: int) -> None:
        self.number = signal.Signals(number)
        super().__init__("interrupted" if number == signal.SIGINT else f"stopped by {self.number.name}")


@contextlib.contextmanager
def stoppable() -> Iterator[None]:
    """Raise `StopRequested` inside the block at the first such signal, and ignore the next, so that cleaning up ends.

    A library that is being imported at that moment may swallow the exception: it is raised again after `PERIOD_S`,
    unless what runs then is the cleaning up. Or the library makes another of it, which leaves as `StopRequested`.

    A signal that is ignored, as under `nohup`, or that has a handler already, is left alone.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    handlers = {number: signal.getsignal(number) for number in SIGNALS}
    usual = (signal.SIG_DFL, signal.default_int_handler)
    taken = {number: handler for number, handler in handlers.items() if handler in usual}
    stop = _Stop()
    for number in taken:
        signal.signal(number, stop.begin)
    try:
        yield
    except Exception as err:
        if stop.requested is not None:
            raise stop.requested from err
        raise
    finally:
        stop.end()
        for number, handler in taken.items():
            signal.signal(number, handler)


@contextlib.contextmanager
def until_stopped() -> Iterator[None]:
    """Run the block, which has no end of its own, until a signal asks it to stop: that is no failure.

    Ctrl-C too where it is ignored: a shell without job control starts its background jobs so.
    """
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, _interrupt)
    with contextlib.suppress(KeyboardInterrupt):
        yield


def _interrupt(_number: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt


class _Stop:
    """A stop that was requested, or may be."""

    def __init__(self) -> None:
        self.requested: StopRequested | None = None

    def begin(self, number: int, _frame: FrameType | None) -> None:
        """Raise now, and again where that has no effect."""
        for each in SIGNALS:
            signal.signal(each, signal.SIG_IGN)
        self.requested = StopRequested(number)
        signal.signal(signal.SIGALRM, self._again)
        signal.setitimer(signal.ITIMER_REAL, PERIOD_S, PERIOD_S)
        raise self.requested

    def end(self) -> None:
        """Raise no more."""
        if self.requested is not None:
            signal.setitimer(signal.ITIMER_REAL, 0.0)
            signal.signal(signal.SIGALRM, signal.SIG_DFL)

    def _again(self, _number: int, _frame: FrameType | None) -> None:
        handled = sys.exc_info()[1]
        while handled is not None:
            if handled is self.requested:
                return
            handled = handled.__context__
        if self.requested is not None:
            raise self.requested
