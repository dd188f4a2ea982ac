"""`polyrank loop`: in this process, or as others that are killed at random moments."""

import contextlib
import dataclasses
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
from contests.verbs import verb

from polyrank.loop import Loop, status_of
from polyrank.loop.findings import PublishFound, TrainFound

SLOWEST_S = 20.0
"""Within so many seconds of its start a first turn is killed; a later one within as many as one took."""


@dataclasses.dataclass
class Turns:
    """Turns a loop.

    Attributes:
        settings: loop.toml.
        kills: how often each turn is killed before it may end.
        chance: when.
        killed: how often it was killed so far.
        seconds: that each turn took, kills and all.
    """

    settings: Path
    kills: int
    chance: np.random.Generator
    killed: int = 0
    seconds: list[float] = dataclasses.field(default_factory=list)
    longest_s: float = SLOWEST_S

    def turn(self) -> None:
        """Run the loop until it waits."""
        start = time.monotonic()
        for _ in range(self.kills):
            self._kill_within(self.longest_s)
        begun = time.monotonic()
        self._run()
        self.longest_s = max(self.longest_s, time.monotonic() - begun) if self.seconds else time.monotonic() - begun
        self.seconds.append(time.monotonic() - start)

    def _run(self) -> None:
        if self.kills:
            subprocess.run(self._command(), check=True, stdout=sys.stderr)
            return
        with contextlib.redirect_stdout(sys.stderr):
            verb(*self._arguments())

    def _kill_within(self, longest_s: float) -> None:
        with subprocess.Popen(self._command(), stdout=sys.stderr) as process:
            try:
                code = process.wait(self.chance.uniform(0.0, longest_s))
            except subprocess.TimeoutExpired:
                process.kill()
                self.killed += 1
                return
        if code:  # it failed by itself, which a turn after it would hide
            raise SystemExit(code)

    def _command(self) -> list[str]:
        return [sys.executable, "-m", "polyrank", *self._arguments()]

    def _arguments(self) -> list[str]:
        return ["--quiet", "loop", str(self.settings)]


def versions(settings: Path) -> list[dict[str, object]]:
    """Return what each cycle came to: run, version, and the outcome of each step."""
    found = []
    for cycle in status_of(Loop.load(settings)).cycles:
        steps = {record.step: record.found for record in cycle.records}
        trained, published = steps.get("train"), steps.get("publish")
        found.append(
            {
                "cycle": cycle.cycle,
                "run_id": trained.run_id if isinstance(trained, TrainFound) else None,
                "rows": trained.rows if isinstance(trained, TrainFound) else None,
                "version": published.version if isinstance(published, PublishFound) else None,
                "steps": {name: each.outcome for name, each in steps.items()},
            }
        )
    return found
