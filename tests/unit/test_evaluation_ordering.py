"""The order of groups under a score, against scikit-learn and plain loops over groups."""

from collections.abc import Callable

import numpy as np
import pytest
from artefacts.evaluated import CLICK, EVERY_TASK, GENRE, STARS, TASTE, WATCH, answered, schema_of, table_of
from numpy.testing import assert_allclose
from numpy.typing import NDArray
from sklearn.metrics import ndcg_score

from polyrank.evaluation import ordering as module
from polyrank.evaluation.answered import AnsweredRows, combined
from polyrank.evaluation.findings import Ordering, TradeOff
from polyrank.evaluation.ordering import ordering, trade_offs
from polyrank.metrics.observed import Observed
from polyrank.metrics.ranking import graded_ndcg

SCHEMA = schema_of(CLICK, WATCH, TASTE, STARS, GENRE)
TABLE = table_of(600)
GROUPS = np.random.default_rng(7).integers(-1, 40, 600)
ROWS = answered(SCHEMA, TABLE, GROUPS)
WEIGHTS = {"click": 2.0, "watch": -0.5, "taste": 0.0, "stars": 0.3}
SCORES = combined(ROWS.answers, WEIGHTS)

Floats = NDArray[np.float64]


def labels_of(task: str) -> Floats:
    names = [each.name for each in SCHEMA.tasks]
    return ROWS.labels[:, names.index(task)].astype(np.float64)


def by_group(task: str, scores: Floats, value: Callable[[Floats, Floats], float]) -> list[float]:
    """Call with scores and labels of the observed rows of each group."""
    labels = labels_of(task)
    known = ~np.isnan(labels)
    members = [known & (group == GROUPS) for group in range(40)]
    return [value(scores[chosen], labels[chosen]) for chosen in members]


def found(k: int = 5) -> Ordering:
    result = ordering(ROWS, WEIGHTS, k)
    assert result is not None
    return result


def mean_ndcg(gains: Floats, labels: Floats, scores: Floats, k: int) -> float:
    known = ~np.isnan(labels)
    members = [known & (group == GROUPS) for group in range(40)]
    return float(np.mean([ndcg_score([gains[own]], [scores[own]], k=k) for own in members if (gains[own] > 0).any()]))


@pytest.mark.parametrize(("task", "least"), [("click", 0.0), ("watch", 0.0), ("stars", 1.0)])
def test_ndcg_is_the_mean_of_that_of_sklearn(task: str, least: float) -> None:
    labels = labels_of(task)
    quality = found().tasks[task]
    assert quality.ndcg == pytest.approx(mean_ndcg(labels - least, labels, SCORES, 5))
    own = ROWS.answers[task].astype(np.float64)
    assert quality.own_ndcg == pytest.approx(mean_ndcg(labels - least, labels, own, 5))


def test_gain_is_above_the_least_negative_label() -> None:
    labels = labels_of("taste")
    expected = mean_ndcg(labels - np.nanmin(labels), labels, SCORES, 5)
    assert found().tasks["taste"].ndcg == pytest.approx(expected)


def test_recall_is_the_share_of_positives_among_the_best() -> None:
    def share(scores: Floats, labels: Floats) -> float:
        return float(labels[np.argsort(-scores)[:5]].sum() / labels.sum()) if labels.any() else np.nan

    assert found().tasks["click"].recall == pytest.approx(np.nanmean(by_group("click", SCORES, share)))


def test_recall_is_of_binary_tasks_alone() -> None:
    assert [name for name, quality in found().tasks.items() if quality.recall is not None] == ["click"]


@pytest.mark.parametrize("task", ["click", "watch", "taste", "stars"])
def test_top_label_is_the_mean_of_the_best_rows(task: str) -> None:
    best: list[float] = []
    every: list[float] = []

    def collect(scores: Floats, labels: Floats) -> float:
        if len(labels) > 12:
            best.extend(labels[np.argsort(-scores)[:12]])
            every.append(labels.mean())
        return 0.0

    by_group(task, SCORES, collect)
    quality = found(12).tasks[task]
    assert (quality.top_label, quality.mean_label) == pytest.approx((np.mean(best), np.mean(every)))


def test_random_scores_give_the_mean_label_of_unlike_groups() -> None:
    random, sizes = np.random.default_rng(3), [1_000] * 50 + [12] * 500
    labels = (random.random(56_000) < np.repeat([0.05, 0.5], [50_000, 6_000])).astype(np.float32)
    answers = {"click": random.random(56_000).astype(np.float32)}
    rows = AnsweredRows(schema_of(CLICK), answers, labels[:, None], np.repeat(np.arange(550), sizes))
    result = ordering(rows, {"click": 1.0}, 10)
    assert result is not None
    assert result.tasks["click"].top_label == pytest.approx(result.tasks["click"].mean_label, abs=0.02)


def test_no_group_with_a_choice_has_no_top_label() -> None:
    quality = found(100).tasks["click"]
    assert (quality.top_label, quality.mean_label) == (None, None)


def test_multiclass_task_is_not_ordered_by() -> None:
    assert list(found().tasks) == ["click", "watch", "taste", "stars"]


def test_groups_with_a_choice_are_counted() -> None:
    sizes = np.bincount(GROUPS[GROUPS >= 0])
    assert (found(14).groups, found(14).groups_above_k) == (40, sum(size > 14 for size in sizes))


def test_task_without_a_label_has_no_quality() -> None:
    labels = ROWS.labels.copy()
    labels[:, 0] = np.nan
    result = ordering(AnsweredRows(SCHEMA, ROWS.answers, labels, GROUPS), WEIGHTS, 5)
    assert result is not None
    quality = result.tasks["click"]
    assert [quality.ndcg, quality.recall, quality.top_label, quality.mean_label, quality.own_ndcg] == [None] * 5


@pytest.mark.parametrize("groups", [None, np.full(600, -1)], ids=["unnamed", "missing"])
def test_rows_without_groups_have_no_order(groups: NDArray[np.int64] | None) -> None:
    rows = answered(SCHEMA, TABLE, groups)
    assert ordering(rows, WEIGHTS, 5) is None
    assert trade_offs(rows, 5, np.random.default_rng(0)) == ()


def test_no_weights_give_no_order() -> None:
    assert ordering(ROWS, {}, 5) is None


@pytest.mark.parametrize("levels", [3, 10**6], ids=["ties", "no ties"])
def test_graded_ndcg_is_weighted_over_groups(levels: int) -> None:
    random = np.random.default_rng(1)
    scores, gains = random.integers(0, levels, 300).astype(np.float64), random.integers(0, 5, 300).astype(np.float64)
    groups, weights = random.integers(-1, 30, 300), random.random(300) + 0.1
    members = [groups == group for group in range(30)]
    values = [ndcg_score([gains[own]], [scores[own]], k=4) for own in members if gains[own].any()]
    expected = np.average(values, weights=[weights[own].mean() for own in members if gains[own].any()])
    rows = Observed.of(scores, gains, weights, groups)
    assert graded_ndcg(rows, gains, 4).value(np.ones(300)) == pytest.approx(expected, rel=1e-12)


def test_graded_ndcg_skips_groups_without_a_gain() -> None:
    rows = Observed.of(np.arange(4.0), np.zeros(4), groups=np.array([0, 0, 1, 1]))
    assert graded_ndcg(rows, np.array([0.0, 0, 0, 1])).counts == {"groups": 1, "skipped_groups": 1}


def traded(k: int = 5, *, seed: int = 0) -> tuple[TradeOff, ...]:
    return trade_offs(ROWS, k, np.random.default_rng(seed))


def test_each_pair_of_tasks_is_traded() -> None:
    pairs = [("click", "watch"), ("click", "taste"), ("click", "stars"), ("watch", "taste"), ("watch", "stars")]
    assert [each.tasks for each in traded()] == [*pairs, ("taste", "stars")]


def test_first_four_tasks_are_traded() -> None:
    rows = answered(schema_of(*EVERY_TASK), TABLE, GROUPS)
    names = {name for each in trade_offs(rows, 5, np.random.default_rng(0)) for name in each.tasks}
    assert names == {"click", "like", "watch", "taste"}


def test_ends_of_a_trade_off_are_single_tasks() -> None:
    quality, first = found().tasks, traded()[0]
    assert first.points[0].ndcg[0] == pytest.approx(quality["click"].own_ndcg)
    assert first.points[-1].ndcg[1] == pytest.approx(quality["watch"].own_ndcg)


def test_point_is_the_order_under_its_weights() -> None:
    point = traded()[0].points[7]
    result = ordering(ROWS, dict(zip(("click", "watch"), point.weights, strict=True)), 5)
    assert result is not None
    assert point.ndcg == pytest.approx((result.tasks["click"].ndcg, result.tasks["watch"].ndcg))


def test_weights_are_shares_over_the_deviation() -> None:
    point, known = traded()[0].points[5], GROUPS >= 0
    deviations = [float(ROWS.answers[task][known].std(dtype=np.float64)) for task in ("click", "watch")]
    assert point.share == pytest.approx(0.25)
    assert_allclose(point.weights, [0.75 / deviations[0], 0.25 / deviations[1]])


def test_shares_go_from_one_task_to_the_other() -> None:
    assert_allclose([point.share for point in traded()[0].points], np.arange(21) / 20)


def test_constant_answers_are_traded_as_they_are() -> None:
    answers = dict(ROWS.answers) | {"watch": np.full(600, 3, np.float32)}
    rows = AnsweredRows(SCHEMA, answers, ROWS.labels, GROUPS)
    assert trade_offs(rows, 5, np.random.default_rng(0))[0].points[-1].weights == (0.0, 1.0)


def test_many_rows_are_traded_by_whole_groups(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "TRADED_ROWS", 100)
    largest = int(np.bincount(GROUPS[GROUPS >= 0]).max())
    assert 100 <= traded()[0].rows < 100 + largest


def test_few_rows_are_traded_all() -> None:
    assert traded()[0].rows == int((GROUPS >= 0).sum())


def test_one_task_is_not_traded() -> None:
    assert trade_offs(answered(schema_of(CLICK, GENRE), TABLE, GROUPS), 5, np.random.default_rng(0)) == ()
