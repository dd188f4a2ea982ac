"""A small process between the caller and Triton: it keeps Triton alive, and leaves nothing behind.

It runs in the server's private environment, where `polyrank` has no packages: all that it imports needs the standard
library alone.
"""

import contextlib
import ctypes
import dataclasses
import json
import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from types import FrameType
from typing import Self

from .ending import TICK_S, end_group, kill_group, reap, remove_leftovers, remove_shared_memory
from .restarts import WINDOW_S, Restarts
from .stacks import raise_stack_limit
from .triton_http import TritonHttp
from .watch import PERIOD_S, Watch

_PR_SET_PDEATHSIG = 1
_PR_SET_CHILD_SUBREAPER = 36
_LOAD = "--load-model="


@dataclasses.dataclass(frozen=True, kw_only=True)
class Orders:
    """What a supervisor is started with.

    Attributes:
        folder: The server's private folder, removed at the end.
        log: Triton's log.
        repository: Its model repository.
        http_host: Where Triton answers over HTTP.
        http_port: Its port.
        restarts: How often Triton may be started again within ten minutes.
        hang_s: Seconds without an answer after which it is started again.
        ready_timeout_s: Seconds that it may take to start again.
        grace_s: Seconds that requests in flight may take at the end, unless the caller says otherwise.
        headers: What Triton asks of who controls it.
    """

    folder: str
    log: str
    repository: str
    http_host: str
    http_port: int
    restarts: int
    hang_s: float
    ready_timeout_s: float
    grace_s: float
    headers: dict[str, str]

    def to_json(self) -> str:
        """Write them as one word of a command line; `from_json` gives them back."""
        return json.dumps(dataclasses.asdict(self))

    @classmethod
    def from_json(cls, text: str) -> Self:
        """Read them."""
        return cls(**json.loads(text))


class Supervisor:
    """Runs Triton until there is a reason to end it, and starts it again when it ended by itself.

    On standard input it reads lines: `watch` once Triton is ready, `stop SECONDS` at the end. On standard output it
    writes lines of JSON: `pid` of each Triton that it starts, what there is to `tell`, and what it will `fail` with.
    """

    def __init__(self, orders: Orders) -> None:
        self._orders = orders
        self._folder = Path(orders.folder)
        self._repository = Path(orders.repository)
        self._restarts = Restarts(orders.restarts)
        self._parent = os.getppid()
        self._grace_s = orders.grace_s
        self._is_told = False
        self._is_watching = False

    def run(self, command: Sequence[str]) -> int:
        """Run Triton's command; return 1 when it ended by itself, else 0."""
        libc = ctypes.CDLL(None)
        libc.prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)  # orphaned workers become ours to wait for
        for each in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            signal.signal(each, self._told)
        models = tuple(word.removeprefix(_LOAD) for word in command if word.startswith(_LOAD))
        plain = [word for word in command if not word.startswith(_LOAD)]
        try:
            while True:
                child = _start([*plain, *(f"{_LOAD}{name}" for name in models)], libc)
                models, fault = self._wait(child, models)
                models = tuple(name for name in models if (self._repository / name / "config.pbtxt").is_file())
                self._end(child, is_lost=bool(fault))
                if not fault or not self._may_go_on(fault, models):
                    return int(bool(fault))
        finally:
            remove_leftovers(self._folder)

    def _told(self, _number: int, _frame: FrameType | None) -> None:
        self._is_told = True

    def _wait(self, child: "subprocess.Popen[bytes]", models: tuple[str, ...]) -> tuple[tuple[str, ...], str]:
        """Return when Triton ended, hangs or shall end.

        Returns:
            The models that it had, and what is wrong with it; "" when it shall end.
        """
        watch = self._new_watch(child.pid, models)
        next_look = time.monotonic()
        while not self._shall_end():
            if (status := child.poll()) is not None:
                return watch.models, _ended(status)
            if self._is_watching and time.monotonic() >= next_look:
                next_look = time.monotonic() + PERIOD_S
                self._look(watch)
                if self._orders.restarts and (fault := self._fault(watch)):
                    return watch.models, fault
            self._read_orders(TICK_S)
        return watch.models, ""

    def _new_watch(self, pid: int, models: tuple[str, ...]) -> Watch:
        endpoint = TritonHttp(self._orders.http_host, self._orders.http_port, headers=self._orders.headers)
        return Watch(endpoint, pid, models, load_s=self._orders.ready_timeout_s)

    def _look(self, watch: Watch) -> None:
        was_silent = not watch.has_answered
        for text in watch.look():
            _say(tell=text)
        if was_silent and watch.has_answered and self._restarts.count:
            _say(tell=f"Triton is ready again, with {', '.join(watch.models) or 'no model'}")

    def _fault(self, watch: Watch) -> str:
        """Return why a Triton that runs is of no use any more; "" when it is."""
        limit_s = self._orders.hang_s if watch.has_answered else self._orders.ready_timeout_s
        return watch.fault or (f"did not answer for {limit_s:g} s" if watch.silence_s > limit_s else "")

    def _shall_end(self) -> bool:
        return self._is_told or os.getppid() != self._parent

    def _read_orders(self, timeout_s: float) -> None:
        readable, _, _ = select.select([sys.stdin], [], [], timeout_s)
        if not readable:
            return
        lines = os.read(sys.stdin.fileno(), 1024).decode().splitlines()
        self._is_watching = self._is_watching or "watch" in lines
        for line in lines:
            if line.startswith("stop "):
                self._grace_s = float(line.removeprefix("stop "))
                self._is_told = True
        self._is_told = self._is_told or not lines  # nothing: the parent closed its end

    def _end(self, child: "subprocess.Popen[bytes]", *, is_lost: bool) -> None:
        if is_lost:
            kill_group(child.pid)
        else:
            log = Path(self._orders.log)
            end_group(child.pid, grace_s=self._grace_s, log=log, is_over=lambda: child.poll() is not None)
        child.wait()
        reap()
        remove_shared_memory(self._folder)

    def _may_go_on(self, fault: str, models: tuple[str, ...]) -> bool:
        """Say whether Triton is to be started again, after a pause."""
        if not self._is_watching or not self._orders.restarts:
            return False
        pause_s = self._restarts.next_pause_s(time.monotonic())
        if pause_s is None:
            _say(
                fail=f"Triton {fault}, and was started again {self._orders.restarts} times within {WINDOW_S / 60:g} min"
            )
            return False
        later = f" in {pause_s:g} s" if pause_s else ""
        _say(tell=f"Triton {fault}; starting it again{later} with {', '.join(models) or 'no model'}")
        resume = time.monotonic() + pause_s
        while time.monotonic() < resume and not self._shall_end():
            self._read_orders(TICK_S)
        return not self._shall_end()


def _ended(status: int) -> str:
    return f"was ended by {signal.Signals(-status).name}" if status < 0 else f"ended with status {status}"


def _say(**words: object) -> None:
    """Write a line to the caller, which may be gone."""
    with contextlib.suppress(BrokenPipeError):
        os.write(sys.stdout.fileno(), f"{json.dumps(words)}\n".encode())


def _start(command: Sequence[str], libc: ctypes.CDLL) -> "subprocess.Popen[bytes]":
    supervisor = os.getpid()

    def die_with_supervisor() -> None:
        libc.prctl(_PR_SET_PDEATHSIG, int(signal.SIGTERM), 0, 0, 0)
        if os.getppid() != supervisor:  # it died before the request took hold
            os._exit(1)
        raise_stack_limit()

    child = subprocess.Popen(  # noqa: S603 - the command that the server composed
        command,
        stdin=subprocess.DEVNULL,
        stdout=sys.stderr,
        process_group=0,
        preexec_fn=die_with_supervisor,  # noqa: PLW1509 - this process has one thread
    )
    _say(pid=child.pid)
    return child


def main(words: Sequence[str]) -> int:
    """Supervise: the first word has the `Orders`, the others are Triton's command."""
    return Supervisor(Orders.from_json(words[0])).run(words[1:])
