"""A small shop to join outcomes in: its schema, and rows written in a few letters."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from polyrank.schema import Schema

SHOP_TOML = """
name = "shop"
time = "time_s"
time_unit = "s"
group = "user_id"

[[features]]
name = "user_id"
kind = "categorical"
dtype = "int64"
side = "user"
num_buckets = 100

[[features]]
name = "item_id"
kind = "categorical"
dtype = "int64"
side = "item"
num_buckets = 100

[[tasks]]
name = "click"
kind = "binary"
label = "clicked"

[[tasks]]
name = "plays"
kind = "count"
label = "num_plays"

[[tasks]]
name = "stars"
kind = "regression"
label = "stars"
when = "clicked"
"""
SHOP = Schema.from_toml(SHOP_TOML)
ZERO = datetime(2026, 1, 1, tzinfo=UTC)
SECONDS = int(ZERO.timestamp())


def at(seconds: float) -> datetime:
    return ZERO + timedelta(seconds=seconds)


def shown(rows: Sequence[tuple[str | None, int, int, float]], **columns: Any) -> pa.Table:
    """Return impressions of (request, user, item, seconds), ranked as they come, and other columns."""
    requests, users, items, seconds = zip(*rows, strict=True)
    return pa.table(
        {
            "request_id": pa.array(requests, pa.string()),
            "shown_at": pa.array([at(second) for second in seconds], pa.timestamp("us", tz="UTC")),
            "rank": pa.array(range(1, len(rows) + 1), pa.int32()),
            "user_id": users,
            "item_id": items,
            **columns,
        }
    )


def happened(rows: Sequence[tuple[str | None, int, float, str]], **columns: Any) -> pa.Table:
    """Return outcomes of (request, item, seconds, task), and other columns."""
    requests, items, seconds, tasks = zip(*rows, strict=True)
    return pa.table(
        {
            "request_id": pa.array(requests, pa.string()),
            "item_id": items,
            "time": pa.array([at(second) for second in seconds], pa.timestamp("us", tz="UTC")),
            "task": tasks,
            **columns,
        }
    )


def write(folder: Path, impressions: pa.Table, outcomes: pa.Table) -> tuple[Path, Path]:
    """Write both, and return where they are."""
    pq.write_table(impressions, folder / "impressions.parquet")
    pq.write_table(outcomes, folder / "outcomes.parquet")
    return folder / "impressions.parquet", folder / "outcomes.parquet"
