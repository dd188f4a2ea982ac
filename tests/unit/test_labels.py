import re
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from numpy.testing import assert_array_equal

from polyrank.errors import DataError
from polyrank.features import NumericFeature
from polyrank.labels import label_matrix, mean_weight, sample_weights
from polyrank.schema import Schema
from polyrank.tasks import BinaryTask, RegressionTask, Task

CLICK = BinaryTask(name="click", label="is_click")
LIKE = BinaryTask(name="like", label="is_like", when="is_click")
RATING = RegressionTask(name="rating", label="stars")
WATCH = RegressionTask(name="watch", label="watch_s", transform="log1p")


def labels(columns: dict[str, Any], *tasks: Task) -> Any:
    schema = Schema(name="toy", features=(NumericFeature(name="age"),), tasks=tasks)
    return label_matrix(schema, {name: pa.array(values) for name, values in columns.items()})


def test_labels_are_one_column_for_each_task() -> None:
    matrix = labels({"is_click": [1, 0], "stars": [3.5, -2.0], "watch_s": [0.0, 9.0]}, CLICK, RATING, WATCH)
    assert matrix.dtype == np.float32
    assert matrix.tolist() == [[1.0, 3.5, 0.0], [0.0, -2.0, 9.0]]


@pytest.mark.parametrize("values", [[1, 0, None], [True, False, None], [1.0, 0.0, float("nan")]])
def test_binary_label_may_be_of_any_number_type(values: list[object]) -> None:
    assert_array_equal(labels({"is_click": values}, CLICK)[:, 0], np.array([1, 0, np.nan], np.float32))


def test_label_counts_only_where_condition_is_one() -> None:
    matrix = labels({"is_like": [1, 1, 0, 1], "is_click": [1, 0, 1, None]}, LIKE)
    assert_array_equal(matrix[:, 0], np.array([1, np.nan, 0, np.nan], np.float32))


def test_condition_of_other_numbers_is_refused() -> None:
    message = "column 'stars' holds 5 at row 2; 0 and 1 expected of what a task is observed under (task 'like')"
    with pytest.raises(DataError, match=re.escape(message)):
        labels({"is_like": [1, 1], "stars": [1, 5]}, BinaryTask(name="like", label="is_like", when="stars"))


def test_condition_leaves_the_other_tasks_alone() -> None:
    matrix = labels({"is_like": [1, 1], "is_click": [1, 0]}, CLICK, LIKE)
    assert matrix[:, 0].tolist() == [1.0, 0.0]


def test_label_of_another_scale_is_checked_before_the_condition() -> None:
    with pytest.raises(DataError, match="label column 'is_like' holds 2 at row 2"):
        labels({"is_like": [1, 2], "is_click": [1, 0]}, LIKE)


@pytest.mark.parametrize(
    ("task", "columns", "message"),
    [
        (
            CLICK,
            {"is_click": [1, None, 2]},
            "label column 'is_click' holds 2 at row 3; 0 or 1 expected for a binary task (task 'click')",
        ),
        (CLICK, {"is_click": [0.5]}, "label column 'is_click' holds 0.5 at row 1; 0 or 1 expected"),
        (CLICK, {"is_click": ["yes"]}, "column 'is_click' holds 'yes' at row 1; numbers expected"),
        (RATING, {"stars": [1.0, np.inf]}, "column 'stars' holds inf at row 2; finite 32-bit numbers expected"),
        (
            WATCH,
            {"watch_s": [0.0, -0.5]},
            "label column 'watch_s' holds -0.5 at row 2; 0 or above under log1p expected for a regression task",
        ),
        (LIKE, {"is_like": [1], "is_click": ["no"]}, "column 'is_click' holds 'no' at row 1; numbers expected"),
    ],
    ids=["binary", "fraction", "text", "infinity", "negative", "condition"],
)
def test_wrong_label_is_refused_with_its_row(task: Task, columns: dict[str, Any], message: str) -> None:
    with pytest.raises(DataError, match=f"^{re.escape(message)}"):
        labels(columns, task)


def weights_of(values: Any) -> Any:
    schema = Schema(name="toy", features=(NumericFeature(name="age"),), tasks=(CLICK,), sample_weight="w")
    return sample_weights(schema, {"w": pa.array(values)})


def test_weights_are_numbers_of_zero_and_above() -> None:
    assert_array_equal(weights_of([0, 2.5, 1]), np.array([0, 2.5, 1], np.float32))


def test_schema_without_a_weight_column_weighs_all_alike() -> None:
    schema = Schema(name="toy", features=(NumericFeature(name="age"),), tasks=(CLICK,))
    assert sample_weights(schema, {}) is None


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ([1.0, -0.5], "weight column 'w' holds -0.5 at row 2; numbers of 0 and above expected"),
        ([1.0, float("nan")], "weight column 'w' is missing at row 2; numbers of 0 and above expected"),
        ([None, 1.0], "weight column 'w' is missing at row 1; numbers of 0 and above expected"),
        ([1.0, float("inf")], "column 'w' holds inf at row 2; finite 32-bit numbers expected"),
        (["1"], "column 'w' holds string; numbers expected: cast it to float64"),
    ],
)
def test_wrong_weight_is_refused_with_column_and_row(values: Any, message: str) -> None:
    with pytest.raises(DataError, match=f"^{re.escape(message)}$"):
        weights_of(values)


def test_mean_weight_must_be_above_zero() -> None:
    schema = Schema(name="toy", features=(NumericFeature(name="age"),), tasks=(CLICK,), sample_weight="w")
    assert mean_weight(schema, np.array([1.0, 3.0, 0.0, 4.0], np.float32)) == 2.0
    with pytest.raises(DataError, match=r"^weight column 'w' is 0 in every training row; nothing is left to learn$"):
        mean_weight(schema, np.zeros(3, np.float32))
