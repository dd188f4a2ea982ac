"""Raw numbers and vectors to what the layers read: transforms, buckets and projections."""

from typing import Any

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose

from polyrank.features import BucketizedFeature, CategoricalFeature, Feature, NumericFeature, VectorFeature
from polyrank.models.buckets import BucketTable
from polyrank.models.dense import DenseBlock
from polyrank.models.numeric import NumericBlock
from polyrank.models.vectors import VectorBlock
from polyrank.schema import Schema
from polyrank.tasks import BinaryTask

NAN = float("nan")
USER = CategoricalFeature(name="user", dtype="int64", num_buckets=7, embedding_dim=2)


@pytest.fixture(autouse=True)
def _same_weights_in_every_run() -> None:
    torch.manual_seed(0)


def schema_of(*features: Feature) -> Schema:
    return Schema(name="toy", features=features, tasks=(BinaryTask(name="click", label="is_click"),)).resolved()


def block(*transform: str, mean: float | None = None, std: float | None = None) -> NumericBlock:
    feature = NumericFeature(name="age", transform=transform, mean=mean, std=std)  # type: ignore[arg-type]
    return NumericBlock(schema_of(feature).numeric_features)


def transformed(*transform: str, **fitted: Any) -> NumericBlock:
    return NumericBlock(schema_of(NumericFeature(name="age", transform=transform, **fitted)).numeric_features)  # type: ignore[arg-type]


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
    numeric = NumericBlock([NumericFeature(name="b"), ranked, NumericFeature(name="c", mean=2.0)])
    assert numeric(torch.tensor([[5.0, 1.0, NAN]])).tolist() == [[5.0, 0.25, 2.0, 0.0, 0.0, 1.0]]


def test_numbers_of_two_features_stay_apart() -> None:
    numeric = NumericBlock(schema_of(NumericFeature(name="a"), NumericFeature(name="b", mean=2.0)).numeric_features)
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
