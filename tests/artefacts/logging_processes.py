"""Processes that log impressions until they are killed; each says which lists it has flushed.

Run as a process: it imports everything once, then forks writers, so that a round costs its own work alone.
"""

import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import IO

from artefacts import shown

from polyrank.serving import ImpressionLog

ITEMS_SHOWN = 3
LISTS_IN_A_FLUSH = 5


def flushed_by_killed(folder: Path, *, rounds: int, seed: int, writers: int = 2) -> list[str]:
    """Log into one folder, `writers` at once, killed after a moment, round after round.

    Returns:
        The request ids that were flushed before.
    """
    command = [sys.executable, "-m", "artefacts.logging_processes", str(folder), str(rounds), str(seed), str(writers)]
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[1]), "OMP_NUM_THREADS": "1"}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    flushed: list[str] = json.loads(done.stdout)
    return flushed


def assert_logged_once(folder: Path, flushed: Sequence[str]) -> None:
    """Recover the folder, and look for every list that was flushed, and for any that is there twice or in part."""
    ImpressionLog.recover(folder)
    counts = Counter(shown.rows(folder)["request_id"].to_pylist()) if shown.files(folder) else Counter()
    assert [name for name in flushed if counts[name] != ITEMS_SHOWN] == []
    assert set(counts.values()) <= {ITEMS_SHOWN}
    assert [path.name for path in folder.iterdir() if path.name.startswith(".")] == []


def main(arguments: Sequence[str]) -> None:
    folder, rounds, seed, writers = Path(arguments[0]), *map(int, arguments[1:])
    with tempfile.TemporaryDirectory() as warm, ImpressionLog(warm) as log:  # imports what a log needs
        log.shown(shown.answer(shown.items()), user=shown.USER, items=shown.items())
    chance = random.Random(seed)
    flushed: list[str] = []
    for number in range(rounds):
        started = [_start(folder, f"{number}.{writer}") for writer in range(writers)]
        for process, pipe in started:
            flushed += [pipe.readline().strip() for _ in range(chance.randrange(40))]
            time.sleep(chance.uniform(0.0, 0.005))
            os.kill(process, signal.SIGKILL)
        for process, pipe in started:
            os.waitpid(process, 0)
            flushed += pipe.read().split("\n")[:-1]
    print(json.dumps(flushed))  # noqa: T201 (for the process that started this one)


def _start(folder: Path, name: str) -> tuple[int, IO[str]]:
    reading, writing = os.pipe()
    process = os.fork()
    if process == 0:
        _log(folder, name, writing)
    os.close(writing)
    return process, os.fdopen(reading)


def _log(folder: Path, name: str, pipe: int) -> None:
    """Log for ever, and write the name of each list that is flushed; small journals, so that many become files."""
    items = shown.items()
    log = ImpressionLog(folder, rotate_mb=0.02, rotate_s=0.05, flush_s=0.002)
    for start in range(0, 10**9, LISTS_IN_A_FLUSH):
        names = [f"{name}-{number}" for number in range(start, start + LISTS_IN_A_FLUSH)]
        for each in names:
            log.shown(shown.answer(items, request_id=each), user=shown.USER, items=items)
        log.flush()
        os.write(pipe, "".join(f"{each}\n" for each in names).encode())


if __name__ == "__main__":
    main(sys.argv[1:])
