"""How near to the best possible a ranker comes in the simulated shop, where that is known."""

import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from polyrank.metrics import Metrics, evaluate
from polyrank.schema import Schema
from polyrank.train import ValidationConfig
from polyrank.train.datasets import storefront
from polyrank.train.datasets.shipped import schema_text
from polyrank.train.encoded import RowEncoder

from .fitting import fit_rows
from .results import Lines, spread, verdict

if TYPE_CHECKING:
    from collections.abc import Iterator

    import pyarrow as pa

TESTED, VALIDATED = 0.1, 0.1
MOST_AUC_LOST = 0.01


def measure(*, rows: int, seeds: int) -> Lines:
    """Simulate once; train with every seed on the oldest eight tenths, and score the newest."""
    import pyarrow as pa
    import pyarrow.compute as pc
    import pyarrow.parquet as pq

    schema = Schema.from_toml(schema_text("storefront"))
    tested: list[pa.RecordBatch] = []
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, "impressions.parquet")
        print(f"{rows:,} impressions ...", file=sys.stderr, flush=True)
        batches = _marked(rows)
        first = next(batches)
        with pq.ParquetWriter(file, first.schema) as writer:
            for batch in (first, *batches):
                is_test = pc.equal(batch["side"], "test")
                writer.write_batch(batch.filter(pc.invert(is_test)))
                tested.append(batch.filter(is_test))
        test = pa.Table.from_batches(tested)
        metrics = [_metrics(schema, file, test, seed) for seed in range(seeds)]
    return _lines(storefront.best_possible(test.select(storefront.OUTCOMES)), metrics)


def _marked(rows: int) -> "Iterator[pa.RecordBatch]":
    """Yield the impressions, with the side of the split that each is on."""
    import numpy as np
    import pyarrow as pa

    done = 0
    for batch in storefront.batches(rows):
        place = np.arange(done, done + len(batch)) / rows
        done += len(batch)
        sides = np.where(place < 1 - TESTED, "validation", "test")
        side = pa.array(np.where(place < 1 - TESTED - VALIDATED, "train", sides))
        yield pa.RecordBatch.from_arrays([*batch.columns, side], [*batch.schema.names, "side"])


def _metrics(schema: Schema, file: Path, test: "pa.Table", seed: int) -> Metrics:
    print(f"seed {seed} ...", file=sys.stderr, flush=True)
    answers = fit_rows(schema, file, seed=seed).answers(test)
    labels = RowEncoder(schema, ValidationConfig()).encode(test).labels
    return evaluate(schema, answers, labels).values


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
