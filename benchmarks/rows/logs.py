"""Rows drawn at random from the logs of examples/kuairand, as a Parquet file, and a schema that reads them."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from polyrank.features import BagFeature, CategoricalFeature, NumericFeature
from polyrank.schema import Schema
from polyrank.tasks import BinaryTask
from polyrank.train.datasets import kuairand

KUAIRAND = Path(__file__).parents[2] / "examples" / "kuairand"
ROW_GROUP = 32_768  # as in the files of examples/kuairand
TEXTS = ("video_type", "upload_type", "user_active_degree")
CODES = ("tab", "hour", "onehot_feat3", "onehot_feat8", "music_type")
IDS = ("user_id", "video_id", "author_id", "music_id")
LOGGED = ("duration_ms", "follow_user_num", "fans_user_num", "friend_user_num", "register_days")
PLAIN = ("onehot_feat2", "onehot_feat4", "onehot_feat7")  # codes, for want of three more numbers

SCHEMA = Schema(
    name="kuairand",
    features=(
        *(CategoricalFeature(name=name, dtype="int64", num_buckets=50_000) for name in (*IDS, *CODES)),
        *(CategoricalFeature(name=name, dtype="text", num_buckets=100) for name in TEXTS),
        BagFeature(name="history", shares="video_id", max_length=20),
        BagFeature(name="tags", dtype="text", num_buckets=1_000, max_length=3),
        *(NumericFeature(name=name, transform=("log1p", "standardize")) for name in LOGGED),
        *(NumericFeature(name=name, transform=("standardize",)) for name in PLAIN),
    ),
    tasks=(BinaryTask(name="click", label="is_click"),),
).resolved()


def draw_rows(count: int) -> pa.Table:
    """Draw rows of all columns that the schema names, the same ones in every run."""
    logs = kuairand.load(KUAIRAND).select(SCHEMA.training_columns)
    return logs.take(np.random.default_rng(20260701).integers(0, logs.num_rows, count))


def write_rows(rows: pa.Table, file: Path) -> None:
    """Write a file as those of examples/kuairand are written."""
    pq.write_table(rows, file, compression="zstd", row_group_size=ROW_GROUP)
