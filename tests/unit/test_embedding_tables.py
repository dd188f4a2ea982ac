"""Fingerprints to rows of embedding tables, and their vectors pooled."""

from typing import cast

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose

from polyrank.errors import SchemaError
from polyrank.features import BagFeature, CategoricalFeature, Feature
from polyrank.models.embedding import Embeddings, FusedTable
from polyrank.schema import Schema
from polyrank.tasks import BinaryTask


@pytest.fixture(autouse=True)
def _same_weights_in_every_run() -> None:
    torch.manual_seed(0)


def schema_of(*features: Feature) -> Schema:
    return Schema(name="toy", features=features, tasks=(BinaryTask(name="click", label="is_click"),)).resolved()


USER = CategoricalFeature(name="user", dtype="int64", num_buckets=7, embedding_dim=2)
TAGS = BagFeature(name="tags", dtype="text", num_buckets=5, embedding_dim=2, max_length=3)
LIKED = BagFeature(name="liked", shares="user", max_length=2, pooling="sum")
WIDE = CategoricalFeature(name="wide", dtype="text", num_buckets=3, embedding_dim=4)


def looked_up(table: FusedTable, fingerprints: list[int], num_buckets: int, offset: int) -> list[list[float]]:
    rows = [offset + (0 if value < 0 else 1 + value % num_buckets) for value in fingerprints]
    return [table.weight[row].tolist() for row in rows]


def test_row_is_fingerprint_modulo_buckets_after_missing() -> None:
    table = FusedTable(schema_of(USER), 2)
    fingerprints = [-1, 0, 6, 7, 2**63 - 1]
    vectors = table(torch.tensor(fingerprints).unsqueeze(1))
    assert vectors.tolist() == looked_up(table, fingerprints, 7, 0)


def test_second_table_lies_behind_the_first() -> None:
    table = FusedTable(
        schema_of(USER, CategoricalFeature(name="item", dtype="text", num_buckets=3, embedding_dim=2)), 2
    )
    assert table.weight.shape == (8 + 4, 2)
    expected = looked_up(table, [6], 7, 0) + looked_up(table, [5], 3, 8)
    assert table(torch.tensor([[6, 5]]))[0].tolist() == np.concatenate(expected).tolist()


def test_shared_table_gives_one_vector_to_one_value() -> None:
    table = FusedTable(schema_of(USER, LIKED), 2)
    assert table.weight.shape == (8, 2)
    vectors = table(torch.tensor([[4, 4, -1]]))
    assert vectors[0, :2].tolist() == vectors[0, 2:].tolist()


def test_sharing_feature_may_come_first() -> None:
    table = FusedTable(schema_of(LIKED, USER), 2)
    vectors = table(torch.tensor([[4, -1, 4]]))
    assert vectors[0, :2].tolist() == vectors[0, 2:].tolist()


def test_mean_is_over_present_values_only() -> None:
    table = FusedTable(schema_of(TAGS), 2)
    expected = np.mean(looked_up(table, [3, 9], 5, 0), axis=0)
    assert_allclose(table(torch.tensor([[3, -1, 9]])).detach().numpy()[0], expected, rtol=1e-6)


def test_sum_adds_present_values_only() -> None:
    table = FusedTable(schema_of(USER, LIKED), 2)
    expected = np.sum(looked_up(table, [3, 9], 7, 0), axis=0)
    assert_allclose(table(torch.tensor([[0, 3, 9]])).detach().numpy()[0, 2:], expected, rtol=1e-6)


def test_repeated_value_of_a_bag_counts_twice() -> None:
    table = FusedTable(schema_of(TAGS), 2)
    expected = np.mean(looked_up(table, [3, 3, 4], 5, 0), axis=0)
    assert_allclose(table(torch.tensor([[3, 3, 4]])).detach().numpy()[0], expected, rtol=1e-6)


def test_empty_bag_is_zero() -> None:
    table = FusedTable(schema_of(TAGS, USER, LIKED), 2)
    vectors = table(torch.tensor([[-1, -1, -1, 3, -1, -1]]))[0].tolist()
    assert vectors[:2] == [0.0, 0.0]
    assert vectors[4:] == [0.0, 0.0]


def test_features_keep_their_order_around_bags() -> None:
    other = CategoricalFeature(name="item", shares="user")
    table = FusedTable(schema_of(USER, other, TAGS, CategoricalFeature(name="last", shares="user")), 2)
    vectors = table(torch.tensor([[1, 2, 0, 0, 0, 3]]))[0].tolist()
    expected = looked_up(table, [1, 2], 7, 0) + looked_up(table, [0], 5, 8) + looked_up(table, [3], 7, 0)
    assert_allclose(vectors, np.concatenate(expected), rtol=1e-6)


def test_each_width_has_a_table_over_its_own_columns() -> None:
    embeddings = Embeddings(schema_of(USER, WIDE, TAGS))
    assert embeddings.output_dim == 2 + 4 + 2
    vectors = embeddings(torch.tensor([[6, 2, 4, -1, -1]]))[0].tolist()
    narrow, wide = (cast("FusedTable", embeddings.tables[name]) for name in ("dim_2", "dim_4"))
    expected = looked_up(narrow, [6], 7, 0) + looked_up(narrow, [4], 5, 8) + looked_up(wide, [2], 3, 0)
    assert_allclose(vectors, np.concatenate(expected), rtol=1e-6)


def test_gradient_touches_only_the_rows_of_the_batch() -> None:
    table = FusedTable(schema_of(USER), 2).train()
    table(torch.tensor([[3], [3], [-1]])).sum().backward()
    assert table.weight.grad is not None
    assert table.weight.grad.is_sparse
    assert table.weight.grad.coalesce().indices()[0].tolist() == [0, 4]


def test_padding_gives_the_missing_row_no_gradient() -> None:
    table = FusedTable(schema_of(TAGS), 2).train()
    table(torch.tensor([[3, -1, -1]])).sum().backward()
    assert table.weight.grad is not None
    assert table.weight.grad.to_dense()[0].tolist() == [0.0, 0.0]


def test_tables_beyond_memory_are_refused_with_their_size() -> None:
    huge = CategoricalFeature(name="user", dtype="text", num_buckets=2**31 - 1, embedding_dim=4096)
    with pytest.raises(
        SchemaError, match=r"^embedding tables of width 4096 take 32,768 GiB, more .*; lower num_buckets"
    ):
        FusedTable(schema_of(huge), 4096)
