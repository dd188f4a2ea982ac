"""Signals that ask a command to stop, treated as Ctrl-C is: what is half written is removed."""

import contextlib
import signal
import threading
from collections.abc import Iterator
from types import FrameType

SIGNALS = (signal.SIGTERM, signal.SIGHUP)


class StopRequested(KeyboardInterrupt):
    """Another process asked this one to stop.

    Attributes:
        number: the signal it sent.
    """

    def __init__(self, number: int) -> None:
        self.number = signal.Signals(number)
        super().__init__(f"stopped by {self.number.name}")


@contextlib.contextmanager
def stoppable() -> Iterator[None]:
    """Raise `StopRequested` inside the block at the first such signal, and ignore the next, so that cleaning up ends.

    A signal that is ignored, as under `nohup`, or that has a handler already, is left alone.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    taken = [number for number in SIGNALS if signal.getsignal(number) == signal.SIG_DFL]
    for number in taken:
        signal.signal(number, _stop)
    try:
        yield
    finally:
        for number in taken:
            signal.signal(number, signal.SIG_DFL)


def _stop(number: int, _frame: FrameType | None) -> None:
    for each in SIGNALS:
        signal.signal(each, signal.SIG_IGN)
    raise StopRequested(number)
