"""Lists that were shown, without a server: a schema, its items, answers about them, and what a log wrote of it."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from polyrank.schema import Schema
from polyrank.serving import Items
from polyrank.serving.origins import Origin
from polyrank.serving.ranking import ranked
from polyrank.serving.served import Served
from polyrank.signature import slots_of

from .fake_triton import SIGNATURE

SCHEMA = Schema.from_toml("""
name = "shop"
features = [
  { name = "user", side = "user", kind = "categorical", dtype = "int64", num_buckets = 9 },
  { name = "device", kind = "categorical", dtype = "text", num_buckets = 9 },
  { name = "history", side = "user", kind = "bag", shares = "item", max_length = 4 },
  { name = "age", side = "user", kind = "numeric" },
  { name = "item", side = "item", kind = "categorical", dtype = "int64", num_buckets = 9 },
  { name = "price", side = "item", kind = "numeric" },
]
tasks = [
  { name = "click", kind = "binary", label = "clicked" },
  { name = "buy", kind = "binary", label = "bought" },
]
""")
USER: Mapping[str, Any] = {"user": 46, "device": "phone", "history": [10, 11], "age": 31.5}
CATALOG = pa.table(
    {"item": [10, 11, 12, 13], "price": [1.5, None, 3.0, 4.0], "sku": ["a", "b", "c", "d"], "more": [1, 2, 3, 4]}
)


def served(schema: Schema = SCHEMA, version: str = "1") -> Served:
    """Return a version as a client knows it."""
    names = tuple(task.name for task in schema.tasks)
    signature = msgspec.structs.replace(SIGNATURE, schema=schema, slots=slots_of(schema), outputs=names)
    return Served(schema.name, version, signature, 1000)


def items(rows: Any = CATALOG, key: str | None = "sku", of: Served | None = None) -> Items:
    """Return items as `Ranker.items` does."""
    return Items(rows, key, served() if of is None else of)


def answer(
    known: Items,
    places: Sequence[int] = (2, 0, 1),
    request_id: str = "r-1",
    weights: Mapping[str, float] | None = None,
) -> pa.Table:
    """Return what `Ranker.rank` gives for a version that scores item n with n/10, and n/100 for its second task."""
    which = known.served
    numbers = np.arange(len(known), dtype=np.float32)[:, None]
    outputs = {name: numbers / np.float32(10**place) for place, name in enumerate(which.widths, 1)}
    origin = Origin(which.model, which.version, request_id, weights or dict.fromkeys(which.weighted, 1.0))
    score = sum(np.float32(origin.task_weights[name]) * outputs[name] for name in which.weighted)
    return ranked(which, known, np.array(places, np.int64), {"score": np.asarray(score, np.float32), **outputs}, origin)


def files(folder: Path) -> list[Path]:
    """Return the files that a log has put in place, by name."""
    return sorted(folder.glob("*.parquet"))


def rows(folder: Path) -> pa.Table:
    """Return all rows of a folder, file after file."""
    return pa.concat_tables([pq.read_table(file) for file in files(folder)], promote_options="default")
