"""Lookups in training beside those of the exported graph: the same vectors, and the same gradients of the table."""

import pytest
import torch
from numpy.testing import assert_allclose
from torch import Tensor

from polyrank.features import BagFeature, CategoricalFeature, Feature, SequenceFeature, TextFeature
from polyrank.models.embedding import FusedTable
from polyrank.schema import Schema
from polyrank.tasks import BinaryTask

USER = CategoricalFeature(name="user", dtype="int64", num_buckets=30, embedding_dim=8)
ITEM = CategoricalFeature(name="item", dtype="int64", num_buckets=9, embedding_dim=8, identity=True)
MEAN = BagFeature(name="mean", dtype="text", max_length=3, num_buckets=20, embedding_dim=8)
ROOT = BagFeature(name="root", shares="item", max_length=4, pooling="sqrtn", weights="shares_of_root")
SUM = BagFeature(name="sum", shares="user", max_length=2, pooling="sum", weights="shares_of_sum")
SEEN = SequenceFeature(name="seen", shares="item", max_length=5)
TITLE = TextFeature(name="title", num_buckets=40, max_length=6, embedding_dim=8)
MOST = BagFeature(name="most", dtype="text", max_length=3, num_buckets=20, embedding_dim=8, pooling="max")
AIMED = SequenceFeature(name="aimed", shares="item", max_length=5, pooling="attention", target="item")
SCHEMAS: dict[str, tuple[Feature, ...]] = {
    "one value each": (USER, ITEM),
    "bag first": (MEAN, USER),
    "every sum": (USER, MEAN, ITEM, ROOT, SUM, SEEN, TITLE),
}


def table_of(features: tuple[Feature, ...]) -> FusedTable:
    torch.manual_seed(0)
    schema = Schema(name="toy", features=features, tasks=(BinaryTask(name="click", label="click"),)).resolved()
    table = FusedTable(schema, 8)
    torch.nn.init.normal_(table.weight)
    return table


def batch_of(table: FusedTable) -> tuple[Tensor, Tensor | None]:
    width = sum(table.widths)
    ids = torch.randint(0, 12, (50, width))
    ids[torch.rand(50, width) < 0.3] = -1
    ids[:5] = -1
    num_weights = sum(slots.feature.num_weights for slots in table.layout)
    return ids, torch.randn(50, num_weights) if num_weights else None


def gradient_of(table: FusedTable) -> Tensor:
    assert table.weight.grad is not None
    assert table.weight.grad.is_sparse
    return table.weight.grad


@pytest.mark.parametrize("features", SCHEMAS.values(), ids=SCHEMAS)
@pytest.mark.parametrize("is_masked", [False, True])
def test_training_looks_up_what_the_graph_does(features: tuple[Feature, ...], *, is_masked: bool) -> None:
    table = table_of(features)
    assert table.adds_up
    if is_masked:
        table.stand_ins = torch.where(torch.rand(len(table.weight)) < 0.5, torch.arange(len(table.weight)), 0)
    ids, weights = batch_of(table)
    expected, aim = table.eval()(ids, weights), torch.randn(50, table.output_dim)
    expected.backward(aim)
    assert table.weight.grad is not None
    expected_gradient = table.weight.grad.numpy()
    table.weight.grad = None
    found = table.train()(ids, weights)
    found.backward(aim)
    assert_allclose(found.detach().numpy(), expected.detach().numpy(), rtol=1e-5, atol=1e-6)
    assert_allclose(gradient_of(table).to_dense().numpy(), expected_gradient, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("features", [(ITEM, MOST), (ITEM, AIMED)], ids=["max", "attention"])
def test_what_is_no_sum_goes_another_way(features: tuple[Feature, ...]) -> None:
    table = table_of(features)
    assert not table.adds_up
    ids, weights = batch_of(table)
    found = table.train()(ids, weights).detach().numpy()
    assert_allclose(found, table.eval()(ids, weights).detach().numpy(), rtol=1e-6)


def test_other_precision_goes_another_way() -> None:
    table = table_of((USER, MEAN)).double().train()
    ids, _ = batch_of(table)
    found = table(ids)
    assert found.dtype == torch.float64
    found.sum().backward()
    assert table.weight.grad is not None
    assert table.weight.grad.is_sparse


def test_padding_of_a_bag_has_no_gradient() -> None:
    table = table_of((MEAN,)).train()
    table(torch.tensor([[3, -1, -1]])).sum().backward()
    assert table.weight.grad is not None
    assert table.weight.grad.coalesce().indices().tolist() == [[4]]
