import math
from collections.abc import Callable

import numpy as np
import pytest
from numpy.testing import assert_allclose
from numpy.typing import NDArray
from sklearn.metrics import ndcg_score, roc_auc_score

from polyrank.metrics.observed import Observed
from polyrank.metrics.ranking import grouped_area, ndcg, recall
from polyrank.metrics.statistics import MeanOverGroups

Prepare = Callable[[Observed], MeanOverGroups]
PREPARE: dict[str, Prepare] = {"gauc": grouped_area, "ndcg": ndcg, "recall": recall}


def observed(levels: int, size: int = 600, seed: int = 0) -> Observed:
    """Make rows of 40 groups, some rows of none."""
    random = np.random.default_rng(seed)
    scores = random.integers(0, levels, size).astype(np.float32)
    labels = (random.random(size) < 0.1).astype(np.float32)
    return Observed.of(scores, labels, random.random(size) + 0.1, random.integers(-1, 40, size))


def parts(rows: Observed) -> list[tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]]:
    """Return scores, labels and weights of each group."""
    assert rows.groups is not None
    columns = (rows.predicted, rows.labels, rows.weights)
    found = [tuple(column[rows.groups == group] for column in columns) for group in set(rows.groups.tolist()) - {-1}]
    return [(scores, labels, weights) for scores, labels, weights in found]


def value(prepare: Prepare, rows: Observed) -> float:
    return prepare(rows).value(np.ones(len(rows)))


@pytest.mark.parametrize("levels", [5, 10**6], ids=["ties", "no ties"])
def test_grouped_auc_is_the_mean_of_the_groups_by_weight(levels: int) -> None:
    rows = observed(levels)
    both = [part for part in parts(rows) if 0 < part[1].sum() < len(part[1])]
    areas = [roc_auc_score(labels, scores, sample_weight=weights) for scores, labels, weights in both]
    expected = np.average(areas, weights=[weights.sum() for _, _, weights in both])
    assert_allclose(value(grouped_area, rows), expected, rtol=1e-12)
    assert grouped_area(rows).counts == {"groups": len(both), "skipped_groups": len(parts(rows)) - len(both)}


@pytest.mark.parametrize("levels", [5, 10**6], ids=["ties", "no ties"])
def test_ndcg_is_the_mean_of_that_of_sklearn(levels: int) -> None:
    rows = observed(levels)
    some = [part for part in parts(rows) if part[1].sum() > 0]
    gains = [ndcg_score([labels], [scores], k=10) for scores, labels, _ in some]
    expected = np.average(gains, weights=[weights.mean() for _, _, weights in some])
    assert_allclose(value(ndcg, rows), expected, rtol=1e-12)
    assert ndcg(rows).counts == {"groups": len(some), "skipped_groups": len(parts(rows)) - len(some)}


def best_of(scores: NDArray[np.float64], labels: NDArray[np.float64], k: int) -> float:
    return float(labels[np.argsort(-scores)[:k]].sum() / labels.sum())


def test_recall_is_the_share_of_positives_among_the_best() -> None:
    rows = observed(10**9)
    some = [part for part in parts(rows) if part[1].sum() > 0]
    shares = [best_of(scores, labels, 10) for scores, labels, _ in some]
    expected = np.average(shares, weights=[weights.mean() for _, _, weights in some])
    assert_allclose(value(recall, rows), expected, rtol=1e-12)


def test_recall_of_tied_rows_is_its_mean_over_their_orders() -> None:
    random = np.random.default_rng(0)
    scores, labels = random.integers(0, 3, 30).astype(np.float32), (random.random(30) < 0.3).astype(np.float32)
    rows = Observed.of(scores, labels, groups=np.zeros(30, np.int64))
    shares = [best_of(scores + random.random(30) / 2, labels.astype(np.float64), 10) for _ in range(20_000)]
    assert_allclose(value(recall, rows), np.mean(shares), atol=float(5 * np.std(shares) / math.sqrt(20_000)))


def test_k_cuts_ranks() -> None:
    scores, labels = np.arange(5, 0, -1).astype(np.float32), np.array([0, 1, 0, 1, 1], np.float32)
    rows = Observed.of(scores, labels, groups=np.zeros(5, np.int64))
    assert value(lambda rows: recall(rows, 2), rows) == pytest.approx(1 / 3)
    assert value(lambda rows: ndcg(rows, 2), rows) == pytest.approx((1 / math.log2(3)) / (1 + 1 / math.log2(3)))


@pytest.mark.parametrize("name", PREPARE)
def test_rows_without_a_group_do_not_count(name: str) -> None:
    rows = observed(20)
    assert rows.groups is not None
    known = rows.groups >= 0
    kept = Observed(rows.answers[known], rows.labels[known], rows.weights[known], rows.groups[known])
    assert 0 < known.sum() < len(rows)
    assert_allclose(value(PREPARE[name], rows), value(PREPARE[name], kept), rtol=1e-12)


@pytest.mark.parametrize("name", PREPARE)
def test_order_of_the_rows_does_not_matter(name: str) -> None:
    rows = observed(4)
    assert rows.groups is not None
    order = np.random.default_rng(1).permutation(len(rows))
    shuffled = Observed(rows.answers[order], rows.labels[order], rows.weights[order], rows.groups[order])
    assert_allclose(value(PREPARE[name], shuffled), value(PREPARE[name], rows), rtol=1e-12)


def test_weights_of_rows_repeat_them_in_grouped_auc() -> None:
    rows = observed(7)
    assert rows.groups is not None
    times = np.random.default_rng(1).integers(1, 4, len(rows))
    weighed = Observed(rows.answers, rows.labels, times.astype(np.float64), rows.groups)
    columns = (np.repeat(column, times) for column in (rows.answers, rows.labels, np.ones(len(rows)), rows.groups))
    assert_allclose(value(grouped_area, weighed), value(grouped_area, Observed(*columns)), rtol=1e-12)


@pytest.mark.parametrize("name", PREPARE)
def test_group_drawn_twice_weighs_as_two(name: str) -> None:
    rows = observed(7)
    assert rows.groups is not None
    times = np.random.default_rng(1).integers(0, 3, 40)[rows.groups]
    again = np.flatnonzero(times == 2)
    columns = (rows.answers, rows.labels, rows.weights, rows.groups)
    once = [column[times > 0] for column in columns]
    twice = [column[again] for column in (*columns[:3], rows.groups + 40 * (rows.groups >= 0))]
    doubled = Observed(*(np.concatenate(pair) for pair in zip(once, twice, strict=True)))
    drawn = PREPARE[name](rows).value(times.astype(np.float64))
    assert_allclose(drawn, value(PREPARE[name], doubled), rtol=1e-12)


LABELS: dict[str, tuple[list[float], list[str]]] = {
    "positive": ([1.0, 1.0, 1.0], ["gauc"]),
    "negative": ([0.0, 0.0, 0.0], ["gauc", "ndcg", "recall"]),
    "none": ([], ["gauc", "ndcg", "recall"]),
}


@pytest.mark.parametrize("case", LABELS)
def test_metrics_without_a_group_to_count_are_nan(case: str) -> None:
    labels, undefined = LABELS[case]
    size = len(labels)
    rows = Observed.of(np.ones(size, np.float32), np.array(labels, np.float32), groups=np.zeros(size, np.int64))
    assert [name for name, prepare in PREPARE.items() if math.isnan(value(prepare, rows))] == undefined


def test_rows_that_are_all_without_a_group_give_nan() -> None:
    rows = Observed.of(np.ones(2, np.float32), np.array([0, 1], np.float32), groups=np.full(2, -1))
    assert all(math.isnan(value(prepare, rows)) for prepare in PREPARE.values())
