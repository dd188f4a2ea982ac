"""Who takes part, each in a process of its own."""

import contextlib
import dataclasses
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import IO

from contests.processes import peak_bytes

from .environments import DEEPCTR, RECHUB, Environment, clean_environment
from .workers.worker import Task

WORKERS = Path(__file__).parent / "workers"


@dataclasses.dataclass(frozen=True, kw_only=True)
class Contender:
    """One way to train.

    Attributes:
        script: of the worker.
        environment: that the worker runs in; None is that of this process.
        options: lines of TOML for the configuration of Polyrank.
    """

    script: str
    environment: Environment | None = None
    options: str = ""

    @property
    def python(self) -> Path:
        """The interpreter."""
        return Path(sys.executable) if self.environment is None else self.environment.python()

    def command(self, task: Task) -> list[str | Path]:
        """Return what starts the worker."""
        task = dataclasses.replace(task, options=self.options)
        return [self.python, WORKERS / self.script, json.dumps(dataclasses.asdict(task))]


OURS = "polyrank"
PLAIN = "plain PyTorch loop"
PEERS = {
    "torch-rechub": Contender(script="rechub.py", environment=RECHUB),
    "DeepCTR-Torch": Contender(script="deepctr.py", environment=DEEPCTR),
}
VARIANTS = {OURS: "", "polyrank, compiled, bfloat16": 'compile = true\nprecision = "bfloat16"'}
"""Configurations of Polyrank by name, as lines of TOML; the defaults are held to the targets."""


def contenders(variants: Sequence[str], *, peers: bool) -> dict[str, Contender]:
    """Return all that take part, by name: Polyrank in these variants, with or without the peers."""
    ours = {name: Contender(script="ours.py", options=VARIANTS[name]) for name in variants}
    return {PLAIN: Contender(script="plain.py"), **(PEERS if peers else {}), **ours}


class Worker:
    """A running process that trains a window when it is asked to.

    Attributes:
        first_step_s: seconds on the wall from its start to its first step.
        warm_up_s: seconds on the wall of the first window, which nobody counts.
    """

    def __init__(self, process: "subprocess.Popen[str]", answers: IO[str], log: Path) -> None:
        self._process, self._answers, self._log = process, answers, log
        start = time.monotonic()
        self._read()
        self.first_step_s = time.monotonic() - start
        self.window_s()
        self.warm_up_s = time.monotonic() - start - self.first_step_s

    def window_s(self) -> float:
        """Train a window; return its seconds of processor time for a sample."""
        assert self._process.stdin is not None  # noqa: S101 (a pipe was asked for; this tells the type checker)
        print(file=self._process.stdin, flush=True)
        rows, seconds = self._read()
        return seconds / rows

    def peak_bytes(self) -> int:
        """Return the most memory that the process had resident so far."""
        return peak_bytes(self._process.pid)

    def _read(self) -> tuple[int, float]:
        line = self._answers.readline()
        if not line:
            raise SystemExit(f"a worker ended: {self._log.read_text().strip()[-2000:]}")
        message = json.loads(line)
        return message["rows"], message["seconds"]


@contextlib.contextmanager
def worker(contender: Contender, task: Task) -> Iterator[Worker]:
    """Run a worker that measures speed; it answers on a pipe of its own, since libraries print what they like."""
    reading, writing = os.pipe()
    with tempfile.NamedTemporaryFile("w", suffix=".log") as log, os.fdopen(reading) as answers:
        process = subprocess.Popen(
            [*contender.command(task), str(writing)],
            stdin=subprocess.PIPE,
            stdout=log,
            stderr=log,
            text=True,
            env=clean_environment(),
            pass_fds=[writing],
        )
        os.close(writing)
        with process:
            try:
                yield Worker(process, answers, Path(log.name))
            finally:
                process.kill()


def train(contender: Contender, task: Task) -> None:
    """Run a worker that trains for quality, to its end."""
    done = subprocess.run(contender.command(task), capture_output=True, text=True, check=False, env=clean_environment())
    if done.returncode != 0:
        raise SystemExit(f"{contender.script} ended with {done.returncode}: {done.stderr.strip()[-2000:]}")
