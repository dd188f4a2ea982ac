"""Runs loops that kill themselves with SIGKILL at a chosen step.

Run as a process: it imports everything once, then forks for each job that it reads as JSON, a line each, from standard
input. A step is a system call that changes a folder of the loop.
"""

import contextlib
import importlib
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from artefacts.killed import CHANGING

from polyrank.__main__ import main

MODULES = (
    "google.protobuf.text_format",
    "onnxruntime",
    "onnxscript",
    "polyrank.export",
    "polyrank.loop",
    "polyrank.model_evaluation",
    "polyrank.serving.local",
    "polyrank.train.run",
    "pyarrow.parquet",
    "scipy.optimize",
    "tritonclient.grpc.model_config_pb2",
)


class KilledLoop:
    """The process, which runs one job at a time."""

    def __init__(self, process: "subprocess.Popen[str]") -> None:
        self._process = process

    def run(self, settings: Path, *, kill_at: int = 0) -> int | None:
        """Run the loop once, killed at a step; 0 lets it end.

        Returns:
            How many steps it took; None when it was killed.
        """
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps({"settings": str(settings), "step": kill_at}) + "\n")
        self._process.stdin.flush()
        answer: int = json.loads(self._process.stdout.readline())
        assert answer >= -1, "the loop failed"
        return None if answer == -1 else answer


@contextlib.contextmanager
def killed_loop() -> Iterator[KilledLoop]:
    """Start the process, until the block ends."""
    tests = str(Path(__file__).parents[1])
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": tests}
    command = [sys.executable, __file__]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment
    ) as process:
        try:
            yield KilledLoop(process)
        finally:
            assert process.stdin is not None
            process.stdin.close()


def _work(settings: str, step: int) -> int:
    folder, count = str(Path(settings).parent), 0

    def audit(event: str, arguments: tuple[Any, ...]) -> None:
        nonlocal count
        writes = event == "open" and isinstance(arguments[2], int) and arguments[2] & (os.O_WRONLY | os.O_RDWR)
        if event in CHANGING or writes:
            paths = [os.fsdecode(each) for each in arguments[:2] if isinstance(each, str | bytes | os.PathLike)]
            if any(folder in path or not path.startswith("/") for path in paths):
                count += 1
                if count == step:
                    os.kill(os.getpid(), signal.SIGKILL)

    sys.addaudithook(audit)
    with contextlib.redirect_stdout(sys.stderr):
        code = main(["--quiet", "loop", settings])
    return count if code == 0 else -2


def _fork(settings: str, step: int) -> int:
    reader, writer = os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            os.write(writer, str(_work(settings, step)).encode())
        finally:
            os._exit(0)
    os.close(writer)
    _, status = os.waitpid(pid, 0)
    with os.fdopen(reader) as answer:
        text = answer.read()
    if os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGKILL:
        return -1
    return int(text or -2)


if __name__ == "__main__":
    for module in MODULES:
        importlib.import_module(module)  # once, not in each process
    for line in sys.stdin:
        job = json.loads(line)
        sys.stdout.write(f"{_fork(job['settings'], job['step'])}\n")
        sys.stdout.flush()
