import numpy as np
import pytest

from polyrank.features import CategoricalFeature, NumericFeature
from polyrank.schema import Schema
from polyrank.tasks import BinaryTask
from polyrank.train.statistics import fit_statistics


def fitted(values: list[float], *transform: str) -> NumericFeature:
    features = (
        CategoricalFeature(name="user", dtype="text", num_buckets=9),
        NumericFeature(name="age", transform=transform),  # type: ignore[arg-type]
    )
    schema = Schema(name="toy", features=features, tasks=(BinaryTask(name="click", label="is_click"),))
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
