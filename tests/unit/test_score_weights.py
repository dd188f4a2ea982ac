"""Weights of tasks are checked the same wherever they are given."""

from typing import Any

import numpy as np
import pytest

from polyrank.errors import ConfigError
from polyrank.score_weights import LARGEST, score_weights

NAMES = ("click", "watch")


def test_all_tasks_weigh_alike_by_default() -> None:
    assert score_weights("toy", NAMES, None) == {"click": 1.0, "watch": 1.0}


def test_task_that_is_left_out_weighs_nothing() -> None:
    assert score_weights("toy", NAMES, {"watch": 2}) == {"click": 0.0, "watch": 2.0}


def test_weights_are_in_the_order_of_the_tasks() -> None:
    assert list(score_weights("toy", NAMES, {"watch": 2, "click": 1})) == ["click", "watch"]


def test_weights_may_be_negative_and_of_numpy() -> None:
    assert score_weights("toy", NAMES, {"click": float(np.float32(-0.5)), "watch": np.float64(0)}) == {
        "click": -0.5,
        "watch": 0.0,
    }


def test_largest_weight_is_taken() -> None:
    assert score_weights("toy", NAMES, {"click": -LARGEST})["click"] == -1e30


REFUSED: dict[str, tuple[Any, str]] = {
    "no mapping": ([1.0, 2.0], "weights must be a dict of numbers by task, got list"),
    "another task": (
        {"clicks": 1.0},
        "weights names 'clicks', which is no task of model 'toy' with one answer: click, watch; did you mean 'click'?",
    ),
    "no number": ({"click": "1"}, "weights['click'] must be a number from -1e+30 to 1e+30, got '1'"),
    "a truth value": ({"click": True}, "weights['click'] must be a number from -1e+30 to 1e+30, got True"),
    "NaN": ({"click": float("nan")}, "weights['click'] must be a number from -1e+30 to 1e+30, got nan"),
    "too large": ({"click": -2e30}, "weights['click'] must be a number from -1e+30 to 1e+30, got -2e+30"),
    "zeros": ({"click": 0, "watch": 0.0}, "weights must hold a number other than 0, or every item scores the same"),
    "nothing": ({}, "weights must hold a number other than 0, or every item scores the same"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_wrong_weights_are_refused(case: str) -> None:
    weights, message = REFUSED[case]
    with pytest.raises(ConfigError) as caught:
        score_weights("toy", NAMES, weights)
    assert str(caught.value) == message


def test_model_of_classes_alone_has_none_to_weigh() -> None:
    with pytest.raises(ConfigError, match=r"^weights names 'genre', .* with one answer: it has none$"):
        score_weights("toy", (), {"genre": 1.0})
