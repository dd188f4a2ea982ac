"""Work that kills itself with SIGKILL at a chosen step, in a process that forks for each job.

The process imports everything once, so that a job costs its own work alone. It reads jobs as JSON from standard input,
a line each, and answers with the steps that each took. A step is a system call that changes a folder, before it
happens, and what the work counts besides.
"""

import contextlib
import json
import os
import signal
import subprocess
import sys
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

KILLED = -1
_FAILED = -2
_CHANGING = {
    "os.chmod",
    "os.link",
    "os.mkdir",
    "os.remove",
    "os.rename",
    "os.rmdir",
    "os.symlink",
    "os.truncate",
    "os.utime",
}
"""Audit events of system calls that change a folder, beside `open` for writing."""


class Countdown:
    """Counts steps in a folder, and ends the process at the `last` of them; 0 ends it at none.

    Attributes:
        count: of the steps so far.
    """

    def __init__(self, last: int, folder: Path) -> None:
        self.count = 0
        self._last, self._folder = last, str(folder)

    def start(self) -> None:
        """Count what changes the folder from now on, to the end of the process."""
        sys.addaudithook(self._audit)

    def step(self) -> None:
        """Take one step."""
        self.count += 1
        if self.count == self._last:
            os.kill(os.getpid(), signal.SIGKILL)

    def _audit(self, event: str, arguments: tuple[Any, ...]) -> None:
        writes = event == "open" and isinstance(arguments[2], int) and arguments[2] & (os.O_WRONLY | os.O_RDWR)
        if event in _CHANGING or writes:
            paths = [os.fsdecode(each) for each in arguments[:2] if isinstance(each, str | bytes | os.PathLike)]
            # Names within a folder that is open are relative.
            if any(self._folder in path or not path.startswith("/") for path in paths):
                self.step()


@contextlib.contextmanager
def forking(script: str, *arguments: str) -> Iterator[Callable[[Any], int]]:
    """Start a script that ends in `answer_jobs`, until the block ends.

    Yields:
        What does one job, and returns the steps it took, `KILLED` when it was killed; a job that fails fails the test,
        with its traceback on standard error.
    """
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(Path(__file__).parents[1])}
    command = [sys.executable, script, *arguments]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment
    ) as process:
        orders, answers = process.stdin, process.stdout
        assert orders is not None
        assert answers is not None

        def work(job: Any) -> int:
            orders.write(json.dumps(job) + "\n")
            orders.flush()
            answer = int(answers.readline())
            assert answer != _FAILED, f"{job} failed"
            return answer

        try:
            yield work
        finally:
            orders.close()


def answer_jobs(work: Callable[[Any], int]) -> None:
    """Answer each job of standard input with the steps that `work` says it took."""
    for line in sys.stdin:
        sys.stdout.write(f"{_fork(work, json.loads(line))}\n")
        sys.stdout.flush()


def _fork(work: Callable[[Any], int], job: Any) -> int:
    reader, writer = os.pipe()
    pid = os.fork()
    if pid == 0:
        _answer_and_exit(work, job, writer)
    os.close(writer)
    _, status = os.waitpid(pid, 0)
    with os.fdopen(reader) as answer:
        text = answer.read()
    if os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGKILL:
        return KILLED
    return int(text or _FAILED)


def _answer_and_exit(work: Callable[[Any], int], job: Any, writer: int) -> None:
    """Work, and end without what an ending process does: its parent's locks and buffers are not this one's."""
    try:
        os.write(writer, str(work(job)).encode())
    except BaseException:  # noqa: BLE001 (told here, and the parent says that the job failed)
        traceback.print_exc()
    finally:
        os._exit(0)
