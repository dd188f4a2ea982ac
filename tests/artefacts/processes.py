"""What a test asks of the server's processes, without ONNX: the client's tests run without it."""

import contextlib
import os
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from polyrank.serving import Server
from polyrank.serving.processes import children, command_line

SHARED_MEMORY = Path("/dev/shm")  # noqa: S108


def private_folder(pid: int) -> Path:
    """Return the private folder of the server with this process id."""
    words = Path(f"/proc/{pid}/cmdline").read_text().split("\0")
    option = next(word for word in words if word.startswith("--backend-directory="))
    return Path(option.partition("=")[2]).parent


def workers(server: Server, model: str = "ranker") -> list[int]:
    """Return the process ids of the workers of a model."""
    found = {pid: command_line(pid) for pid in children(server.pid)}
    return [pid for pid, words in found.items() if any(f"/{model}/" in word for word in words)]


def remains(folder: Path) -> list[str]:
    """Return what is left of a server: its processes, its shared memory, its private folder."""
    shared = [str(path) for path in SHARED_MEMORY.glob(f"*{folder.name}*")]
    return [*_processes(folder.name), *shared, *([str(folder)] if folder.exists() else [])]


def _processes(word: str) -> list[str]:
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            line = (entry / "cmdline").read_text().replace("\0", " ")
        except OSError:
            continue
        if word in line:
            found.append(f"{entry.name} {line}")
    return found


def wait_until(condition: Callable[[], bool], timeout_s: float = 20.0) -> bool:
    """Return whether the condition came true in time."""
    deadline = time.monotonic() + timeout_s
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.05)
    return True


@contextlib.contextmanager
def frozen(process: int) -> Iterator[None]:
    """Stop a process, which answers nothing inside the block: each of its threads stops when it sees the signal."""
    os.kill(process, signal.SIGSTOP)
    try:
        assert wait_until(lambda: all(_is_stopped(thread) for thread in Path(f"/proc/{process}/task").iterdir()))
        yield
    finally:
        os.kill(process, signal.SIGCONT)


def _is_stopped(thread: Path) -> bool:
    return (thread / "stat").read_text().rpartition(")")[2].split()[0] == "T"
