"""Run directories with random weights, made without training, and rows that fit them."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import torch

from polyrank.encoder import Batch, Encoder
from polyrank.features import NeighborsFeature
from polyrank.models import ModelConfig, MultiTaskRanker, TrainedRanker
from polyrank.schema import Schema, toml_text
from polyrank.train import TrainConfig

SMALL = ModelConfig(hidden_dims=(16, 8), tower_dims=(4,))

ITEM = '{ name = "item", kind = "categorical", dtype = "int64", num_buckets = 50, embedding_dim = 4 }'
WORD = '{ name = "word", kind = "categorical", dtype = "text", num_buckets = 7, embedding_dim = 3 }'
HISTORY = '{ name = "history", kind = "bag", max_length = 4, shares = "item" }'
TAGS = (
    '{ name = "tags", kind = "bag", dtype = "text", max_length = 3, num_buckets = 11, embedding_dim = 4, '
    'pooling = "sum" }'
)
CROSS = '{ name = "word by item", kind = "cross", features = ["word", "item"], num_buckets = 90, embedding_dim = 4 }'
TITLE = (
    '{ name = "title", kind = "text", sizes = [1, 2], max_length = 6, num_buckets = 40, embedding_dim = 4, '
    'pooling = "sqrtn" }'
)
MAXIMUM = '{ name = "tags", kind = "bag", max_length = 3, shares = "word", pooling = "max" }'
WEIGHTED = '{ name = "history", kind = "bag", max_length = 4, shares = "item", weights = "shares" }'
WRITTEN = (
    '{ name = "written", kind = "bag", dtype = "text", max_length = 3, num_buckets = 11, embedding_dim = 3, '
    'separator = ",", weight_separator = ":", pooling = "sqrtn" }'
)
SEEN = '{ name = "history", kind = "sequence", max_length = 4, shares = "item", pooling = "attention" }'
LATELY = (
    '{ name = "tags", kind = "sequence", max_length = 2, order = "newest_first", dtype = "text", num_buckets = 9, '
    "embedding_dim = 3 }"
)
NEAR = '{ name = "near", kind = "neighbors", of = "item", by = "word", task = "click", k = 3, pooling = "sqrtn" }'
NEAR_WORD = '{ name = "near word", kind = "neighbors", of = "word", by = "item", k = 5, pooling = "max" }'
DENSE = '{ name = "item", kind = "categorical", identity = true, num_buckets = 1000, embedding_dim = 4 }'
PRICE = '{ name = "price", kind = "numeric", transform = ["log1p", "standardize"], mean = 2.0, std = 1.5 }'
AGE = '{ name = "age", kind = "numeric" }'
DEPTH = (
    '{ name = "depth", kind = "numeric", transform = ["clip", "log1p", "minmax"], clip = [0.5, 90], minimum = 0.25, '
    "maximum = 4.5 }"
)
HEIGHT = (
    '{ name = "height", kind = "numeric", transform = ["clip", "standardize"], clip = [-1, 2], mean = 0.25, std = 2 }'
)
RANK = (
    '{ name = "rank", kind = "numeric", transform = ["quantile"], quantiles = 4, mean = 3.0, std = 1.0, '
    "knots = [-2.5, 0, 0.125, 40], levels = [0.0, 0.375, 0.75, 1.0] }"
)
LEVEL = (
    '{ name = "level", kind = "numeric", transform = ["clip", "quantile"], clip = [0, 1], knots = [0.5], '
    "levels = [0.5] }"
)
BUCKET = '{ name = "rank", kind = "bucketized", boundaries = [-1.0, 0.0, 0.1, 7.0], embedding_dim = 3 }'
PARTS = '{ name = "height", kind = "bucketized", quantiles = 3, boundaries = [0.5], embedding_dim = 4 }'
ONE_PART = '{ name = "level", kind = "bucketized", quantiles = 3, boundaries = [], embedding_dim = 2 }'
PLACE = '{ name = "place", kind = "vector", dim = 3 }'
UNIT = '{ name = "unit", kind = "vector", dim = 5, l2_norm = true, projection = 2 }'
TASKS = (
    '{ name = "click", kind = "binary", label = "is_click" }',
    '{ name = "like", kind = "binary", label = "is_like" }',
    '{ name = "ratio", kind = "regression", label = "watch_ratio", transform = "log1p" }',
)
EVERY_TASK = (
    TASKS[0],
    '{ name = "like", kind = "binary", label = "is_like", when = "is_click" }',
    TASKS[2],
    '{ name = "seconds", kind = "regression", label = "watch_s", loss = "huber", huber_delta = 5.0 }',
    '{ name = "stars", kind = "ordinal", label = "stars", levels = [1, 2, 3.5, 5] }',
    '{ name = "genre", kind = "multiclass", label = "genre", num_classes = 4 }',
    '{ name = "plays", kind = "count", label = "plays" }',
)
"""One of each kind, and two that follow one another."""

FEATURES = {
    "all kinds and widths": (ITEM, HISTORY, PRICE, WORD, TAGS, AGE),
    "only hashed": (ITEM, WORD),
    "only bags": (TAGS,),
    "only numeric": (PRICE, AGE),
    "one of each": (ITEM, AGE),
    "crosses": (CROSS, ITEM, WORD),
    "texts": (TITLE, AGE),
    "maxima": (WORD, MAXIMUM),
    "identities": (WORD, DENSE, HISTORY),
    "sequences": (LATELY, SEEN, WORD, ITEM),
    "neighbours": (NEAR_WORD, NEAR, WORD, TAGS, ITEM, AGE),
    "neighbours of identities": (DENSE, WORD, NEAR),
    "weights": (WRITTEN, ITEM, WEIGHTED, AGE),
    "buckets": (BUCKET, ITEM, AGE, PARTS, ONE_PART, DEPTH),
    "only buckets": (PARTS, BUCKET),
    "vectors": (PLACE, ITEM, AGE, UNIT, BUCKET, DEPTH),
    "only vectors": (UNIT, PLACE),
    "every transform": (DEPTH, RANK, AGE, LEVEL, HEIGHT, PRICE),
}
"""Feature sets by what is special about them."""


def make_schema(features: str = "all kinds and widths", *, name: str = "toy") -> Schema:
    """Return a schema with three tasks and one of the feature sets above."""
    return make_schema_of(*FEATURES[features], name=name)


def make_schema_of(*features: str, name: str = "toy", tasks: Sequence[str] = TASKS) -> Schema:
    """Return a schema with these features and tasks."""
    return Schema.from_toml(f'name = "{name}"\nfeatures = [{", ".join(features)}]\ntasks = [{", ".join(tasks)}]')


def make_sided_schema(*features: str, items: Sequence[str], tasks: Sequence[str] = EVERY_TASK) -> Schema:
    """Return a schema of these features, of which some are of items, and the others of users."""
    schema = make_schema_of(*features, tasks=tasks)
    sides = ("item" if feature.name in items else "user" for feature in schema.features)
    changed = (
        msgspec.structs.replace(feature, side=None if isinstance(feature, NeighborsFeature) else side)
        for feature, side in zip(schema.features, sides, strict=True)
    )
    return msgspec.structs.replace(schema, features=tuple(changed)).resolved()


def make_rows(count: int, seed: int = 0) -> list[dict[str, Any]]:
    """Return rows that fit every schema above: missing values, empty and too long bags among them."""
    rng = np.random.default_rng(seed)
    rows: list[dict[str, Any]] = [
        {
            "item": int(rng.integers(0, 1000)),
            "word": str(rng.choice(["a", "bb", "ccc", "δ", ""])),
            "history": [int(item) for item in rng.integers(0, 1000, rng.integers(0, 7))],
            "tags": [str(tag) for tag in rng.choice(["x", "y", "z"], rng.integers(0, 4))],
            "written": ",".join(f"{tag}:{rng.normal():.3f}" for tag in rng.choice(["x", "y:z"], rng.integers(0, 5))),
            "title": " ".join(rng.choice(["new", "York", "東京", "-"], rng.integers(0, 6))),
            "price": float(rng.lognormal(2.0, 1.0)),
            "age": float(rng.normal(0.0, 1.0)),
        }
        for _ in range(count)
    ]
    for index, name in enumerate(("item", "word", "history", "tags", "price", "age", "title")):
        rows[(index + 1) % count][name] = None
    for row in rows:
        row["shares"] = [float(share) for share in rng.random(len(row["history"] or []))]
    return [row | _more_numbers(rng) | _vectors(rng) for row in rows]


def labelled(rows: list[dict[str, Any]], seed: int = 0) -> list[dict[str, Any]]:
    """Return the rows with a label of each task above; some are null."""
    rng = np.random.default_rng(seed)
    return [{**row, **_labels(rng, row["age"] or 0.0)} for row in rows]


def _labels(rng: np.random.Generator, age: float) -> dict[str, Any]:
    tendency = float(np.clip(0.5 + 0.4 * age, 0.05, 0.95))
    click = int(rng.random() < tendency)
    labels: dict[str, Any] = {
        "is_like": int(rng.random() < tendency) if click else 0,
        "watch_ratio": float(rng.exponential(1.0 + tendency)),
        "watch_s": float(rng.normal(3000.0 + 500.0 * tendency, 300.0)),
        "stars": float(rng.choice([1, 2, 3.5, 5], p=[0.1, 0.2, 0.3, 0.4])),
        "genre": int(rng.integers(0, 4)),
        "plays": int(rng.poisson(2.0 + tendency)),
    }
    present = rng.random(len(labels)) < 0.9
    known = {name: label if there else None for (name, label), there in zip(labels.items(), present, strict=True)}
    return {**known, "is_click": click}


def _more_numbers(rng: np.random.Generator) -> dict[str, Any]:
    present = rng.random(4) < 0.9
    values = {"depth": rng.normal(5, 50), "height": rng.normal(), "rank": rng.normal(0, 20), "level": rng.random()}
    return {name: float(value) if there else None for (name, value), there in zip(values.items(), present, strict=True)}


def _vectors(rng: np.random.Generator) -> dict[str, Any]:
    present = rng.random(2) < 0.9
    values = {"place": rng.normal(size=3), "unit": rng.normal(0, 9, size=5).astype(np.float32)}
    return {name: value if there else None for (name, value), there in zip(values.items(), present, strict=True)}


def make_run(
    path: Path,
    schema: Schema,
    *,
    seed: int = 0,
    sample_rows: int = 200,
    sample: Batch | None = None,
    config: ModelConfig = SMALL,
) -> TrainedRanker:
    """Write a run directory with random weights, large enough that every input moves every answer."""
    path.mkdir(parents=True)
    sample = Encoder(schema).encode(make_rows(sample_rows, seed)) if sample is None else sample
    model = make_model(schema, seed=seed, config=config)
    TrainedRanker.save(path, schema, toml_text(TrainConfig(model=config)), model, sample)
    return TrainedRanker.load(path)


def make_model(schema: Schema, *, seed: int = 0, config: ModelConfig = SMALL) -> MultiTaskRanker:
    """Return a small model with random weights and batch statistics, whose answers spread over the rows."""
    with torch.random.fork_rng(devices=[]), torch.no_grad():
        torch.manual_seed(seed)
        model = MultiTaskRanker(schema, config).eval()
        for name, value in model.state_dict().items():
            if "neighbors" in name:
                value.random_(0, len(value))
            elif "attention" in name:
                value.mul_(0.3)  # it multiplies vectors, whose answers would be off the scale
            elif "embeddings" in name or "buckets" in name:
                value.normal_(std=2.0)
            elif name.endswith(("running_mean", "running_var")):
                value.uniform_(0.2, 0.5)
            elif "crosses" in name or "machines" in name:
                value.mul_(0.02)  # they multiply vectors too, all with all
            elif name.endswith("baseline.bias"):
                value.uniform_(-0.5, 0.5)
            elif name.endswith("weight") and value.ndim == 2:
                value.mul_(2.0)
    return model


def extreme_batch(schema: Schema) -> Batch:
    """Return rows with fingerprints at both ends of int64 and between, and numbers far from the mean."""
    num_slots, num_dense = Encoder(schema).num_slots, Encoder(schema).num_dense
    edges = [2**63 - 1, 2**63 - 2, 2**62, 2**32, 2**31, 2**31 - 1, 1, 0, -1, -2, -(2**31), -(2**63) + 1, -(2**63)]
    ids = np.array([np.roll(edges, shift)[np.arange(num_slots) % len(edges)] for shift in range(len(edges))], np.int64)
    numbers = [0.0, -0.0, 1e-45, -1.0, 99.0, np.nan, 1e3, 0.5, -99.0, 7.0, 1e-3, 2.0, -5.0]
    dense = np.array(
        [np.roll(numbers, shift)[np.arange(num_dense) % len(numbers)] for shift in range(len(edges))], np.float32
    )
    num_weights = Encoder(schema).num_weights
    shares = [1.0, 0.0, 3e-5, 1e4, -1.0, 0.5]
    weights = np.array([np.roll(shares * 3, shift)[:num_weights] for shift in range(len(edges))], np.float32)
    return Batch(
        ids.reshape(len(edges), num_slots), dense.reshape(len(edges), num_dense), weights if num_weights > 0 else None
    )
