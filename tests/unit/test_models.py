import re
from typing import Any, cast

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose
from torch import nn
from toy import ToyRows

from polyrank.encoder import Encoder
from polyrank.errors import ConfigError, SchemaError
from polyrank.features import BagFeature, BucketizedFeature, CategoricalFeature, Feature, NumericFeature, VectorFeature
from polyrank.models import ModelConfig, MultiTaskRanker
from polyrank.models.buckets import BucketTable
from polyrank.models.dense import DenseBlock
from polyrank.models.embedding import Embeddings, FusedTable
from polyrank.models.heads import answer, loss
from polyrank.models.layers import LayerOptions, mlp
from polyrank.models.numeric import NumericBlock
from polyrank.models.trained import predict
from polyrank.models.vectors import VectorBlock
from polyrank.schema import Schema
from polyrank.tasks import BinaryTask, RegressionTask, Task

CLICK = BinaryTask(name="click", label="is_click")
RATING = RegressionTask(name="rating", label="rating")
WATCH = RegressionTask(name="watch_s", label="watch_s", transform="log1p")
NAN = float("nan")


@pytest.fixture(autouse=True)
def _same_weights_in_every_run() -> None:
    torch.manual_seed(0)


def schema_of(*features: Feature) -> Schema:
    return Schema(name="toy", features=features, tasks=(CLICK,)).resolved()


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


def block(*transform: str, mean: float | None = None, std: float | None = None) -> NumericBlock:
    feature = NumericFeature(name="age", transform=transform, mean=mean, std=std)  # type: ignore[arg-type]
    return NumericBlock(schema_of(feature))


def transformed(*transform: str, **fitted: Any) -> NumericBlock:
    return NumericBlock(schema_of(NumericFeature(name="age", transform=transform, **fitted)))  # type: ignore[arg-type]


def normalised(numeric: NumericBlock, *values: float) -> list[float]:
    result: list[float] = numeric(torch.tensor(values).unsqueeze(1))[:, 0].tolist()
    return result


def test_number_without_transform_passes_unchanged() -> None:
    assert normalised(block(mean=3.0, std=2.0), 5.0, -1.0) == [5.0, -1.0]


def test_standardised_number_has_mean_removed() -> None:
    assert normalised(block("standardize", mean=3.0, std=2.0), 5.0, 2.0) == [1.0, -0.5]


def test_logged_number_is_log1p() -> None:
    assert_allclose(normalised(block("log1p", mean=1.0, std=2.0), 0.0, 9.0), [0.0, np.log(10.0)], rtol=1e-6)


def test_statistics_apply_after_the_logarithm() -> None:
    numeric = block("log1p", "standardize", mean=1.0, std=2.0)
    assert_allclose(normalised(numeric, 9.0), [(np.log(10.0) - 1.0) / 2.0], rtol=1e-6)


@pytest.mark.parametrize(
    ("transform", "expected"),
    [((), 3.0), (("standardize",), 0.0), (("log1p",), 3.0), (("log1p", "standardize"), 0.0)],
)
def test_missing_number_becomes_the_mean(transform: tuple[str, ...], expected: float) -> None:
    assert normalised(block(*transform, mean=3.0, std=2.0), NAN) == [expected]


def test_missing_number_sets_its_indicator() -> None:
    assert block()(torch.tensor([[NAN], [0.0]]))[:, 1].tolist() == [1.0, 0.0]


def test_unfitted_statistics_are_zero_and_one() -> None:
    assert normalised(block("standardize"), NAN, 5.0) == [0.0, 5.0]


def test_negative_number_under_log1p_counts_as_zero() -> None:
    assert normalised(block("log1p"), -5.0) == [0.0]


def test_clip_holds_numbers_within_its_limits() -> None:
    assert normalised(transformed("clip", clip=(-1.0, 2.0), mean=0.5), -9.0, 1.5, 9.0, NAN) == [-1.0, 1.5, 2.0, 0.5]


def test_clip_comes_before_the_logarithm() -> None:
    numeric = transformed("clip", "log1p", clip=(0.0, 9.0))
    assert_allclose(normalised(numeric, -5.0, 99.0), [0.0, np.log(10.0)], rtol=1e-6)


def test_minmax_maps_the_training_range_to_one() -> None:
    numeric = transformed("minmax", minimum=2.0, maximum=6.0, mean=3.0)
    assert normalised(numeric, 2.0, 5.0, 6.0, NAN) == [0.0, 0.75, 1.0, 0.25]


def test_minmax_holds_numbers_beyond_the_training_range() -> None:
    assert normalised(transformed("minmax", minimum=2.0, maximum=6.0), -9.0, 9.0) == [0.0, 1.0]


def test_minmax_of_a_constant_is_a_step() -> None:
    assert normalised(transformed("minmax", minimum=2.0, maximum=2.0, mean=2.0), 2.0, 2.5, NAN) == [0.0, 0.5, 0.0]


def test_quantile_is_the_line_through_its_knots() -> None:
    knots, levels = (-2.0, 0.0, 1.0, 40.0), (0.0, 0.4, 0.7, 1.0)
    values = np.array([-9.0, -2.0, -1.5, 0.0, 0.25, 1.0, 30.0, 40.0, 3e38], np.float32)
    found = normalised(transformed("quantile", knots=knots, levels=levels), *values.tolist())
    assert_allclose(found, np.interp(values, knots, levels), atol=1e-6)


def test_missing_number_under_quantile_is_the_median() -> None:
    numeric = transformed("quantile", knots=(0.0, 1.0), levels=(0.0, 1.0), mean=0.9)
    assert numeric(torch.tensor([[NAN]])).tolist() == [[0.5, 1.0]]


def test_quantile_of_one_knot_is_its_level() -> None:
    numeric = transformed("quantile", knots=(7.0,), levels=(0.5,))
    assert normalised(numeric, -3e38, 7.0, 3e38, NAN) == [0.5, 0.5, 0.5, 0.5]


def test_quantile_holds_between_the_largest_numbers() -> None:
    numeric = transformed("quantile", knots=(-3e38, 3e38), levels=(0.0, 1.0))
    assert normalised(numeric, -3e38, 3e38) == [0.0, 1.0]


def test_quantile_beside_other_transforms_keeps_its_place() -> None:
    ranked = NumericFeature(name="a", transform=("quantile",), knots=(0.0, 4.0), levels=(0.0, 1.0))
    numeric = NumericBlock(schema_of(NumericFeature(name="b"), ranked, NumericFeature(name="c", mean=2.0)))
    assert numeric(torch.tensor([[5.0, 1.0, NAN]])).tolist() == [[5.0, 0.25, 2.0, 0.0, 0.0, 1.0]]


def test_numbers_of_two_features_stay_apart() -> None:
    numeric = NumericBlock(schema_of(NumericFeature(name="a"), NumericFeature(name="b", mean=2.0)))
    assert numeric(torch.tensor([[1.0, NAN]])).tolist() == [[1.0, 2.0, 0.0, 1.0]]


AGES = BucketizedFeature(name="age", boundaries=(-1.0, 0.1, 7.0), embedding_dim=2)


def test_bucket_counts_the_boundaries_that_are_not_above() -> None:
    table = BucketTable(AGES)
    numbers = np.array([NAN, -np.inf, -1.5, -1.0, 0.0, 0.1, 6.9, 7.0, np.inf], np.float32)
    rows = [0, *(1 + np.searchsorted(np.array([-1.0, 0.1, 7.0], np.float32), numbers[1:], side="right"))]
    assert rows == [0, 1, 1, 2, 2, 3, 3, 4, 4]
    assert table.weight.shape == (5, 2)
    assert table(torch.from_numpy(numbers)).tolist() == table.weight[rows].tolist()


def test_unfitted_buckets_are_one() -> None:
    table = BucketTable(BucketizedFeature(name="age", quantiles=4, embedding_dim=2))
    assert table(torch.tensor([NAN, -5.0, 5.0])).tolist() == table.weight[[0, 1, 1]].tolist()


def test_bucket_table_is_trained_by_the_rows_it_gives() -> None:
    table = BucketTable(AGES).train()
    table(torch.tensor([NAN, 8.0])).sum().backward()
    assert table.weight.grad is not None
    assert table.weight.grad.coalesce().indices()[0].tolist() == [0, 4]


def test_dense_features_take_their_own_columns() -> None:
    block = DenseBlock(schema_of(AGES, NumericFeature(name="a"), USER, NumericFeature(name="b", mean=2.0)))
    found = block(torch.tensor([[8.0, 5.0, NAN]]))
    assert found[0, :4].tolist() == [5.0, 2.0, 0.0, 1.0]
    assert found[0, 4:].tolist() == next(block.buckets.parameters())[4].tolist()
    assert found.shape == (1, block.output_dim)


def test_vector_passes_unchanged() -> None:
    block = VectorBlock(VectorFeature(name="v", dim=2))
    assert block(torch.tensor([[3.0, -4.0], [NAN, NAN]])).tolist() == [[3.0, -4.0, 0.0], [0.0, 0.0, 1.0]]


def test_vector_that_lacks_a_number_is_missing() -> None:
    assert VectorBlock(VectorFeature(name="v", dim=2))(torch.tensor([[3.0, NAN]])).tolist() == [[0.0, 0.0, 1.0]]


@pytest.mark.parametrize("scale", [1.0, 1e-30, 1e30])
def test_normalised_vector_has_length_one(scale: float) -> None:
    block = VectorBlock(VectorFeature(name="v", dim=2, l2_norm=True))
    assert_allclose(block(torch.tensor([[3.0 * scale, -4.0 * scale]])).tolist(), [[0.6, -0.8, 0.0]], rtol=1e-6)


def test_normalised_zeros_stay_zeros() -> None:
    block = VectorBlock(VectorFeature(name="v", dim=2, l2_norm=True))
    assert block(torch.tensor([[0.0, 0.0], [NAN, NAN]])).tolist() == [[0.0, 0.0, 0.0], [0.0, 0.0, 1.0]]


def test_projection_is_a_linear_map_of_the_normalised_vector() -> None:
    block = VectorBlock(VectorFeature(name="v", dim=2, l2_norm=True, projection=3))
    (weights,) = block.parameters()
    found = block(torch.tensor([[3.0, 4.0], [NAN, NAN]]))
    assert found.shape == (2, block.output_dim)
    assert_allclose(found[0, :3].tolist(), weights.detach().numpy() @ np.array([0.6, 0.8]), rtol=1e-5)
    assert found[1].tolist() == [0.0, 0.0, 0.0, 1.0]


def mean_loss(task: Task, logit: torch.Tensor, label: torch.Tensor, weight: torch.Tensor | None = None) -> float:
    return float(loss(task, logit.unsqueeze(1), label, weight))


def test_binary_loss_is_mean_log_loss_of_observed() -> None:
    logit, label = torch.tensor([0.3, -2.0, 5.0]), torch.tensor([1.0, 0.0, NAN])
    expected = np.mean([np.log1p(np.exp(-0.3)), np.log1p(np.exp(-2.0))])
    assert_allclose(mean_loss(CLICK, logit, label), expected, rtol=1e-6)


def test_regression_loss_is_mean_squared_error_of_observed() -> None:
    assert mean_loss(RATING, torch.tensor([1.0, 2.0, 9.0]), torch.tensor([3.0, 2.5, NAN])) == (4.0 + 0.25) / 2


def test_logged_loss_is_squared_error_of_log1p() -> None:
    expected = np.mean([(1.0 - np.log(4.0)) ** 2, (0.5 - np.log(1.0)) ** 2])
    assert_allclose(mean_loss(WATCH, torch.tensor([1.0, 0.5]), torch.tensor([3.0, 0.0])), expected, rtol=1e-6)


@pytest.mark.parametrize("task", [CLICK, RATING, WATCH], ids=["binary", "regression", "log1p"])
def test_loss_without_observed_labels_has_zero_gradient(task: BinaryTask | RegressionTask) -> None:
    logit = torch.tensor([1.0, -1.0], requires_grad=True)
    value = loss(task, logit.unsqueeze(1), torch.tensor([NAN, NAN]))
    value.backward()  # type: ignore[no-untyped-call]
    assert float(value.detach()) == 0.0
    assert logit.grad is not None
    assert logit.grad.tolist() == [0.0, 0.0]


@pytest.mark.parametrize("task", [CLICK, RATING, WATCH], ids=["binary", "regression", "log1p"])
def test_unobserved_label_gives_no_gradient(task: BinaryTask | RegressionTask) -> None:
    logit = torch.tensor([1.0, -1.0], requires_grad=True)
    loss(task, logit.unsqueeze(1), torch.tensor([0.0, NAN])).backward()  # type: ignore[no-untyped-call]
    assert logit.grad is not None
    assert logit.grad[0] != 0.0
    assert logit.grad[1] == 0.0


@pytest.mark.parametrize("task", [CLICK, RATING, WATCH], ids=["binary", "regression", "log1p"])
def test_weight_counts_a_row_that_often(task: BinaryTask | RegressionTask) -> None:
    logit, label = torch.tensor([0.3, -2.0, 5.0]), torch.tensor([1.0, 0.0, NAN])
    weighed = mean_loss(task, logit, label, torch.tensor([2.0, 0.0, 1.0]))
    assert_allclose(weighed, mean_loss(task, logit[[0, 0]], label[[0, 0]]), rtol=1e-6)
    assert mean_loss(task, logit, label, torch.ones(3)) == mean_loss(task, logit, label)


def test_answers_are_in_label_units() -> None:
    logit = torch.tensor([[1.5]])
    assert_allclose(float(answer(CLICK, logit)), 1 / (1 + np.exp(-1.5)), rtol=1e-6)
    assert float(answer(RATING, logit)) == 1.5
    assert_allclose(float(answer(WATCH, logit)), np.exp(1.5) - 1, rtol=1e-6)


def test_logged_answer_is_neither_negative_nor_infinite() -> None:
    answers = answer(WATCH, torch.tensor([[-3.0], [1e6]]))
    assert answers[0] == 0.0
    assert_allclose(float(answers[1]), np.expm1(30.0), rtol=1e-5)


def test_layers_are_linear_norm_relu_dropout() -> None:
    kinds = [type(layer) for layer in mlp(4, (3, 2), LayerOptions("batch", 0.5))]
    assert kinds == [nn.Linear, nn.BatchNorm1d, nn.ReLU, nn.Dropout] * 2


def test_layers_without_norm_have_a_bias() -> None:
    plain, normed = (mlp(4, (3,), LayerOptions(kind)) for kind in ("none", "batch"))
    assert [name for name, _ in plain.named_parameters()] == ["0.weight", "0.bias"]
    assert "0.bias" not in dict(normed.named_parameters())


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"hidden_dims": ()}, "$.model.hidden_dims must hold at least one width, got none"),
        ({"hidden_dims": (8, 0)}, "$.model.hidden_dims[1] must be in [1, 65536], got 0"),
        ({"tower_dims": (65537,)}, "$.model.tower_dims[0] must be in [1, 65536], got 65537"),
        ({"dropout": 1.0}, "$.model.dropout must be in [0, 1), got 1.0"),
        ({"dropout": NAN}, "$.model.dropout must be in [0, 1), got nan"),
    ],
)
def test_wrong_shape_of_a_model_is_refused(arguments: dict[str, object], message: str) -> None:
    with pytest.raises(ConfigError, match=f"^{re.escape(message)}$"):
        ModelConfig(**arguments)  # type: ignore[arg-type]


def test_logits_are_one_column_for_each_task(toy_schema: Schema, toy_rows: ToyRows) -> None:
    batch = Encoder(toy_schema).encode(toy_rows(6))
    model = MultiTaskRanker(toy_schema, ModelConfig()).eval()
    assert model(torch.from_numpy(batch.ids), torch.from_numpy(batch.dense)).shape == (6, 4)


def test_ranker_without_towers_ends_in_one_layer() -> None:
    model = MultiTaskRanker(schema_of(USER), ModelConfig(hidden_dims=(5,), tower_dims=()))
    assert [tuple(weight.shape) for weight in cast("nn.Module", model.network.towers).parameters()] == [(1, 5), (1,)]


def test_ranker_of_numbers_only_takes_no_ids() -> None:
    model = MultiTaskRanker(schema_of(NumericFeature(name="age")), ModelConfig()).eval()
    assert model(None, torch.tensor([[1.0], [NAN]])).shape == (2, 1)


def test_ranker_of_ids_only_takes_no_numbers() -> None:
    model = MultiTaskRanker(schema_of(USER, TAGS), ModelConfig()).eval()
    assert model(torch.tensor([[1, 2, -1, -1]]), None).shape == (1, 1)


def test_prediction_does_not_depend_on_batch_size(toy_schema: Schema, toy_rows: ToyRows) -> None:
    model = MultiTaskRanker(toy_schema, ModelConfig())
    batch = Encoder(toy_schema).encode(toy_rows(50))
    whole, parts = predict(model, batch), predict(model, batch, batch_size=7)
    for name in ("click", "like", "rating", "watch_s"):
        assert_allclose(parts[name], whole[name], rtol=1e-5, atol=1e-6)  # an answer near 0 is a sum of larger terms


def test_prediction_leaves_the_mode_alone(toy_schema: Schema, toy_rows: ToyRows) -> None:
    model = MultiTaskRanker(toy_schema, ModelConfig()).train()
    predict(model, Encoder(toy_schema).encode(toy_rows(3)))
    assert model.training
