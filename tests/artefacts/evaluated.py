"""A model without weights, and rows to evaluate it on."""

import dataclasses
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Literal

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from polyrank.evaluation.answered import AnsweredRows
from polyrank.evaluation.evaluating import evaluate_files
from polyrank.evaluation.options import EvaluationOptions
from polyrank.evaluation.results import Result
from polyrank.metrics.comparison import Answers
from polyrank.schema import Schema
from polyrank.tasks import Task

FEATURES = """
  { name = "user", kind = "categorical", dtype = "int64", num_buckets = 99, side = "user" },
  { name = "item", kind = "categorical", dtype = "text", num_buckets = 99, side = "item" },
  { name = "country", kind = "categorical", dtype = "text", num_buckets = 99, side = "user" },
  { name = "hour", kind = "categorical", dtype = "int64", num_buckets = 99 },
  { name = "price", kind = "numeric", side = "item" },
  { name = "history", kind = "bag", dtype = "text", max_length = 4, num_buckets = 99, side = "user" },
"""
CLICK = '{ name = "click", kind = "binary", label = "c" }'
LIKE = '{ name = "like", kind = "binary", label = "l", when = "c" }'
WATCH = '{ name = "watch", kind = "regression", label = "w", transform = "log1p" }'
TASTE = '{ name = "taste", kind = "regression", label = "s" }'
STARS = '{ name = "stars", kind = "ordinal", label = "o", levels = [1, 2, 3.5, 5] }'
GENRE = '{ name = "genre", kind = "multiclass", label = "g", num_classes = 4 }'
PLAYS = '{ name = "plays", kind = "count", label = "p" }'
EVERY_TASK = (CLICK, LIKE, WATCH, TASTE, STARS, GENRE, PLAYS)


def schema_of(*tasks: str, features: str = FEATURES, extra: str = "") -> Schema:
    """Return a schema with these tasks; `extra` are lines such as `group = "user"`."""
    return Schema.from_toml(f'name = "shop"\n{extra}\nfeatures = [{features}]\ntasks = [{", ".join(tasks)}]')


def table_of(count: int = 300, seed: int = 0) -> pa.Table:
    """Return rows that fit every schema above, oldest first, with missing values and labels."""
    random = np.random.default_rng(seed)
    some = random.random(count)
    click = (random.random(count) < some).astype(np.int64)
    histories = [[f"i{item}" for item in random.integers(0, 20, size)] for size in random.integers(0, 6, count)]
    return pa.table(
        {
            "user": pa.array(random.integers(0, max(2, count // 8), count), mask=random.random(count) < 0.05),
            "item": [f"i{item}" for item in random.integers(0, 20, count)],
            "country": pa.array(
                np.array(["be", "at", "de"])[random.integers(0, 3, count)], mask=random.random(count) < 0.1
            ),
            "hour": random.integers(0, 24, count),
            "price": some,
            "history": pa.array(histories, pa.list_(pa.string())),
            "c": click,
            "l": (random.random(count) < 0.4).astype(np.int64),
            "w": random.exponential(20, count),
            "s": pa.array(random.normal(size=count), mask=random.random(count) < 0.2),
            "o": np.array([1, 2, 3.5, 5])[random.integers(0, 4, count)],
            "g": random.integers(0, 4, count),
            "p": random.poisson(2, count),
            "weight": random.integers(0, 4, count).astype(np.float64),
            "at": 1_700_000_000_000 + 60_000 * np.arange(count),
        }
    )


def answers_of(schema: Schema, rows: pa.Table) -> dict[str, NDArray[np.float32]]:
    """Return answers that follow the price, each task in its own way."""
    prices = rows["price"].to_numpy().astype(np.float64)
    hours = rows["hour"].to_numpy().astype(np.float64)
    return {task.name: _answer(task, np.nan_to_num(prices), np.nan_to_num(hours)) for task in schema.tasks}


def _answer(task: Task, prices: NDArray[np.float64], hours: NDArray[np.float64]) -> NDArray[np.float32]:
    chance = 1 / (1 + np.exp(-4 * (prices - 0.5) - np.sin(hours + len(task.name))))
    if task.num_answers == 1:
        return (chance if task.name in ("click", "like") else 3 * chance).astype(np.float32)
    logits = np.outer(prices, np.arange(task.num_answers)) + np.cos(hours)[:, None]
    return np.asarray(np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True), np.float32)


@dataclasses.dataclass(frozen=True)
class Formula:
    """An `Answerer` whose answers are a function of the rows; that of `answers_of` unless another is given."""

    schema: Schema
    formula: Callable[[Schema, pa.Table], Answers] = answers_of
    source: str = "somewhere"
    kind: Literal["run", "bundle", "server"] = "run"
    name: str = "shop"
    run_id: str = "0123456789ab"
    version: str = ""
    precision: str = "embeddings fp32, dense fp32"

    def answer(self, rows: pa.Table) -> Answers:
        """Answer rows."""
        return self.formula(self.schema, rows)


def few(**changes: object) -> EvaluationOptions:
    """Return options that take little time."""
    given = {
        "resamples": 4,
        "level": 0.5,
        "importance_rows": 50,
        "shuffles": 1,
        "catalogue_users": 5,
        "threads": 1,
    } | changes
    return EvaluationOptions(**given)  # type: ignore[arg-type]


def evaluated(folder: Path, schema: Schema, *pieces: pa.Table, options: EvaluationOptions | None = None) -> Result:
    """Write rows, a file for each table, and evaluate them."""
    return evaluate_files(Formula(schema), written(folder, *pieces), options or few())


def written(folder: Path, *pieces: pa.Table) -> Path:
    """Write a folder of files, one for each table."""
    rows = folder / "rows"
    rows.mkdir()
    for number, piece in enumerate(pieces):
        pq.write_table(piece, rows / f"{number}.parquet")
    return rows


def answered(schema: Schema, rows: pa.Table, groups: Sequence[int] | NDArray[np.int64] | None = None) -> AnsweredRows:
    """Return rows with their answers and labels, in these groups."""
    from polyrank.labels import label_matrix, sample_weights

    columns = {name: rows[name] for name in rows.column_names}
    return AnsweredRows(
        schema,
        answers_of(schema, rows),
        label_matrix(schema, columns),
        None if groups is None else np.asarray(groups, np.int64),
        sample_weights(schema, columns),
    )
