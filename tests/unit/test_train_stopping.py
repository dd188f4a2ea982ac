"""What ends a training before its last epoch, and which weights it keeps, where a metric is undefined."""

from collections.abc import Sequence

import numpy as np
import pytest
from line_training import CLICK, RATING, ranker, train

from polyrank.features import NumericFeature
from polyrank.metrics import Evaluation
from polyrank.schema import Schema
from polyrank.train import EarlyStoppingConfig, TrainConfig, ValidationConfig
from polyrank.train.stopping import Stopping

BY_CLICKS = EarlyStoppingConfig(metric="click.auc")
ONE_CLASS = "its observed labels are of one class"
NAN = float("nan")


def judged(values: Sequence[float], patience: int) -> Stopping:
    """Judge validations of these AUCs."""
    model = ranker(CLICK)
    schema = Schema(name="toy", features=(NumericFeature(name="x"),), tasks=(CLICK,))
    rule = EarlyStoppingConfig(metric="click.auc", patience=patience)
    stopping = Stopping(TrainConfig(epochs=9, early_stopping=rule), schema)
    for value in values:
        undefined = {"auc": ONE_CLASS} if np.isnan(value) else {}
        stopping.judge(Evaluation({"click": {"auc": value}}, {"click": undefined}, {}, {}), model)
    return stopping


@pytest.mark.parametrize(
    ("rule", "epochs", "expected"), [(BY_CLICKS, 4, 4), (None, "auto", 5), (EarlyStoppingConfig(), 3, 3)]
)
def test_undefined_metric_is_told_and_ends_nothing(
    rule: EarlyStoppingConfig | None, epochs: int, expected: int, caplog: pytest.LogCaptureFixture
) -> None:
    config = TrainConfig(epochs=epochs, batch_size=16, early_stopping=rule)
    training = train(ranker(CLICK), np.ones((64, 1), np.float32), config)
    assert len(training.history) == expected
    assert training.kept is training.history[-1]
    (told,) = (message for message in caplog.messages if "undefined" in message)
    assert told == (
        f"of the validation rows click.auc is undefined ({ONE_CLASS}), so that training does not end early, and keeps "
        f"its last weights; look at these rows, or set another $.early_stopping.metric"
    )


def test_undefined_metric_of_one_task_leaves_the_others_to_decide(caplog: pytest.LogCaptureFixture) -> None:
    labels = np.ones((64, 2), np.float32)
    train(ranker(CLICK, RATING), labels, TrainConfig(batch_size=16, validation=ValidationConfig(every_steps=1)))
    assert not [message for message in caplog.messages if "undefined" in message]


def test_undefined_metric_after_a_defined_one_counts_as_no_better(caplog: pytest.LogCaptureFixture) -> None:
    stopping = judged([0.6, NAN, NAN], patience=2)
    assert stopping.is_due
    assert (stopping.best_cost, stopping.num_worse) == (-0.6, 2)
    assert len(caplog.messages) == 1
    assert f"click.auc is undefined ({ONE_CLASS}), so that this validation counts as no better; " in caplog.messages[0]


def test_first_metric_that_is_defined_is_the_best() -> None:
    stopping = judged([NAN, NAN, NAN, 0.4, 0.3], patience=2)
    assert not stopping.is_due
    assert (stopping.best_cost, stopping.num_worse) == (-0.4, 1)
