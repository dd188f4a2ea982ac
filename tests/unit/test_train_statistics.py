from typing import Any

import numpy as np
import pytest

from polyrank.features import BucketizedFeature, CategoricalFeature, NumericFeature
from polyrank.schema import Schema
from polyrank.tasks import BinaryTask
from polyrank.train.statistics import fit_statistics


def fitted(values: list[float], *transform: str, **options: Any) -> NumericFeature:
    features = (
        CategoricalFeature(name="user", dtype="text", num_buckets=9),
        NumericFeature(name="age", transform=transform, **options),  # type: ignore[arg-type]
    )
    schema = Schema(name="toy", features=features, tasks=(BinaryTask(name="click", label="is_click"),)).resolved()
    return fit_statistics(schema, np.array(values, np.float32)[:, None]).numeric_features[0]


def test_mean_and_deviation_ignore_missing() -> None:
    age = fitted([1.0, np.nan, 2.0, 6.0])
    assert age.mean == 3.0
    assert age.std == pytest.approx(np.sqrt((4 + 1 + 9) / 3), rel=1e-12)


def test_statistics_are_taken_after_the_logarithm() -> None:
    age = fitted([0.0, 9.0], "log1p", "standardize")
    assert age.mean == pytest.approx(np.log(10) / 2, rel=1e-12)
    assert age.std == pytest.approx(np.log(10) / 2, rel=1e-12)


def test_feature_without_values_is_zero_and_one() -> None:
    age = fitted([np.nan, np.nan])
    assert (age.mean, age.std) == (0.0, 1.0)


@pytest.mark.parametrize("value", [0.0, 7.0, 16_777_217.0, 1e-9, 1e38])
def test_constant_feature_is_divided_by_one(value: float) -> None:
    assert fitted([value, value, value]).std == 1.0


@pytest.mark.parametrize("unit", [1.0, 1e-7, 1e-30])
def test_small_numbers_that_differ_are_no_constant(unit: float) -> None:
    values = np.array([0.0, unit, 5 * unit], np.float32)
    assert fitted(values.tolist(), "standardize").std == pytest.approx(np.std(values.astype(np.float64)), rel=1e-12)
    assert fitted(values.tolist(), "minmax").maximum == values[2]


def test_large_numbers_keep_their_precision() -> None:
    age = fitted([1e7, 1e7 + 1, 1e7 + 2] * 1000, "standardize")
    assert (age.mean, age.std) == (1e7 + 1, 1.0)


def test_other_fields_of_the_schema_stay() -> None:
    schema = Schema(
        name="toy",
        features=(CategoricalFeature(name="user", dtype="text", num_buckets=9),),
        tasks=(BinaryTask(name="click", label="is_click"),),
        time="at",
    )
    assert fit_statistics(schema, np.empty((3, 0), np.float32)) == schema


def test_statistics_are_taken_after_the_clip() -> None:
    age = fitted([-5.0, 1.0, 99.0], "clip", "minmax", clip=(0.0, 8.0))
    assert (age.mean, age.minimum, age.maximum) == (3.0, 0.0, 8.0)


def test_range_is_taken_after_the_logarithm() -> None:
    age = fitted([0.0, np.nan, 9.0], "log1p", "minmax")
    assert age.minimum == 0.0
    assert age.maximum == pytest.approx(np.log(10), rel=1e-12)


@pytest.mark.parametrize("values", [[np.nan], [0.0, 0.0], [1e7, 1e7 + 1]])
def test_range_without_width_is_a_point(values: list[float]) -> None:
    age = fitted(values, "minmax")
    assert age.minimum == age.maximum


def test_knots_are_the_quantiles_of_the_values() -> None:
    age = fitted([*map(float, range(101))], "quantile", quantiles=4)
    assert age.knots == (0.0, 25.0, 50.0, 75.0, 100.0)
    assert age.levels == (0.0, 0.25, 0.5, 0.75, 1.0)


def test_value_that_fills_quantiles_has_the_mean_of_their_ranks() -> None:
    age = fitted([0.0] * 60 + [*map(float, range(1, 42))], "quantile", quantiles=4)
    assert age.knots == (0.0, 16.0, 41.0)
    assert age.levels == (0.25, 0.75, 1.0)


@pytest.mark.parametrize(("values", "knot"), [([np.nan, np.nan], 0.0), ([7.0, 7.0, np.nan], 7.0)])
def test_quantiles_of_one_value_are_one_knot(values: list[float], knot: float) -> None:
    age = fitted(values, "quantile")
    assert (age.quantiles, age.knots, age.levels) == (100, (knot,), (0.5,))


def test_knots_stay_apart_as_numbers_of_32_bits() -> None:
    age = fitted([0.1, 0.1, 0.05, 5.0], "clip", "quantile", clip=(0.0, 0.1))
    assert age.knots == (float(np.float32(0.05)), float(np.float32(0.1)))


def boundaries(values: list[float], **options: Any) -> tuple[float, ...] | None:
    feature = BucketizedFeature(name="age", **options)
    schema = Schema(name="toy", features=(feature,), tasks=(BinaryTask(name="click", label="is_click"),)).resolved()
    fitted = fit_statistics(schema, np.array(values, np.float32)[:, None]).features[0]
    assert isinstance(fitted, BucketizedFeature)
    return fitted.boundaries


def test_buckets_hold_as_many_rows() -> None:
    values = np.random.default_rng(0).permutation(100).astype(float)
    assert boundaries([*values, np.nan], quantiles=4) == (25.0, 50.0, 75.0)


def test_value_that_fills_buckets_has_one() -> None:
    assert boundaries([0.0] * 60 + [5.0] * 20 + [9.0] * 20, quantiles=10) == (5.0, 9.0)


@pytest.mark.parametrize("values", [[np.nan], [7.0], [7.0, 7.0]])
def test_buckets_of_one_value_have_no_boundary(values: list[float]) -> None:
    assert boundaries(values, quantiles=4) == ()


def test_boundaries_fitted_before_are_fitted_anew() -> None:
    assert boundaries([1.0, 2.0], quantiles=2, boundaries=(5.0,)) == (2.0,)


def test_explicit_boundaries_stay() -> None:
    assert boundaries([1.0, 2.0, 3.0], boundaries=(0.1, 9.0)) == (0.1, 9.0)
