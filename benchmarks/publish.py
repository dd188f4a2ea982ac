"""How long publishing takes: `python benchmarks/publish.py [--size-mb 50] [--repeats 5] [FOLDER]`.

The model is trained for a moment and has tables of the size asked for; it is published again and again to a repository
in FOLDER (a temporary one when left out), where the disk is that matters. Seconds are of `publish` alone.
"""

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
from contests import report

from polyrank.export import export_onnx, publish, rollback
from polyrank.schema import Schema
from polyrank.train import TrainConfig, fit

DIM = 16
SCHEMA = """
name = "sized"

[[features]]
name = "item"
kind = "categorical"
dtype = "int64"
num_buckets = {num_buckets}
embedding_dim = {dim}

[[tasks]]
name = "click"
kind = "binary"
label = "is_click"
"""


def main() -> None:
    """Print seconds for each kind of change."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path, nargs="?", help="where the repository is made")
    parser.add_argument("--size-mb", type=float, default=50.0, help="of the model file (default 50)")
    parser.add_argument("--repeats", type=int, default=5, help="times that each is done (default 5)")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=args.folder) as scratch:
        bundle = make_bundle(Path(scratch), args.size_mb)
        models = Path(scratch, "models")
        print(f"model.onnx: {(bundle / 'model.onnx').stat().st_size / 1e6:.1f} MB\n")
        publish(bundle, models)
        changes: dict[str, Callable[[], object]] = {
            "publish": lambda: publish(bundle, models),
            "publish with `--keep 2`": lambda: publish(bundle, models, keep=2),
            "roll back": lambda: rollback(models, name="sized", to=last(models)),
        }
        lines = [["change", "median", "slowest"]]
        for what, change in changes.items():
            seconds = [seconds_of(change) for _ in range(args.repeats)]
            lines.append([what, f"{statistics.median(seconds):.2f} s", f"{max(seconds):.2f} s"])
    print(report.markdown(lines))


def make_bundle(folder: Path, size_mb: float) -> Path:
    """Train on a few rows, and export."""
    schema = Schema.from_toml(SCHEMA.format(num_buckets=int(size_mb * 1e6) // (4 * DIM), dim=DIM))
    random = np.random.default_rng(0)
    rows = pa.table({"item": random.integers(0, 1000, 2_000), "is_click": random.integers(0, 2, 2_000)})
    fit(schema, rows, out=folder / "run", config=TrainConfig(epochs=1), progress=False)
    return export_onnx(folder / "run", out=folder / "bundle").path


def last(models: Path) -> int:
    """Return the newest version."""
    return max(int(path.name) for path in (models / "sized").iterdir() if path.name.isdigit())


def seconds_of(work: Callable[[], object]) -> float:
    """Time one call."""
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


if __name__ == "__main__":
    main()
