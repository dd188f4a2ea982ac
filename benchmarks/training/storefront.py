"""How near to the best possible a ranker comes in the simulated shop, where that is known."""

import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from polyrank.schema import Schema
from polyrank.train import EarlyStoppingConfig
from polyrank.train.datasets import storefront
from polyrank.train.datasets.shipped import schema_text

from .fitting import fit_rows
from .results import Lines, spread, verdict

if TYPE_CHECKING:
    from collections.abc import Iterator

    import pyarrow as pa

VALIDATED = 0.1
EPOCHS = 4
"""At most; training ends when the next is no better on the validation rows."""
MOST_AUC_LOST = 0.01


def measure(*, rows: int, seeds: int) -> Lines:
    """Simulate once; train with every seed on the oldest nine tenths, and score the newest."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    schema = Schema.from_toml(schema_text("storefront"))
    outcomes: list[pa.RecordBatch] = []
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, "impressions.parquet")
        print(f"{rows:,} impressions ...", file=sys.stderr, flush=True)
        batches = _marked(rows)
        first = next(batches)
        with pq.ParquetWriter(file, first.schema) as writer:
            for batch in (first, *batches):
                writer.write_batch(batch)
                outcomes.append(batch.select([*storefront.OUTCOMES, "side"]))
        metrics = [_metrics(schema, file, seed) for seed in range(seeds)]
    table = pa.Table.from_batches(outcomes)
    best = storefront.best_possible(table.filter(pa.compute.equal(table["side"], "validation")))
    return _lines(best, metrics)


def _marked(rows: int) -> "Iterator[pa.RecordBatch]":
    """Yield the impressions, with the side of the split that each is on."""
    import numpy as np
    import pyarrow as pa

    done = 0
    for batch in storefront.batches(rows):
        is_new = np.arange(done, done + len(batch)) >= rows * (1 - VALIDATED)
        done += len(batch)
        side = pa.array(np.where(is_new, "validation", "train"))
        yield pa.RecordBatch.from_arrays([*batch.columns, side], [*batch.schema.names, "side"])


def _metrics(schema: Schema, file: Path, seed: int) -> dict[str, dict[str, float]]:
    print(f"seed {seed} ...", file=sys.stderr, flush=True)
    stopping = EarlyStoppingConfig(metric="click.auc")
    return fit_rows(schema, file, seed=seed, settings={"epochs": EPOCHS, "early_stopping": stopping}).run.metrics


def _lines(best: dict[str, dict[str, float]], metrics: list[dict[str, dict[str, float]]]) -> Lines:
    lines = [["task", "metric", "polyrank", "best possible", "target", "outcome"]]
    for task, possible in best.items():
        for name, value in possible.items():
            values = [run[task][name] for run in metrics]
            is_area = name == "auc"
            outcome = verdict(values, value - MOST_AUC_LOST) if is_area else "for information"
            target = f"within {MOST_AUC_LOST} of it" if is_area else "-"
            lines.append([task, name, spread(values), f"{value:.4f}", target, outcome])
    return lines
