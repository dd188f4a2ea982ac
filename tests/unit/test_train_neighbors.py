"""Tables of neighbours: what training fits, on which rows, and in which order."""

import sys
import tracemalloc
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from numpy.testing import assert_array_equal
from numpy.typing import NDArray
from safetensors.torch import load_file

from polyrank.encoder import Encoder
from polyrank.errors import MissingExtraError
from polyrank.schema import Schema
from polyrank.train import TrainConfig, ValidationConfig, fit, nearest, neighbors
from polyrank.train.neighbors import fit_neighbors

NAN = float("nan")
TABLES: dict[str, str] = {
    "item": 'kind = "categorical", identity = true, num_buckets = 6',
    "user": 'kind = "categorical", identity = true, num_buckets = 2_000',
}


def schema_of(options: str = 'task = "click"', *, of: str = "item", more: str = "", **tables: str) -> Schema:
    features = "".join(f'{{ name = "{name}", {text} }}, ' for name, text in (TABLES | tables).items())
    return Schema.from_toml(
        f'name = "toy"\ntime = "at"\nfeatures = [{features}{more}'
        f'{{ name = "near", kind = "neighbors", of = "{of}", by = "user", {options} }}]\n'
        'tasks = [{ name = "ratio", kind = "regression", label = "r" },'
        ' { name = "click", kind = "binary", label = "c" }]'
    )


def fitted(
    rows: list[tuple[int, int]], labels: list[float] | None = None, *, schema: Schema | None = None, parts: int = 1
) -> NDArray[np.int32]:
    """Fit on pairs of a user and an item."""
    ids = np.array([(item, user) for user, item in rows], np.int64).reshape(-1, 2)
    clicks = np.ones(len(rows)) if labels is None else np.array(labels)
    matrix = np.stack([np.zeros(len(rows)), clicks], axis=1).astype(np.float32)
    chunks = zip(np.array_split(ids, parts), np.array_split(matrix, parts), strict=True)
    return fit_neighbors(schema or schema_of("k = 3"), chunks)["near"]


# Users of items: 0 has {0, 1, 2, 3}, 1 has {0, 1}, 2 has {0}, 3 has {3, 4}, 4 has {4}, 5 has {4}.
ROWS = [(0, 0), (1, 0), (2, 0), (3, 0), (0, 1), (1, 1), (0, 2), (3, 3), (4, 3), (3, 4), (4, 4), (5, 4)]
# cos(0, 1) = 2 / sqrt(4 * 2), cos(0, 2) = 1 / sqrt(4 * 1), cos(0, 3) = 1 / sqrt(4 * 2), cos(0, 4) = 1 / sqrt(4 * 3),
# cos(1, 2) = 1 / sqrt(2 * 1), which cos(1, 0) equals, cos(3, 4) = 2 / sqrt(2 * 3).
NEAREST = [[0, 0, 0], [2, 3, 4], [1, 3, 0], [2, 1, 0], [5, 1, 0], [4, 1, 0], [0, 0, 0]]


def test_neighbours_come_by_cosine_and_then_by_row() -> None:
    assert fitted(ROWS).tolist() == NEAREST
    assert fitted(ROWS).dtype == np.int32


def test_order_and_parts_of_the_rows_change_nothing() -> None:
    assert fitted(ROWS[::-1]).tolist() == NEAREST
    assert fitted(ROWS, parts=4).tolist() == NEAREST


def test_engaging_twice_counts_once() -> None:
    assert fitted([*ROWS, *[(5, 4)] * 9, (3, 3)], parts=2).tolist() == NEAREST


@pytest.mark.parametrize(("module", "limit"), [(nearest, "BLOCK_PAIRS"), (neighbors, "MIN_PENDING")])
def test_limits_of_memory_change_nothing(module: ModuleType, limit: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, limit, 1)
    assert fitted(ROWS * 2, parts=6).tolist() == NEAREST


def test_ranking_takes_less_than_100_bytes_for_each_engagement(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(nearest, "BLOCK_PAIRS", 2**14)
    tables = {"item": TABLES["item"].replace("6", "1_000"), "user": TABLES["user"].replace("2_000", "300_000")}
    schema, rng = schema_of("k = 3", **tables), np.random.default_rng(0)
    chunk = rng.integers(0, (1_000, 300_000), (400_000, 2)), np.ones((400_000, 2), np.float32)
    fit_neighbors(schema, [chunk])  # loads scipy
    tracemalloc.start()
    fit_neighbors(schema, [chunk])
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 100 * 400_000


def test_equal_cosines_are_ordered_by_row_beyond_k() -> None:
    assert fitted([(0, item) for item in (5, 4, 3, 2, 1, 0)])[1:].tolist() == [
        [2, 3, 4],
        [1, 3, 4],
        [1, 2, 4],
        [1, 2, 3],
        [1, 2, 3],
        [1, 2, 3],
    ]


def test_only_observed_labels_of_1_engage() -> None:
    rows, schema = [(0, 0), (0, 1), (0, 2), (0, 3)], schema_of('task = "click", k = 2')
    assert fitted(rows, [1.0, 0.0, NAN, 1.0], schema=schema)[1:5].tolist() == [[4, 0], [0, 0], [0, 0], [1, 0]]


def test_every_row_engages_without_a_task() -> None:
    assert fitted([(0, 0), (0, 1)], [0.0, NAN], schema=schema_of("k = 2"))[1:3].tolist() == [[2, 0], [1, 0]]


@pytest.mark.parametrize("gone", [-1, 2_000])
def test_missing_values_do_not_engage(gone: int) -> None:
    assert not fitted([(0, 0), (0, gone), (gone, 1), (gone, 2)]).any()


@pytest.mark.parametrize("rows", [[], [(0, 0)], [(0, 0), (1, 1)]], ids=["none", "one", "apart"])
def test_without_pairs_nothing_has_a_neighbour(rows: list[tuple[int, int]]) -> None:
    assert fitted(rows).tolist() == [[0, 0, 0]] * 7


def test_crowded_users_keep_what_most_engage_with(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(nearest, "MAX_ENGAGED", 3)
    crowded = [(0, item) for item in range(5)]
    found = fitted([*crowded, (1, 3), (2, 4)])
    assert found.tolist() == [[0, 0, 0], [4, 5, 0], [0, 0, 0], [0, 0, 0], [1, 5, 0], [1, 4, 0], [0, 0, 0]]


def test_rows_are_those_of_the_embedding_table() -> None:
    hashed = dict.fromkeys(TABLES, 'kind = "categorical", dtype = "int64", num_buckets = 6')
    schema = schema_of("k = 3", **hashed)
    rows = [{"user": user, "item": item} for user in range(3) for item in (user, user + 1, user + 40)]
    ids = Encoder(schema).encode(rows).ids
    small = [(int(user), int(item)) for item, user in ids % 6]
    table = fit_neighbors(schema, [(ids, np.ones((len(rows), 2), np.float32))])["near"]
    assert_array_equal(table, fitted(small))
    assert table.any()


def test_sharer_has_a_row_for_each_of_its_owners() -> None:
    schema = schema_of("k = 3", of="next", more='{ name = "next", kind = "categorical", shares = "item" }, ')
    ids = np.array([(-1, user, item) for user, item in ROWS])
    assert fit_neighbors(schema, [(ids, np.ones((len(ids), 2), np.float32))])["near"].tolist() == NEAREST


def test_cosine_agrees_with_a_dense_computation() -> None:
    rng = np.random.default_rng(0)
    rows = [(int(user), int(item)) for user, item in rng.integers(0, (40, 6), (150, 2))]
    engaged = np.zeros((40, 6))
    engaged[tuple(np.array(rows).T)] = 1.0
    cosine = engaged.T @ engaged / np.sqrt(np.outer(engaged.sum(0), engaged.sum(0)))
    np.fill_diagonal(cosine, -1.0)
    assert_array_equal(fitted(rows)[1:], 1 + np.argsort(-cosine, axis=1, kind="stable")[:, :3])


def test_rows_are_not_read_without_such_a_feature() -> None:
    schema = Schema.from_toml(
        'name = "toy"\nfeatures = [{ name = "age", kind = "numeric" }]\n'
        'tasks = [{ name = "click", kind = "binary", label = "c" }]'
    )
    chunks = iter([(np.zeros((1, 0), np.int64), np.zeros((1, 1), np.float32))])
    assert fit_neighbors(schema, chunks) == {}
    assert len(list(chunks)) == 1


def test_missing_scipy_is_named_with_its_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "scipy.sparse", None)
    with pytest.raises(
        MissingExtraError, match=r"^features of neighbours need scipy; pip install 'polyrank\[train\]'$"
    ):
        fitted(ROWS)


def trained(folder: Path, newest: int) -> dict[str, Any]:
    """Train on users with a pair of items each; the newest tenth of rows has items from `newest` on."""
    rows: list[dict[str, Any]] = [
        {"user": at // 2, "item": (at // 2 + at % 2) % 3, "at": at, "r": 0.5, "c": at % 3 != 0} for at in range(360)
    ]
    for row in rows[324:]:
        row["item"] = newest + row["at"] % 2
    config = TrainConfig(batch_size=64, validation=ValidationConfig(share=0.1))
    fit(schema_of("k = 3"), rows, out=folder, config=config, progress=False)
    return load_file(folder / "weights.safetensors")


def test_validation_rows_change_nothing_in_the_run(tmp_path: Path) -> None:
    first, second = trained(tmp_path / "a", newest=0), trained(tmp_path / "b", newest=4)
    table = first["inputs.0.embeddings.tables.dim_16.neighbors.0.rows"]
    assert table.tolist() == [[0, 0, 0], [2, 3, 0], [1, 3, 0], [1, 2, 0], [0, 0, 0], [0, 0, 0], [0, 0, 0]]
    assert all(value.equal(second[name]) for name, value in first.items())
