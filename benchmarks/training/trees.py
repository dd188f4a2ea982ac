"""Polyrank with the shipped schema and its defaults beside LightGBM with target statistics, on the same rows."""

import dataclasses
import statistics
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
import numpy as np
from numpy.typing import NDArray

from polyrank.metrics import Bootstrap, difference_intervals
from polyrank.schema import Schema
from polyrank.tasks import BinaryTask
from polyrank.train import ValidationConfig
from polyrank.train.datasets import census_income, kuairand, movielens
from polyrank.train.datasets.shipped import schema_text

from .fitting import fit_rows
from .results import Lines, spread
from .target_statistics import tree_inputs

if TYPE_CHECKING:
    import pyarrow as pa

NUM_TREES = 300
DAY_MS = 86_400_000
TESTED = 0.1
METRICS = ("auc", "gauc")
HEADINGS = ["data", "task", "metric", "polyrank", "LightGBM", "difference", "95 % interval", "outcome"]

Answers = dict[str, NDArray[np.float32]]


@dataclasses.dataclass(frozen=True)
class DataSet:
    """Rows with a column `side`, in which `validation` is what both are tested on: nothing is chosen by it.

    Attributes:
        name: of the data.
        schema: the shipped one.
        rows: with `side`.
        groups: int64 (N,), the user of each row; None where a user has one row.
    """

    name: str
    schema: Schema
    rows: "pa.Table"
    groups: NDArray[np.int64] | None

    @property
    def is_train(self) -> NDArray[np.bool_]:
        """The rows that train."""
        marks: NDArray[np.bool_] = self.rows["side"].to_numpy() == "train"
        return marks

    @property
    def compared(self) -> Schema:
        """The schema with its binary tasks alone."""
        return msgspec.structs.replace(
            self.schema, tasks=tuple(task for task in self.schema.tasks if isinstance(task, BinaryTask))
        )

    @property
    def labels(self) -> NDArray[np.float32]:
        """Labels of the binary tasks, (N, T)."""
        return np.stack([self.rows[task.label].to_numpy() for task in self.compared.tasks], 1).astype(np.float32)


def last_day(folder: Path) -> DataSet:
    """KuaiRand; its last day tests."""
    rows = kuairand.load(folder)
    time = rows["time_ms"].to_numpy()
    return _data_set("kuairand", kuairand.schema_name(rows), rows, time > time.max() - DAY_MS)


def newest_ratings(folder: Path) -> DataSet:
    """MovieLens-100k; its newest ratings test."""
    rows = movielens.load(folder)
    return _data_set("ml-100k", movielens.schema_name(rows), rows, np.arange(len(rows)) >= len(rows) * (1 - TESTED))


def some_people(folder: Path) -> DataSet:
    """Census-Income; its own test file tests, and without that a tenth of the people, drawn at random."""
    rows = census_income.load(folder)
    is_test = rows["part"].to_numpy() == "test"
    if not is_test.any():
        is_test = np.random.default_rng(0).random(len(rows)) < TESTED
    return _data_set("census-income", census_income.schema_name(rows), rows, is_test)


DATA_SETS: dict[str, Callable[[Path], DataSet]] = {
    "kuairand": last_day,
    "census_income": some_people,
    "ml_100k": newest_ratings,
}


def measure(folders: Mapping[str, Path], *, seeds: int) -> Lines:
    """Compare on each data set."""
    lines = [HEADINGS]
    for name, folder in folders.items():
        data = DATA_SETS[name](folder)
        pairs = []
        for seed in range(seeds):
            print(f"{data.name}, seed {seed} ...", file=sys.stderr, flush=True)
            pairs.append((_trees(data, seed), _ours(data, seed)))
        lines += _lines(data, pairs)
    return lines


def _data_set(name: str, schema: str, rows: "pa.Table", is_test: NDArray[np.bool_]) -> DataSet:
    import pyarrow as pa

    rows = rows.append_column("side", pa.array(np.where(is_test, "validation", "train")))
    groups = rows["user_id"].to_numpy().astype(np.int64) if "user_id" in rows.column_names else None
    return DataSet(name, Schema.from_toml(schema_text(schema)), rows, groups)


def _ours(data: DataSet, seed: int) -> Answers:
    """Train on all rows that train, for as many epochs as the defaults take when a tenth of those validate."""
    known = data.rows.filter(data.is_train)
    tried = fit_rows(data.schema, known, seed=seed, settings={"validation": ValidationConfig(resamples=0)})
    fitted = fit_rows(data.schema, data.rows, seed=seed, settings={"epochs": tried.run.epoch})
    return fitted.answers(data.rows.filter(~data.is_train))


def _trees(data: DataSet, seed: int) -> Answers:
    """Fit 300 trees for each task."""
    try:
        import lightgbm
    except ImportError as err:
        raise SystemExit(f"{err}; pip install --constraint constraints.txt --group bench") from err
    labels, is_train = data.labels, data.is_train
    inputs = tree_inputs(data.schema, data.rows, labels.astype(np.float64), is_train, seed)
    settings = {
        "objective": "binary",
        "learning_rate": 0.05,
        "num_leaves": 31,
        "min_data_in_leaf": 50,
        "feature_fraction": 0.8,
        "bagging_fraction": 0.8,
        "bagging_freq": 1,
        "seed": seed,
        "num_threads": 1,
        "verbosity": -1,
    }
    answers = {}
    for place, task in enumerate(data.compared.tasks):
        booster = lightgbm.train(settings, lightgbm.Dataset(inputs[is_train], labels[is_train, place]), NUM_TREES)
        answers[task.name] = np.asarray(booster.predict(inputs[~is_train]), np.float32)
    return answers


def _lines(data: DataSet, pairs: list[tuple[Answers, Answers]]) -> Lines:
    """Say what the seeds give, and what the same rows drawn anew would."""
    test = ~data.is_train
    groups = None if data.groups is None else data.groups[test]
    intervals = Bootstrap(headline_only=True)
    found = [
        difference_intervals(data.compared, pair, data.labels[test], groups, intervals=intervals) for pair in pairs
    ]
    lines = []
    for task in data.compared.tasks:
        for metric in METRICS:
            seeds = [one[task.name][metric] for one in found if metric in one[task.name]]
            if seeds:
                trees, ours = ([one.values[side] for one in seeds] for side in (0, 1))
                low, high = (statistics.fmean(one.interval[end] for one in seeds) for end in (0, 1))
                numbers = [spread(ours), spread(trees), f"{statistics.fmean(ours) - statistics.fmean(trees):+.4f}"]
                outcome = _outcome(statistics.fmean(ours) - statistics.fmean(trees), low, high)
                lines.append([data.name, task.name, metric, *numbers, f"{low:+.4f} to {high:+.4f}", outcome])
    return lines


def _outcome(difference: float, low: float, high: float) -> str:
    if difference >= 0:
        return "reached" if low <= 0 else "reached: ahead"
    return f"trees win by {-difference:.4f}" if high < 0 else "within the interval"
