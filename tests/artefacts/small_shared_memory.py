"""Serving and scoring where shared memory is small: run as a process of its own, which sees another /dev/shm.

Usage: unshare --mount sh -c 'mount ... /dev/shm; exec python -m artefacts.small_shared_memory SERVED SEED'
"""

import json
import os
import random
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from artefacts.refused import refusal
from artefacts.served import load_scores

from polyrank.errors import PolyrankError
from polyrank.serving import ClientOptions, Ranker, ServerConfig, serve

CALLS = 10
_INSIDE = 'mount -t tmpfs -o size="$1" tmpfs /dev/shm && shift && exec "$@"'


def found_within(size: str, served: Path, seed: int) -> dict[str, Any]:
    """Serve and score with shared memory of a size; skip the test where no process may have its own.

    Returns:
        `right` and `wrong`, how many calls were answered so, and `refused`, what the others were told.
    """
    unshared = ["unshare", "--mount", "sh", "-c", _INSIDE, "sh"]
    probe = subprocess.run([*unshared, "1m", "true"], capture_output=True, text=True, check=False)
    if probe.returncode != 0:
        pytest.skip(f"a small shared memory needs the right to mount: {probe.stderr.strip()}")
    command = [*unshared, size, sys.executable, "-m", "artefacts.small_shared_memory", str(served), str(seed)]
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[1]), "OMP_NUM_THREADS": "1"}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True, timeout=240)
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def main(arguments: Sequence[str]) -> None:
    """Print what was found, as JSON."""
    served, chance = Path(arguments[0]), random.Random(arguments[1])
    found: dict[str, Any] = {"right": 0, "wrong": 0, "refused": []}
    try:
        with serve(served / "repository", models=["toy"], config=ServerConfig(restarts=100)) as server:
            for _ in range(CALLS):
                _ask(server.url, served, chance, found)
    except PolyrankError as err:
        found["refused"].append(str(err))
    json.dump(found, sys.stdout)


def _ask(url: str, served: Path, chance: random.Random, found: dict[str, Any]) -> None:
    times = chance.choice([1, 1, 10, 100])
    rows = pa.concat_tables([pq.read_table(served / "rows.parquet")] * times)
    expected = np.tile(load_scores(served / "scores.npz")["click"], times)
    options = ClientOptions(shared_memory=chance.random() < 0.5, attempts=3)

    def score() -> None:
        with Ranker(url, "toy", options=options, timeout_s=5.0) as ranker:
            scores = ranker.score(rows)["click"].to_numpy()
        found["right" if np.allclose(scores, expected, atol=1e-5) else "wrong"] += 1

    line = refusal(score)
    if line is not None:
        found["refused"].append(line)


if __name__ == "__main__":
    main(sys.argv[1:])
