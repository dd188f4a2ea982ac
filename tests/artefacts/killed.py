"""Runs exports and publishes that kill themselves with SIGKILL at a chosen step.

Run as a process: it imports everything once, then forks for each job that it reads as JSON from standard input, so that
a job costs its own work alone. A step is a line of the code that stages and publishes, or a file operation below it.
"""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from types import FrameType
from typing import Any, TypedDict

import onnx

from polyrank.export import bundle as bundle_module
from polyrank.export import export_onnx, publish
from polyrank.export.graphs import Graph

TRACED = ("polyrank/staging.py", "/export/repository.py", "/export/exchange.py", "/export/bundle.py", "/shutil.py")


class Job(TypedDict):
    """Work on `source` and `place`, killed at `step`; 0 lets it end and counts its steps."""

    verb: str
    source: str
    place: str
    step: int


def run_jobs(jobs: Sequence[Job], *, exported: Path) -> list[int]:
    """Run jobs one after another in a process of their own; return for each the steps it took, -1 when killed."""
    done = subprocess.run(
        [sys.executable, __file__, str(exported)],
        input=json.dumps(jobs),
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        check=True,
    )
    answers: list[int] = json.loads(done.stdout)
    return answers


class _Countdown:
    """Counts steps and ends the process at one of them."""

    def __init__(self, last: int) -> None:
        self.count = 0
        self._last = last

    def start(self) -> None:
        sys.addaudithook(self._audit)
        sys.settrace(self._trace)

    def _step(self) -> None:
        self.count += 1
        if self.count == self._last:
            os.kill(os.getpid(), signal.SIGKILL)

    def _audit(self, event: str, _arguments: tuple[Any, ...]) -> None:
        if event == "open" or event.startswith(("os.", "fcntl.")):
            self._step()

    def _trace(self, frame: FrameType, event: str, _argument: object) -> Any:
        if not frame.f_code.co_filename.endswith(TRACED):
            return None
        if event == "line":
            self._step()
        return self._trace


def _work(job: Job, graph: onnx.ModelProto) -> int:
    countdown = _Countdown(job["step"])
    if job["verb"] == "publish":
        countdown.start()
        publish(job["source"], job["place"])
    else:
        # What takes long and touches no file of the bundle is not done anew for each step.
        setattr(bundle_module, "build_graph", lambda *_: Graph(graph))  # noqa: B010 (the module exports no such name)
        countdown.start()
        export_onnx(job["source"], out=job["place"])
    sys.settrace(None)
    return countdown.count


def _fork(job: Job, graph: onnx.ModelProto) -> int:
    reader, writer = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.write(writer, str(_work(job, graph)).encode())
        os._exit(0)
    os.close(writer)
    _, status = os.waitpid(pid, 0)
    with os.fdopen(reader) as answer:
        text = answer.read()
    if os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGKILL:
        return -1
    return int(text)


if __name__ == "__main__":
    exported_graph = onnx.load(Path(sys.argv[1]) / "model.onnx")
    json.dump([_fork(job, exported_graph) for job in json.load(sys.stdin)], sys.stdout)
