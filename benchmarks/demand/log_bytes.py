"""How large a row of an impression log is: the simulated shop's pages, as they would be logged."""

import tempfile
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from polyrank import impressions
from polyrank.schema import Schema
from polyrank.train.datasets import storefront
from polyrank.train.datasets.shipped import schema_text

ROWS, SHOWN = 200_000, 10
TASKS = ("click", "rating", "purchase")


def bytes_a_row() -> float:
    """Write rows as Parquet, in ZSTD, with everything that an impression has; return the bytes of each."""
    features = Schema.from_toml(schema_text("storefront")).feature_columns
    table, random = storefront.simulate(ROWS), np.random.default_rng(0)
    ours = pa.table(_own_values(table, random), schema=pa.schema(impressions.own_fields()))
    whole = {name: table[name] for name in features} | {name: ours[name] for name in ours.column_names}
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, "impressions.parquet")
        pq.write_table(pa.table(whole), file, compression="zstd")
        return file.stat().st_size / ROWS


def _own_values(table: pa.Table, random: np.random.Generator) -> dict[str, object]:
    """Return what the log's own columns hold; a table of `own_fields` asks for all of them."""
    requests = np.array([random.bytes(16).hex() for _ in range(ROWS // SHOWN)])
    scores = random.random((ROWS, len(TASKS)), np.float32)
    weights = np.ones((ROWS, len(TASKS)), np.float32)
    return {
        impressions.REQUEST_ID: np.repeat(requests, SHOWN),
        impressions.SHOWN_AT: table["time_s"].to_numpy() * 1_000_000,
        impressions.MODEL: pa.repeat("storefront", ROWS),
        impressions.VERSION: pa.repeat("7", ROWS),
        impressions.ARM: pa.nulls(ROWS, pa.string()),
        impressions.RANK: np.tile(np.arange(1, SHOWN + 1, dtype=np.int32), ROWS // SHOWN),
        impressions.RANK_SCORE: scores.sum(1),
        impressions.SCORES: _maps(scores),
        impressions.TASK_WEIGHTS: _maps(weights),
    }


def _maps(values: np.ndarray) -> pa.Array:
    offsets = np.arange(0, values.size + 1, len(TASKS), dtype=np.int32)
    return pa.MapArray.from_arrays(offsets, pa.array(np.tile(TASKS, ROWS)), pa.array(values.ravel()))
