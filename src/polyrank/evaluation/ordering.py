"""How well groups, such as users, are ordered by a score that combines tasks, and what one task costs another."""

import itertools
import math
from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from polyrank.metrics.grouped_scores import GroupedScores
from polyrank.metrics.observed import Observed
from polyrank.metrics.ordering import order_within
from polyrank.metrics.ranking import graded_ndcg, recall
from polyrank.tasks import BinaryTask, OrdinalTask, Task

from .answered import AnsweredRows, combined, single_answer_tasks
from .findings import Ordering, OrderQuality, TradeOff, TradePoint

TRADED_TASKS = 4
TRADED_ROWS = 100_000
SHARES = 21


def ordering(rows: AnsweredRows, weights: Mapping[str, float], k: int) -> Ordering | None:
    """Return how well the rows of each group are ordered by the score; None without groups or such tasks."""
    if rows.groups is None or not weights or not (rows.groups >= 0).any():
        return None
    scores = combined(rows.answers, weights)
    sizes = np.bincount(rows.groups[rows.groups >= 0])
    return Ordering(
        k=k,
        weights=dict(weights),
        groups=int((sizes > 0).sum()),
        groups_above_k=int((sizes > k).sum()),
        tasks={task.name: _quality(rows, task, scores, k) for task in single_answer_tasks(rows.schema)},
    )


def _quality(rows: AnsweredRows, task: Task, scores: NDArray[np.float64], k: int) -> OrderQuality:
    observed, own = rows.observed(task, scores), rows.observed(task)
    gains = _gains(task, observed)
    top, mean = _top_labels(observed, k)
    return OrderQuality(
        ndcg=_known(_ndcg(observed, gains, k)),
        recall=_known(recall(observed, k).value(np.ones(len(observed)))) if isinstance(task, BinaryTask) else None,
        top_label=_known(top),
        mean_label=_known(mean),
        own_ndcg=_known(_ndcg(own, gains, k)),
    )


def _ndcg(observed: Observed, gains: NDArray[np.float64], k: int) -> float:
    return graded_ndcg(observed, gains, k).value(np.ones(len(observed)))


def _gains(task: Task, observed: Observed) -> NDArray[np.float64]:
    """Return the labels above the least level; above the least label there is where that is below 0."""
    if isinstance(task, OrdinalTask):
        return observed.labels - task.levels[0]
    return observed.labels - min(0.0, float(observed.labels.min(initial=0.0)))


def _top_labels(observed: Observed, k: int) -> tuple[float, float]:
    """Return the mean label of the best `k` rows and of all rows, each a mean over the groups that have more than `k`.

    Each group counts alike in both, so that they are alike where scores are random.
    """
    assert observed.groups is not None  # noqa: S101 (tells the type checker)
    order = order_within(observed.groups, observed.by_answer)
    scores = GroupedScores(
        observed.answers[order], observed.labels[order], observed.weights[order], observed.groups[order], order
    )
    has_choice = scores.sizes > k
    if not has_choice.any():
        return math.nan, math.nan
    top, mean = scores.gains(np.ones(k)) / k, scores.positives / scores.sizes
    return float(top[has_choice].mean()), float(mean[has_choice].mean())


def _known(value: float) -> float | None:
    return None if math.isnan(value) else value


def trade_offs(rows: AnsweredRows, k: int, generator: np.random.Generator) -> tuple[TradeOff, ...]:
    """Return for each pair of the first tasks how well each orders the rows of groups as weight moves between them."""
    tasks = single_answer_tasks(rows.schema)[:TRADED_TASKS]
    if rows.groups is None or not (rows.groups >= 0).any():
        return ()
    some = rows[_of_some_groups(rows.groups, generator)]
    return tuple(_trade_off(some, pair, k) for pair in itertools.combinations(tasks, 2))


def _of_some_groups(groups: NDArray[np.int64], generator: np.random.Generator) -> NDArray[np.int64]:
    """Return the rows of all groups, or of as many, drawn at random, as have about `TRADED_ROWS` rows."""
    known = groups >= 0
    sizes = np.bincount(groups[known])
    drawn = generator.permutation(len(sizes))
    num_before = np.cumsum(sizes[drawn]) - sizes[drawn]
    is_drawn = np.zeros(len(sizes), bool)
    is_drawn[drawn[num_before < TRADED_ROWS]] = True
    return np.flatnonzero(known & is_drawn[groups])


def _trade_off(rows: AnsweredRows, pair: tuple[Task, ...], k: int) -> TradeOff:
    first, second = (_scaled(rows.answers[task.name]) for task in pair)
    points = []
    for share in np.linspace(0.0, 1.0, SHARES).tolist():
        weights = ((1 - share) * first[1], share * second[1])
        scores = (1 - share) * first[0] + share * second[0]
        found = [_order_quality(rows, task, scores, k) for task in pair]
        points.append(TradePoint(share=share, weights=weights, ndcg=(found[0], found[1])))
    return TradeOff(tasks=(pair[0].name, pair[1].name), k=k, rows=len(rows), points=tuple(points))


def _scaled(answers: NDArray[np.float32]) -> tuple[NDArray[np.float64], float]:
    """Return answers in units of their standard deviation, and what they were multiplied by; 1 where all are alike."""
    values = answers.astype(np.float64)
    deviation = float(values.std())
    scale = 1 / deviation if deviation > 0 else 1.0
    return values * scale, scale


def _order_quality(rows: AnsweredRows, task: Task, scores: NDArray[np.float64], k: int) -> float | None:
    observed = rows.observed(task, scores)
    return _known(_ndcg(observed, _gains(task, observed), k))
