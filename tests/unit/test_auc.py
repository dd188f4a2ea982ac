import math

import numpy as np
import pytest
from numpy.testing import assert_allclose
from sklearn.metrics import roc_auc_score

from polyrank.auc import RankedScores, auc


@pytest.mark.parametrize("levels", [2, 10, 10**9], ids=["many ties", "some ties", "no ties"])
def test_auc_equals_that_of_sklearn(levels: int) -> None:
    random = np.random.default_rng(levels)
    scores = random.integers(0, levels, 500).astype(np.float64)
    positive = random.random(500) < 0.3
    assert_allclose(auc(scores, positive), roc_auc_score(positive, scores), rtol=1e-12)


@pytest.mark.parametrize("levels", [2, 10, 10**9], ids=["many ties", "some ties", "no ties"])
def test_weighted_auc_equals_that_of_sklearn(levels: int) -> None:
    random = np.random.default_rng(levels)
    scores = random.integers(0, levels, 500).astype(np.float32)
    positive, weights = random.random(500) < 0.3, random.random(500)
    expected = roc_auc_score(positive, scores, sample_weight=weights)
    assert_allclose(auc(scores, positive, weights), expected, rtol=1e-12)


@pytest.mark.parametrize(
    ("scores", "positive", "expected"),
    [
        ([0.1, 0.9], [False, True], 1.0),
        ([0.9, 0.1], [False, True], 0.0),
        ([0.5, 0.5, 0.5], [False, True, True], 0.5),
    ],
    ids=["right", "wrong", "tied"],
)
def test_auc_of_small_cases(scores: list[float], positive: list[bool], expected: float) -> None:
    assert auc(np.array(scores), np.array(positive)) == expected


@pytest.mark.parametrize("positive", [[True, True], [False, False], []], ids=["positive", "negative", "none"])
def test_auc_of_one_class_is_nan(positive: list[bool]) -> None:
    assert math.isnan(auc(np.arange(len(positive), dtype=np.float64), np.array(positive, bool)))


def test_class_of_weight_zero_is_absent() -> None:
    assert math.isnan(auc(np.array([0.3, 0.7, 0.1]), np.array([True, False, True]), np.array([0.1, 0.0, 0.7])))


def test_ranked_scores_take_weights_again_and_again() -> None:
    random = np.random.default_rng(0)
    scores, positive = random.integers(0, 50, 300).astype(np.float64), random.random(300) < 0.4
    ranked = RankedScores(scores, positive)
    first, second = random.random(300), random.random(300)
    areas = [ranked.area(first), ranked.area(second), ranked.area()]
    expected = [roc_auc_score(positive, scores, sample_weight=weights) for weights in (first, second, None)]
    assert_allclose(areas, expected, rtol=1e-12)
