"""`polyrank score` as a process."""

import tempfile
from pathlib import Path

from contests.processes import Finished, finished


def scored(bundle: Path, rows: Path) -> Finished:
    """Score a file in a process of its own, from its start to its end."""
    with tempfile.TemporaryDirectory() as folder:
        return finished("--quiet", "score", str(bundle), str(rows), "--out", str(Path(folder, "scores.parquet")))
