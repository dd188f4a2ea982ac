"""Runs loops that kill themselves with SIGKILL at a chosen step.

Run as a process, which `killed_loop` starts.
"""

import contextlib
import importlib
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from artefacts.killed_steps import KILLED, Countdown, answer_jobs, forking

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

    def __init__(self, work: Callable[[Any], int]) -> None:
        self._work = work

    def run(self, settings: Path, *, kill_at: int = 0) -> int | None:
        """Run the loop once, killed at a step; 0 lets it end.

        Returns:
            How many steps it took; None when it was killed.
        """
        steps = self._work({"settings": str(settings), "step": kill_at})
        return None if steps == KILLED else steps


@contextlib.contextmanager
def killed_loop() -> Iterator[KilledLoop]:
    """Start the process, until the block ends."""
    with forking(__file__) as work:
        yield KilledLoop(work)


def _work(job: Any) -> int:
    countdown = Countdown(job["step"], Path(job["settings"]).parent)
    countdown.start()
    with contextlib.redirect_stdout(sys.stderr):
        code = main(["--quiet", "loop", job["settings"]])
    if code != 0:
        raise RuntimeError(f"the loop ended with {code}")
    return countdown.count


if __name__ == "__main__":
    for module in MODULES:
        importlib.import_module(module)  # once, not in each process
    answer_jobs(_work)
