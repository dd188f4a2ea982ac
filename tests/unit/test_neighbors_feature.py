"""A feature of neighbours in a schema, outside the wire, and in the model."""

import re
from typing import Any

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal

from polyrank.batch import hashed_columns
from polyrank.encoder import Encoder, slot_layout
from polyrank.errors import SchemaError
from polyrank.features import BagFeature, CategoricalFeature, Feature, NeighborsFeature
from polyrank.models.embedding import FusedTable
from polyrank.models.neighbors import NeighborTable, load_neighbors
from polyrank.schema import Schema
from polyrank.tasks import BinaryTask, RegressionTask

USER = CategoricalFeature(name="user", dtype="int64", num_buckets=5, embedding_dim=2, side="user")
ITEM = CategoricalFeature(name="item", dtype="int64", num_buckets=4, embedding_dim=2, side="item")
NEAR = NeighborsFeature(name="near", of="item", by="user", k=2)
ROWS = np.array([[0, 0], [2, 3], [1, 0], [4, 1], [0, 0]], np.int32)


def schema_of(*features: Feature) -> Schema:
    tasks = (BinaryTask(name="click", label="is_click"), RegressionTask(name="ratio", label="ratio"))
    return Schema(name="toy", features=features, tasks=tasks).resolved()


def with_options(**options: Any) -> Schema:
    return schema_of(USER, ITEM, NeighborsFeature(**({"name": "near", "of": "item", "by": "user"} | options)))


def test_side_is_that_of_the_feature() -> None:
    assert [one.side for one in schema_of(NEAR, USER, ITEM).features] == ["item", "user", "item"]
    assert with_options(side="item") == with_options()


def test_defaults_are_ten_pooled_by_their_mean() -> None:
    (near,) = with_options().neighbors_features
    assert (near.k, near.pooling, near.task) == (10, "mean", None)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"of": "itm"}, "of must name a categorical feature, got 'itm' (feature 'near'); did you mean 'item'?"),
        ({"of": "near"}, "of must name a categorical feature, got 'near' (feature 'near')"),
        ({"by": "usr"}, "by must name a categorical feature, got 'usr' (feature 'near'); did you mean 'user'?"),
        ({"by": "item"}, "by must be another feature than of, got 'item' (feature 'near')"),
        ({"task": "clik"}, "task must be left out or name a binary task, got 'clik' (feature 'near'); did you mean"),
        ({"task": "ratio"}, "task must be left out or name a binary task, got 'ratio' (feature 'near')"),
        ({"k": 0}, "k must be in [1, 1000], got 0 (feature 'near')"),
        ({"k": 1001}, "k must be in [1, 1000], got 1001 (feature 'near')"),
        (
            {"side": "user"},
            "side must be left out or equal that of 'item', whose neighbours they are, got 'user' (feature 'near')",
        ),
    ],
)
def test_wrong_option_is_refused_with_its_path(options: dict[str, Any], message: str) -> None:
    with pytest.raises(SchemaError, match="^" + re.escape(f"$.features[2].{message}")):
        with_options(**options)


def test_bag_has_no_neighbours() -> None:
    tags = BagFeature(name="tags", dtype="text", num_buckets=9, max_length=3)
    with pytest.raises(SchemaError, match=r"^\$\.features\[1\]\.of must name a categorical feature, got 'tags' "):
        schema_of(tags, NeighborsFeature(name="near", of="tags", by="user"), USER)


def test_schema_needs_no_column_or_slot_for_it() -> None:
    plain, schema = schema_of(USER, ITEM), schema_of(USER, NEAR, ITEM)
    rows = [{"user": 1, "item": 2}, {"user": None, "item": 3}]
    assert schema.training_columns == plain.training_columns
    assert slot_layout(schema) == slot_layout(plain)
    assert hashed_columns(schema) == hashed_columns(plain)
    assert_array_equal(Encoder(schema).encode(rows).ids, Encoder(plain).encode(rows).ids)


def table_of(*features: Feature) -> FusedTable:
    torch.manual_seed(0)
    table = FusedTable(schema_of(*features), 2)
    load_neighbors(table, {"near": ROWS})
    return table.eval()


@pytest.mark.parametrize(
    ("pooling", "expected"),
    [
        ("sum", lambda one, two: one + two),
        ("mean", lambda one, two: (one + two) / 2),
        ("sqrtn", lambda one, two: (one + two) / np.sqrt(2)),
        ("max", np.maximum),
    ],
)
def test_vectors_of_neighbours_are_pooled(pooling: Any, expected: Any) -> None:
    near = NeighborsFeature(name="near", of="item", by="user", k=2, pooling=pooling)
    table = table_of(USER, near, ITEM)
    items = table.weight.detach()[6:].numpy()  # behind the user's table, of 5 buckets and a missing row
    found = table(torch.tensor([[3, 0], [3, 1], [3, 2], [3, 3], [3, -1]])).detach().numpy()
    assert_allclose(found[0, 4:], expected(items[2], items[3]), rtol=1e-6)
    assert_allclose(found[1, 4:], items[1], rtol=1e-6)
    assert_allclose(found[2, 4:], expected(items[4], items[1]), rtol=1e-6)
    assert_array_equal(found[3:, 4:], 0.0)
    assert_allclose(found[:, 2:4], items[[1, 2, 3, 4, 0]])


def test_nothing_has_a_neighbour_before_training() -> None:
    table = FusedTable(schema_of(USER, NEAR, ITEM), 2)
    assert table.state_dict()["neighbors.0.rows"].shape == (5, 2)
    assert_array_equal(table(torch.tensor([[3, 0]])).detach()[:, 4:], 0.0)


def test_sharer_is_looked_up_in_the_table_it_shares() -> None:
    after = CategoricalFeature(name="after", shares="item")
    table = table_of(USER, ITEM, after, NeighborsFeature(name="near", of="after", by="user", k=2))
    items = table.weight.detach()[6:].numpy()
    found = table(torch.tensor([[3, -1, 0]])).detach().numpy()
    assert_allclose(found[0, 6:], (items[2] + items[3]) / 2, rtol=1e-6)


def test_id_without_a_row_has_no_neighbours() -> None:
    item = CategoricalFeature(name="item", identity=True, num_buckets=4, embedding_dim=2)
    found = table_of(USER, item, NEAR)(torch.tensor([[3, 4], [3, 0]])).detach().numpy()
    assert_array_equal(found[0, 4:], 0.0)
    assert found[1, 4:].all()


def test_neighbours_learn_through_the_shared_table() -> None:
    table = table_of(USER, ITEM, NEAR).train()
    table(torch.tensor([[3, 0]]))[:, 4:].sum().backward()
    assert table.weight.grad is not None
    gradient = table.weight.grad.to_dense()
    assert gradient[[8, 9]].tolist() == [[0.5, 0.5]] * 2
    assert int((gradient != 0.0).any(1).sum()) == 2


def test_rows_are_no_parameter() -> None:
    assert [name for name, _ in table_of(USER, ITEM, NEAR).named_parameters()] == ["weight"]


def test_table_too_large_for_the_machine_is_refused() -> None:
    near = NeighborsFeature(name="near", of="item", by="user", k=1000)
    message = "^1000 neighbours for each row of 'item' take 8,000 GiB, more than this machine gives; lower its num_bu"
    with pytest.raises(SchemaError, match=message):
        NeighborTable(near, 0, start=0, num_buckets=2**31 - 1)
