"""Where outputs start from: the logits whose answers are what labels are on average."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from artefacts.runs import EVERY_TASK, ITEM, labelled, make_rows, make_schema_of
from numpy.testing import assert_allclose
from numpy.typing import NDArray
from scipy.special import expit, logit, softmax

from polyrank.errors import ConfigError
from polyrank.features import NumericFeature
from polyrank.models import ModelConfig, MultiTaskRanker
from polyrank.schema import Schema
from polyrank.tasks import BinaryTask, CountTask, MulticlassTask, OrdinalTask, RegressionTask, Task
from polyrank.train import TrainConfig, fit
from polyrank.train.base_rates import BaseRates
from polyrank.train.preparing import prepare

NAN = float("nan")
CLICK = BinaryTask(name="click", label="is_click")
CART = BinaryTask(name="cart", label="is_cart", when="is_click")
BUY = BinaryTask(name="buy", label="is_bought", when="is_cart")
WATCH = RegressionTask(name="watch", label="watch_s")
LOGGED = RegressionTask(name="logged", label="watch_s", transform="log1p")
STARS = OrdinalTask(name="stars", label="stars", levels=(0.1, 0.5, 2.0))
GENRE = MulticlassTask(name="genre", label="genre", num_classes=4)
PLAYS = CountTask(name="plays", label="plays")


def rates(tasks: tuple[Task, ...], *parts: Any, weights: Any = None, **options: Any) -> list[NDArray[np.float32]]:
    schema = Schema(name="toy", features=(NumericFeature(name="x"),), tasks=tasks).resolved()
    found = BaseRates(schema, ModelConfig(**options))
    for part in parts:
        found.add(np.array(part, np.float32), None if weights is None else np.array(weights, np.float32))
    return list(found.logits())


def column(*labels: float) -> list[list[float]]:
    return [[label] for label in labels]


def test_binary_task_starts_at_its_log_odds() -> None:
    assert_allclose(rates((CLICK,), column(1, 0, 0, NAN, 0, 0)), [logit([1.5 / 6.0])], rtol=1e-6)


@pytest.mark.parametrize("label", [0, 1])
def test_label_that_never_differs_has_a_finite_start(label: int) -> None:
    (start,) = rates((CLICK,), column(*[label] * 99))
    assert_allclose(start, logit([(99 * label + 0.5) / 100.0]), rtol=1e-6)


def test_regression_starts_at_the_mean() -> None:
    (start,) = rates((WATCH,), column(3000.0, NAN, 5000.0), column(7000.0))
    assert start.tolist() == [5000.0]


def test_logged_regression_starts_at_the_mean_logarithm() -> None:
    assert_allclose(rates((LOGGED,), column(9.0, 0.0)), [[np.log(10.0) / 2]], rtol=1e-6)


def test_count_starts_at_the_logarithm_of_the_mean() -> None:
    assert_allclose(rates((PLAYS,), column(*[3, 5, NAN] * 1000)), [[np.log(4.0)]], rtol=1e-3)
    assert np.isfinite(rates((PLAYS,), column(0, 0))).all()


def test_classes_start_at_their_log_frequencies() -> None:
    (start,) = rates((GENRE,), column(0, 2, 2, 2, NAN))
    assert_allclose(softmax(start), np.array([1.5, 0.5, 3.5, 0.5]) / 6.0, rtol=1e-6)


def test_levels_start_at_their_cumulative_log_odds() -> None:
    (start,) = rates((STARS,), column(0.1, 0.1, 0.5, 2.0, NAN, 2.0, 2.0))
    assert_allclose(expit(start), [(1.5 + 3.5) / 7.5, 3.5 / 7.5], rtol=1e-6)


def test_weight_counts_a_row_that_often() -> None:
    labels = [[1.0, 3.0], [0.0, 9.0], [0.0, NAN], [1.0, 100.0]]
    click, watch = rates((CLICK, WATCH), labels, weights=[6.0, 3.0, 3.0, 0.0])
    assert_allclose(click, logit([(2.0 + 0.5) / 5.0]), rtol=1e-6)  # of weights that are 1 on average
    assert_allclose(watch, [5.0], rtol=1e-6)


def test_task_without_weight_starts_at_zero() -> None:
    assert [float(start[0]) for start in rates((CLICK, WATCH), [[1.0, 9.0], [NAN, NAN]], weights=[0.0, 1.0])] == [0, 0]


FUNNEL = [[1, 1, 0], [1, 1, 1], [1, 0, NAN], [0, NAN, NAN], [0, NAN, NAN], [0, 0, 0], [NAN, 1, 1]]


def test_tasks_of_esmm_start_at_what_they_are_given_the_one_before() -> None:
    starts = rates((CLICK, CART, BUY), FUNNEL, architecture="esmm")
    assert_allclose(np.concatenate(starts), logit([3.5 / 7, 2.5 / 4, 2.5 / 4]), rtol=1e-6)


def test_tasks_of_aitm_start_at_what_they_are_over_all_rows() -> None:
    starts = rates((CLICK, CART, BUY), FUNNEL, architecture="aitm")
    assert_allclose(np.concatenate(starts), logit([3.5 / 7, 3.5 / 8, 2.5 / 8]), rtol=1e-6)


def test_tasks_elsewhere_start_at_their_observed_labels() -> None:
    starts = rates((CLICK, CART, BUY), FUNNEL)
    assert_allclose(np.concatenate(starts), logit([3.5 / 7, 3.5 / 6, 2.5 / 5]), rtol=1e-6, atol=1e-12)


def test_model_without_outputs_answers_the_base_rates() -> None:
    schema = make_schema_of(ITEM, tasks=EVERY_TASK)
    data = prepare(schema, labelled(make_rows(3000)), TrainConfig())
    model = MultiTaskRanker(data.schema, ModelConfig()).eval()
    model.network.baseline.start_at([torch.from_numpy(logits) for logits in data.base_logits])
    answers = model.answers_of(model.network.baseline(torch.zeros(1, 10)).detach())
    labels = data.train.read().labels.astype(np.float64)
    means = dict(zip([task.name for task in schema.tasks], np.nanmean(labels, axis=0), strict=True))
    for name in ("click", "like", "seconds", "stars", "plays"):
        assert_allclose(float(answers[name][0, 0]), means[name], rtol=0.01)
    assert_allclose(float(answers["ratio"][0, 0]), np.expm1(np.nanmean(np.log1p(labels[:, 2]))), rtol=1e-5)
    genre = labels[:, 5][~np.isnan(labels[:, 5])].astype(int)
    assert_allclose(answers["genre"][0].numpy(), np.bincount(genre) / len(genre), rtol=0.01)


def test_first_epoch_of_large_labels_starts_at_their_mean(tmp_path: Path) -> None:
    schema = make_schema_of(ITEM, tasks=EVERY_TASK[3:4])
    rows = labelled(make_rows(500))
    run = fit(schema, rows, out=tmp_path / "run", config=TrainConfig(batch_size=256), progress=False)
    deviation = np.std([row["watch_s"] for row in rows if row["watch_s"] is not None])
    assert run.metrics["seconds"]["rmse"] < 1.3 * deviation  # they are 3,200 on average


def test_chain_that_does_not_fit_is_refused_before_data_are_read(tmp_path: Path) -> None:
    schema, config = make_schema_of(ITEM, tasks=EVERY_TASK[2:4]), TrainConfig(model=ModelConfig(architecture="aitm"))
    with pytest.raises(ConfigError, match=r"^architecture = 'aitm' needs at least 2 binary tasks"):
        prepare(schema, tmp_path / "absent.parquet", config)


def shares(tasks: tuple[Task, ...], labels: Any, **options: Any) -> list[float]:
    schema = Schema(name="toy", features=(NumericFeature(name="x"),), tasks=tasks).resolved()
    found = BaseRates(schema, ModelConfig(**options))
    found.add(np.array(labels, np.float32))
    return list(found.label_shares())


def test_labels_are_counted_as_a_share_of_those_of_the_task_with_most() -> None:
    assert shares((CLICK, WATCH), [[1, NAN], [0, 3000.0], [NAN, NAN], [0, NAN], [1, NAN]]) == [1.0, 0.25]


def test_labels_of_a_chain_are_counted_over_all_rows() -> None:
    labels = [[0, NAN], [0, NAN], [1, 1], [1, NAN]]
    assert shares((CLICK, CART), labels) == [1.0, 0.25]
    assert shares((CLICK, CART), labels, architecture="esmm") == [1.0, 0.75]
