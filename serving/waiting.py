"""Waiting, at once or for asyncio: what a client does while it has nothing to do.

The client is written once, as coroutines. Over blocking transports they never suspend, and `finish` runs them as plain
calls, in 0.2 µs each.
"""

import asyncio
import concurrent.futures
import contextlib
import os
import threading
import time
from collections.abc import Callable, Coroutine, Sequence
from typing import Any, Protocol, TypeVar

from polyrank.errors import ConfigError

_LONG = 20_000
"""Rows that take milliseconds to encode, which asyncio's loop should not wait for."""

T = TypeVar("T")
Work = Callable[[], Coroutine[Any, Any, T]]


def finish(work: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine that never suspends."""
    try:
        work.send(None)
    except StopIteration as done:
        result: T = done.value
        return result
    work.close()
    raise RuntimeError("a coroutine over a blocking transport was suspended")


class Signal(Protocol):
    """What calls wait for together."""

    async def wait(self, seconds: float, unless: Callable[[], bool]) -> None:
        """Wait until it is given, for so long at most; not at all where `unless` says that it was given just before."""
        ...

    def give(self) -> None:
        """Wake all that wait, in the order in which they came."""
        ...


class BlockingSignal:
    """A signal between threads."""

    def __init__(self) -> None:
        self._event = threading.Event()

    async def wait(self, seconds: float, unless: Callable[[], bool]) -> None:
        """Wait in this thread."""
        event = self._event  # before looking: what is given from here on wakes this one
        if not unless():
            event.wait(seconds)

    def give(self) -> None:
        """Wake all threads."""
        given, self._event = self._event, threading.Event()
        given.set()


class AsyncSignal:
    """A signal between tasks."""

    def __init__(self) -> None:
        self._waiters: dict[asyncio.Future[None], None] = {}

    async def wait(self, seconds: float, unless: Callable[[], bool]) -> None:
        """Wait while the loop goes on."""
        if unless():
            return
        given = asyncio.get_running_loop().create_future()
        self._waiters[given] = None
        try:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(seconds):
                    await given
        finally:
            del self._waiters[given]

    def give(self) -> None:
        """Wake all tasks."""
        for given in self._waiters:
            if not given.done():
                given.set_result(None)


class Waiting(Protocol):
    """How a client waits."""

    async def sleep(self, seconds: float) -> None:
        """Do nothing for a while."""
        ...

    async def all_of(self, works: Sequence[Work[T]]) -> list[T]:
        """Run all side by side and return their results in order; the first error is raised when all have ended."""
        ...

    async def first_of(self, work: Work[T], second: Work[T], after_s: float) -> T:
        """Return what `work` gives, or `second`, which starts when `work` takes longer than `after_s`.

        An error of one counts when the other fails too.
        """
        ...

    async def compute(self, work: Callable[[], T]) -> T:
        """Return what takes a while to compute."""
        ...

    def close(self) -> None:
        """End its threads."""
        ...


async def computed(waiting: Waiting, rows: int | None, work: Callable[[], T]) -> T:
    """Compute something about so many rows: of few at once, of many or None as `Waiting.compute` does."""
    return work() if rows is not None and rows <= _LONG else await waiting.compute(work)


class Blocking:
    """Waiting in the calling thread, with threads for what runs side by side."""

    def __init__(self, parallel: int) -> None:
        # Parts wait for hedges, so that one pool for both could run full of parts that wait for ever.
        self._parts = _Threads(parallel, "polyrank-part")
        self._hedges = _Threads(2 * parallel, "polyrank-hedge")

    async def sleep(self, seconds: float) -> None:
        """Do nothing for a while."""
        time.sleep(seconds)  # noqa: ASYNC251 (nothing else runs in this thread)

    async def all_of(self, works: Sequence[Work[T]]) -> list[T]:
        """Run all side by side, the last one in this thread."""
        futures = [self._parts.submit(work) for work in works[:-1]]
        try:
            last = await works[-1]()
        finally:
            concurrent.futures.wait(futures)
        return [*(future.result() for future in futures), last]

    async def first_of(self, work: Work[T], second: Work[T], after_s: float) -> T:
        """Return what comes first."""
        futures = [self._hedges.submit(work)]
        if not concurrent.futures.wait(futures, after_s).done:
            futures.append(self._hedges.submit(second))
        for future in concurrent.futures.as_completed(futures):
            if future.exception() is None:
                return future.result()
        return futures[0].result()

    async def compute(self, work: Callable[[], T]) -> T:
        """Compute it here."""
        return work()

    def close(self) -> None:
        """End the threads once they have nothing to do."""
        self._parts.close()
        self._hedges.close()


class _Threads:
    """A pool of threads, which a child of a fork makes anew: they stay with the parent."""

    def __init__(self, count: int, name: str) -> None:
        self._count, self._name, self._is_closed = count, name, False
        self._pool, self._process = self._opened(), os.getpid()

    def submit(self, work: Work[T]) -> "concurrent.futures.Future[T]":
        """Run it in a thread."""
        if self._process != os.getpid():
            self._pool, self._process = self._opened(), os.getpid()
        try:
            return self._pool.submit(_run, work)
        except RuntimeError as err:
            if not self._is_closed:
                raise
            raise closed_error() from err

    def close(self) -> None:
        """End the threads once they have nothing to do."""
        self._is_closed = True
        self._pool.shutdown(wait=False)

    def _opened(self) -> concurrent.futures.ThreadPoolExecutor:
        return concurrent.futures.ThreadPoolExecutor(self._count, self._name)


def closed_error() -> ConfigError:
    """Return the error of a call after `close`."""
    return ConfigError("the client is closed; make a new one")


def _run(work: Work[T]) -> T:
    return finish(work())


class Asynchronous:
    """Waiting in asyncio's loop."""

    async def sleep(self, seconds: float) -> None:
        """Do nothing for a while."""
        await asyncio.sleep(seconds)

    async def all_of(self, works: Sequence[Work[T]]) -> list[T]:
        """Run all side by side."""
        if len(works) == 1:
            return [await works[0]()]
        found = await asyncio.gather(*(work() for work in works), return_exceptions=True)
        for each in found:
            if isinstance(each, BaseException):
                raise each
        return found  # type: ignore[return-value]

    async def first_of(self, work: Work[T], second: Work[T], after_s: float) -> T:
        """Return what comes first, and give the other up."""
        tasks = {asyncio.ensure_future(work())}
        failed: BaseException | None = None
        try:
            done, waiting = await asyncio.wait(tasks, timeout=after_s)
            if not done:
                tasks.add(asyncio.ensure_future(second()))
                waiting = tasks
            while done or waiting:
                for task in done:
                    if task.exception() is None:
                        return task.result()
                    failed = task.exception()
                if not waiting:
                    break
                done, waiting = await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in tasks:
                if not task.cancel() and not task.cancelled():
                    task.exception()  # or asyncio logs that nobody asked for it
        raise failed or RuntimeError("nothing was run")

    async def compute(self, work: Callable[[], T]) -> T:
        """Compute it in a thread, so that the loop goes on."""
        return await asyncio.to_thread(work)

    def close(self) -> None:
        """Nothing is kept."""
