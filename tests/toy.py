"""A small schema with every kind of feature and task, and rows that fit it."""

from collections.abc import Sequence
from typing import Protocol

import numpy as np
import pyarrow as pa

TOY_TOML = """
name = "toy"
time = "time_ms"

[[features]]
name = "user_id"
kind = "categorical"
dtype = "int64"
side = "user"
num_buckets = 500
embedding_dim = 8

[[features]]
name = "item_id"
kind = "categorical"
dtype = "int64"
side = "item"
num_buckets = 300
embedding_dim = 8

[[features]]
name = "history"
kind = "bag"
side = "user"
max_length = 5
shares = "item_id"

[[features]]
name = "tags"
kind = "bag"
dtype = "text"
side = "item"
max_length = 3
num_buckets = 40
embedding_dim = 4
pooling = "sum"

[[features]]
name = "device"
kind = "categorical"
dtype = "text"
num_buckets = 10
embedding_dim = 4
missing = ["", "unknown"]

[[features]]
name = "score"
kind = "numeric"
side = "item"

[[features]]
name = "age"
kind = "numeric"
side = "user"
transform = ["standardize"]

[[features]]
name = "plays"
kind = "numeric"
side = "item"
transform = ["log1p"]

[[features]]
name = "duration_ms"
kind = "numeric"
side = "item"
transform = ["log1p", "standardize"]

[[tasks]]
name = "click"
kind = "binary"
label = "is_click"

[[tasks]]
name = "like"
kind = "binary"
label = "is_like"
when = "is_click"
weight = 0.5

[[tasks]]
name = "rating"
kind = "regression"
label = "rating"

[[tasks]]
name = "watch_s"
kind = "regression"
label = "watch_s"
when = "is_click"
transform = "log1p"
"""


class ToyRows(Protocol):
    def __call__(self, count: int = ..., seed: int = ...) -> pa.Table: ...


def toy_table(count: int = 100, seed: int = 0) -> pa.Table:
    """Make rows that fit the toy schema, oldest first, with nulls, empty and overlong lists, and a learnable click."""
    random = np.random.default_rng(seed)
    user, item = random.integers(0, 60, count), random.integers(0, 40, count)
    device = np.array(["phone", "tablet", "tv", "unknown", ""])[random.integers(0, 5, count)]
    is_click = random.random(count) < 0.1 + 0.4 * (user % 3 == 0) + 0.4 * (item % 2 == 0)
    histories = [random.integers(0, 40, size).tolist() for size in random.integers(0, 8, count)]
    tags = [[f"tag{tag}" for tag in random.integers(0, 30, size)] for size in random.integers(0, 4, count)]
    return pa.table(
        {
            "user_id": user,
            "item_id": pa.array(item, mask=random.random(count) < 0.05),
            "history": pa.array(_some_null(histories, random), pa.list_(pa.int64())),
            "tags": pa.array(_some_null(tags, random), pa.list_(pa.string())),
            "device": device,
            "score": random.normal(size=count),
            "age": pa.array(random.integers(18, 80, count), mask=random.random(count) < 0.1),
            "plays": random.poisson(50, count),
            "duration_ms": pa.array(random.lognormal(9, 1, count), mask=random.random(count) < 0.1),
            "is_click": is_click.astype(np.int64),
            "is_like": (random.random(count) < 0.3).astype(np.int64),
            "rating": pa.array(random.normal(3, 1, count), mask=random.random(count) < 0.2),
            "watch_s": random.exponential(20, count),
            "time_ms": 1_650_000_000_000 + 60_000 * np.arange(count),
        }
    )


def _some_null(lists: Sequence[Sequence[object]], random: np.random.Generator) -> list[Sequence[object] | None]:
    return [None if absent else values for values, absent in zip(lists, random.random(len(lists)) < 0.1, strict=True)]
