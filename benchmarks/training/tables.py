"""How fast training goes with larger embedding tables, of which each batch touches a little."""

import contextlib
import statistics
import sys
import tempfile
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from .contenders import OURS, VARIANTS, Contender, worker
from .results import Lines
from .workers.worker import ROWS, SCHEMA, TASKS, Task

SIZES = (10_000, 1_000_000, 20_000_000)
"""Rows of all tables together."""
NUM_FEATURES = 8
EXPONENT = 1.1
SAMPLES = 500_000
VALIDATED = 1_000
LEAST_SHARE, LEAST_SPEED = 0.8, 230e3


def measure(rounds: int, *, window_rows: int, samples: int = SAMPLES) -> Lines:
    """Train windows with each size in turn."""
    ours = Contender(script="ours.py", options=VARIANTS[OURS])
    with contextlib.ExitStack() as stack:
        workers = {}
        for size in SIZES:
            print(f"{size:,} rows ...", file=sys.stderr, flush=True)
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
            write(folder, size, samples)
            task = Task(folder=str(folder), architecture="shared_bottom", batch_size=1024, window_rows=window_rows)
            workers[size] = stack.enter_context(worker(ours, task))
        times = [{size: one.window_s() for size, one in workers.items()} for _ in range(rounds)]
        peaks = {size: one.peak_bytes() for size, one in workers.items()}
    speeds = {size: 1 / statistics.median(each[size] for each in times) for size in SIZES}
    return [
        ["rows of the tables", "speed", "of that with the smallest", "resident, at most", "target", "outcome"],
        *(_line(size, speeds, peaks[size]) for size in SIZES),
    ]


def write(folder: Path, size: int, samples: int) -> None:
    """Write samples of eight Zipf ids, and their schema."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    generator = np.random.default_rng(size)
    names = [f"id_{place}" for place in range(NUM_FEATURES)]
    columns = {name: zipf_ids(samples, size // NUM_FEATURES, generator) for name in names}
    labels = {task: generator.integers(0, 2, samples) for task in TASKS}
    side = np.where(np.arange(samples) < samples - VALIDATED, "train", "validation")
    pq.write_table(pa.table({**columns, **labels, "side": side}), folder / ROWS)
    features = [
        f'[[features]]\nname = "{name}"\nkind = "categorical"\ndtype = "int64"\n'
        f"num_buckets = {size // NUM_FEATURES}\nembedding_dim = 16\n"
        for name in names
    ]
    tasks = [f'[[tasks]]\nname = "{task}"\nkind = "binary"\nlabel = "{task}"\n' for task in TASKS]
    (folder / SCHEMA).write_text("\n".join(['name = "zipf"\n', *features, *tasks]))


def zipf_ids(count: int, size: int, generator: np.random.Generator) -> NDArray[np.int64]:
    """Draw ids in [0, size), id k - 1 with a chance near k ** -1.1: by the inverse of the distribution function."""
    power = 1 - EXPONENT
    drawn = ((size**power - 1) * generator.random(count) + 1) ** (1 / power)
    return np.minimum(drawn.astype(np.int64), size) - 1


def _line(size: int, speeds: dict[int, float], peak: int) -> list[str]:
    share = speeds[size] / speeds[SIZES[0]]
    target, outcome = "-", "-"
    if size == SIZES[-1]:
        target = f"≥ {LEAST_SHARE} of it, ≥ {LEAST_SPEED / 1e3:.0f} k"
        short = max(LEAST_SHARE / share, LEAST_SPEED / speeds[size])
        outcome = "reached" if short <= 1 else f"missed by a factor of {short:.2f}"
    cells = [f"{size:,}", f"{speeds[size] / 1e3:.0f} k samples/s", f"{share:.2f}", f"{peak / 1e9:.1f} GB"]
    return [*cells, target, outcome]
