"""Runs exports and publishes that kill themselves with SIGKILL at a chosen step.

Run as a process: it imports everything once, then forks for each job that it reads as JSON, a line each, from standard
input, so that a job costs its own work alone. A step is a system call that changes the folder, or a line around the one
that exchanges two.
"""

import contextlib
import importlib
import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from types import FrameType
from typing import Any, TypedDict

import onnx

from polyrank.errors import PolyrankError
from polyrank.export import ExportOptions, export_onnx, exporting, publish, rollback
from polyrank.export.answers import Answers
from polyrank.export.graphs import Graph

CHANGING = {
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
"""Audit events of system calls that change a folder, beside `open` for writing: each is a step, before it happens."""

TRACED = "/export/exchange.py"
"""Each line is a step: no event tells of renameat2."""


class Job(TypedDict):
    """Work on `source` and `place`, killed at `step`; 0 lets it end and counts its steps."""

    verb: str
    source: str
    place: str
    step: int


@contextlib.contextmanager
def killed_work(exported: Path) -> Iterator[Callable[[Job], int]]:
    """Start the process, until the block ends.

    Args:
        exported: a bundle, whose graph exports take in place of one of their own.

    Yields:
        What does one job, and returns the steps it took, -1 when it was killed.
    """
    command = [sys.executable, __file__, str(exported)]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment
    ) as process:
        orders, answers = process.stdin, process.stdout
        assert orders is not None
        assert answers is not None

        def work(job: Job) -> int:
            orders.write(json.dumps(job) + "\n")
            orders.flush()
            return int(answers.readline())

        try:
            yield work
        finally:
            orders.close()


def run_jobs(jobs: Sequence[Job], *, exported: Path) -> list[int]:
    """Run jobs one after another in a process of their own; return for each the steps it took, -1 when killed."""
    with killed_work(exported) as work:
        return [work(job) for job in jobs]


class _Countdown:
    """Counts steps and ends the process at one of them."""

    def __init__(self, last: int, place: Path) -> None:
        self.count = 0
        self._last, self._folder = last, str(place.parent)

    def start(self) -> None:
        sys.addaudithook(self._audit)
        sys.settrace(self._trace)

    def _step(self) -> None:
        self.count += 1
        if self.count == self._last:
            os.kill(os.getpid(), signal.SIGKILL)

    def _audit(self, event: str, arguments: tuple[Any, ...]) -> None:
        writes = event == "open" and isinstance(arguments[2], int) and arguments[2] & (os.O_WRONLY | os.O_RDWR)
        if event in CHANGING or writes:
            paths = [os.fsdecode(each) for each in arguments[:2] if isinstance(each, str | bytes | os.PathLike)]
            # Names within a folder that is open are relative.
            if any(self._folder in path or not path.startswith("/") for path in paths):
                self._step()

    def _trace(self, frame: FrameType, event: str, _argument: object) -> Any:
        if not frame.f_code.co_filename.endswith(TRACED):
            return None
        if event == "line":
            self._step()
        return self._trace


class _RefusingServer:
    """Stands for a server that cannot load what it is told to: only the steps of taking back are of interest."""

    url = "nowhere"

    def serves(self, model: str, version: int) -> bool:
        return version < 0 and model == ""

    def load(self, model: str) -> None:
        raise PolyrankError(f"{model} does not load")

    def unload(self, model: str) -> None:
        raise PolyrankError(f"{model} does not unload")

    def answer(self, model: str, version: int, inputs: object) -> Answers:
        raise PolyrankError(f"{model} version {version} does not answer {inputs!r}")


def _take_back(job: Job) -> None:
    with contextlib.suppress(PolyrankError):
        publish(job["source"], job["place"], server=_RefusingServer())


REPOSITORY_VERBS: dict[str, Callable[[Job], object]] = {
    "publish": lambda job: publish(job["source"], job["place"]),
    "publish and keep": lambda job: publish(job["source"], job["place"], keep=1),
    "rollback": lambda job: rollback(job["place"], name="toy"),
    "take back": _take_back,
}


def _work(job: Job, graph: onnx.ModelProto) -> int:
    countdown = _Countdown(job["step"], Path(job["place"]))
    if job["verb"] in REPOSITORY_VERBS:
        countdown.start()
        REPOSITORY_VERBS[job["verb"]](job)
    else:
        # What takes long and touches no file of the bundle is not done anew for each step.
        setattr(exporting, "build_graph", lambda *_: Graph(graph))  # noqa: B010 (the module exports no such name)
        countdown.start()
        export_onnx(job["source"], out=job["place"], options=ExportOptions(requests=None))
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
    for module in ("google.protobuf.text_format", "onnxruntime", "tritonclient.grpc.model_config_pb2"):
        importlib.import_module(module)  # once, not in each process
    exported_graph = onnx.load(Path(sys.argv[1]) / "model.onnx")
    for line in sys.stdin:
        sys.stdout.write(f"{_fork(json.loads(line), exported_graph)}\n")
        sys.stdout.flush()
