"""A repository with two live versions of one model, trained from different seeds, so that their orders differ."""

from pathlib import Path

import pyarrow as pa
from artefacts.runs import SMALL
from toy import toy_table

from polyrank.export import ServingOptions, export_onnx, publish
from polyrank.models import TrainedRanker
from polyrank.schema import Schema
from polyrank.train import TrainConfig, fit

TASKS = ("click", "long_view")
SCHEMA = """
name = "pair"
time = "time_ms"
features = [
  { name = "user_id", kind = "categorical", dtype = "int64", side = "user", num_buckets = 500, embedding_dim = 8 },
  { name = "item_id", kind = "categorical", dtype = "int64", side = "item", num_buckets = 300, embedding_dim = 8 },
  { name = "history", kind = "bag", side = "user", max_length = 5, shares = "item_id" },
  { name = "tags", kind = "bag", dtype = "text", side = "item", max_length = 3, num_buckets = 40, embedding_dim = 4 },
  { name = "device", kind = "categorical", dtype = "text", side = "context", num_buckets = 10, embedding_dim = 4 },
  { name = "duration_ms", kind = "numeric", side = "item", transform = ["log1p"] },
]
tasks = [
  { name = "click", kind = "binary", label = "is_click" },
  { name = "long_view", kind = "binary", label = "is_like" },
]
"""


def schema() -> Schema:
    """Return the schema of both."""
    return Schema.from_toml(SCHEMA)


def logs(rows: int = 600) -> pa.Table:
    """Return rows of its users and items."""
    table = toy_table(rows, 11)
    return table.filter(table["item_id"].is_valid())


def build(folder: Path) -> tuple[TrainedRanker, TrainedRanker]:
    """Publish version 1 and version 2 in `folder/model_repository`; return what they were made of."""
    both = []
    for number in (1, 2):
        run = folder / f"run{number}"
        config = TrainConfig(batch_size=64, epochs=1, seed=number, model=SMALL)
        both.append(TrainedRanker.load(fit(schema(), logs(), out=run, config=config, progress=False).path))
        options = ServingOptions(latest_versions=2, warm_up=(1,))
        publish(export_onnx(run, out=folder / f"bundle{number}"), folder / "model_repository", options=options)
    return both[0], both[1]
