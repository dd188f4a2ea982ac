from typing import Any

import numpy as np
import pytest
from line_training import (
    CLICK,
    RATING,
    X,
    batch_of,
    last_layer,
    note_training_inputs,
    ranker,
    train,
    training_batch,
    training_of,
)
from numpy.testing import assert_allclose
from torch import nn

from polyrank.errors import ConfigError, DataError
from polyrank.models import ModelConfig
from polyrank.models.trained import predict
from polyrank.tasks import RegressionTask
from polyrank.train import EarlyStoppingConfig, OptimizerConfig, TrainConfig, ValidationConfig
from polyrank.train.compilation import should_compile
from polyrank.train.loop import Trainer
from polyrank.train.run import calibrate_and_validate


def test_training_learns_a_line() -> None:
    model = ranker(RATING)
    config = TrainConfig(epochs=100, batch_size=16, optimizer=OptimizerConfig(lr=0.02))
    train(model, (2 * X + 1).astype(np.float32)[:, None], config)
    assert_allclose(predict(model, batch_of(X))["rating"], 2 * X + 1, atol=0.1)


def test_first_reported_loss_is_that_of_the_initial_model() -> None:
    model, labels = ranker(CLICK), (X > 0).astype(np.float32)[:, None]
    probability = predict(model, batch_of(X))["click"].astype(np.float64)
    (entry,) = train(model, labels, TrainConfig(epochs=1, batch_size=64)).history
    expected = -np.mean(np.log(np.where(X > 0, probability, 1 - probability)))
    assert entry["train_loss"] == {"click": pytest.approx(expected, rel=1e-5)}


def test_epochs_are_reported_from_one() -> None:
    history = train(ranker(RATING), np.ones((8, 1), np.float32), TrainConfig(epochs=3)).history
    assert [entry["epoch"] for entry in history] == [1, 2, 3]


def test_validation_between_epochs_is_reported_with_its_steps() -> None:
    config = TrainConfig(epochs=2, batch_size=8, validation=ValidationConfig(every_steps=3))
    history = train(ranker(RATING), np.ones((64, 1), np.float32), config).history
    assert [(entry["epoch"], entry["steps"]) for entry in history] == [
        (1, 3),
        (1, 6),
        (1, 8),
        (2, 9),
        (2, 12),
        (2, 15),
        (2, 16),
    ]


def test_unobserved_labels_do_not_count() -> None:
    labels = np.ones((8, 1), np.float32)
    labels[3:] = np.nan
    observed, masked = ranker(RATING), ranker(RATING)
    config = TrainConfig(batch_size=8)
    train(masked, labels, config)
    train(observed, labels[:3], config)
    assert_allclose(last_layer(masked).weight.detach(), last_layer(observed).weight.detach(), rtol=1e-5)


def test_share_of_labels_scales_a_gradient_as_its_weight_does(monkeypatch: pytest.MonkeyPatch) -> None:
    heavy, batch = RegressionTask(name="rating", label="stars", weight=3.0), training_batch(np.ones((8, 1), np.float32))
    gradients: list[Any] = []
    for task, shares in ((RATING, None), (heavy, [0.25])):
        model = ranker(task)
        monkeypatch.setattr(
            "polyrank.train.loop.Trainer._update",
            lambda _, model=model: gradients.append(last_layer(model).weight.grad.numpy().copy()),
        )
        Trainer(model, TrainConfig(batch_size=8), num_steps=1, label_shares=shares).step(batch)
    assert_allclose(gradients[1], 0.75 * gradients[0], rtol=1e-5)


def test_task_weight_scales_its_gradient(monkeypatch: pytest.MonkeyPatch) -> None:
    heavy, labels = RegressionTask(name="rating", label="stars", weight=3.0), np.ones((8, 1), np.float32)
    gradients: list[Any] = []
    for task in (RATING, heavy):
        model = ranker(task)
        monkeypatch.setattr(
            "polyrank.train.loop.Trainer._update",
            lambda _, model=model: gradients.append(last_layer(model).weight.grad.numpy().copy()),
        )
        train(model, labels, TrainConfig(epochs=1, batch_size=8))
    assert_allclose(gradients[1], 3.0 * gradients[0], rtol=1e-5)


@pytest.mark.parametrize(("count", "expected"), [(8, 2), (9, 2), (10, 3), (3, 1)])
def test_last_batch_of_one_row_is_left_out(count: int, expected: int) -> None:
    model = ranker(RATING, model=ModelConfig(hidden_dims=(4,)))
    sizes: list[int] = []
    note_training_inputs(model, lambda inputs: sizes.append(len(inputs)))
    train(model, np.ones((count, 1), np.float32), TrainConfig(epochs=1, batch_size=4))
    assert len(sizes) == expected
    assert min(sizes) > 1


def test_every_row_is_seen_once_in_an_epoch() -> None:
    model = ranker(RATING)
    seen: list[float] = []
    note_training_inputs(model, lambda inputs: seen.extend(inputs[:, 0].tolist()))
    train(model, np.ones((64, 1), np.float32), TrainConfig(epochs=1, batch_size=10))
    assert sorted(seen) == sorted(X.astype(np.float32).tolist())
    assert seen != X.astype(np.float32).tolist()


def test_order_of_rows_differs_by_epoch() -> None:
    model = ranker(RATING)
    seen: list[float] = []
    note_training_inputs(model, lambda inputs: seen.extend(inputs[:, 0].tolist()))
    train(model, np.ones((64, 1), np.float32), TrainConfig(epochs=2, batch_size=10))
    assert seen[:64] != seen[64:]


def test_loss_that_is_not_finite_stops_training() -> None:
    config = TrainConfig(epochs=3, batch_size=8, optimizer=OptimizerConfig(lr=1e30))
    message = r"^training diverged: the loss of task 'rating' is not finite at step [23] in epoch 1; lower \$\.opt"
    with pytest.raises(DataError, match=message):
        train(ranker(RATING), np.ones((64, 1), np.float32), config)


def test_answers_of_the_kept_model_that_are_not_finite_name_its_epoch() -> None:
    config = TrainConfig(epochs=2, batch_size=16)
    training = training_of(ranker(RATING), np.ones((64, 1), np.float32), config)
    training.run(progress=False)
    for weight in training.model.parameters():
        weight.detach().fill_(np.nan)
    with pytest.raises(DataError, match=r"are not finite in epoch 2; "):
        calibrate_and_validate(training, training._data, config)  # noqa: SLF001 (the rows it was made of)


def test_progress_bar_counts_rows(capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stderr.isatty", lambda: True, raising=False)
    training_of(ranker(RATING), np.ones((64, 1), np.float32), TrainConfig(epochs=1, batch_size=16)).run(progress=True)
    assert "64.0/64.0" in capfd.readouterr().err


def test_gradients_are_scaled_down_to_the_norm(monkeypatch: pytest.MonkeyPatch) -> None:
    model, norms = ranker(RATING), []
    config = TrainConfig(batch_size=64, optimizer=OptimizerConfig(clip_norm=0.01))
    monkeypatch.setattr(
        "polyrank.train.optimizers.FusedAdamW.step",
        lambda optimizer: norms.append(nn.utils.get_total_norm([weight.grad for weight in optimizer.weights])),
    )
    train(model, 100 * np.ones((64, 1), np.float32), config)
    assert_allclose(float(norms[0]), 0.01, rtol=1e-4)


def test_bfloat16_learns_the_same_line() -> None:
    model = ranker(RATING)
    config = TrainConfig(epochs=100, batch_size=16, precision="bfloat16", optimizer=OptimizerConfig(lr=0.02))
    train(model, (2 * X + 1).astype(np.float32)[:, None], config)
    assert_allclose(predict(model, batch_of(X))["rating"], 2 * X + 1, atol=0.2)


def test_early_stopping_keeps_the_best_weights() -> None:
    config = TrainConfig(
        epochs=50, batch_size=16, optimizer=OptimizerConfig(lr=0.5), early_stopping=EarlyStoppingConfig(metric="r.rmse")
    )
    model = ranker(RegressionTask(name="r", label="stars"))
    training = train(model, (2 * X + 1).astype(np.float32)[:, None], config)
    errors = [entry["validation"]["r"]["rmse"] for entry in training.history]
    assert len(errors) == np.argmin(errors) + 2
    found = np.sqrt(np.mean((predict(model, batch_of(X))["r"] - (2 * X + 1)) ** 2))
    assert_allclose(found, min(errors), rtol=1e-5)


def test_epochs_end_by_themselves_when_all_tasks_together_are_no_better() -> None:
    config = TrainConfig(batch_size=16, optimizer=OptimizerConfig(lr=0.5))
    model = ranker(RATING, RegressionTask(name="watch", label="s"))
    labels = np.stack([2 * X + 1, 1000 * X * X], axis=1).astype(np.float32)
    training = train(model, labels, config)
    joint = [
        sum(np.log(entry["validation"][task]["rmse"]) for task in ("rating", "watch")) for entry in training.history
    ]
    best = int(np.argmin(joint))
    assert len(joint) == min(best + 2, 5)
    assert training.kept == training.history[best]
    found = np.sqrt(np.mean((predict(model, batch_of(X))["watch"] - labels[:, 1]) ** 2))
    assert_allclose(found, training.kept["validation"]["watch"]["rmse"], rtol=1e-5)


@pytest.mark.parametrize(("every", "expected"), [(None, 2), (1, 5)])
def test_a_whole_epoch_may_be_no_better_before_epochs_end(
    every: int | None, expected: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("polyrank.train.stopping.joint_cost", lambda *_: 1.0)
    config = TrainConfig(batch_size=16, validation=ValidationConfig(every_steps=every))
    assert len(train(ranker(RATING), np.ones((64, 1), np.float32), config).history) == expected


def test_bar_ends_full_after_epochs_that_ended_by_themselves(
    capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stderr.isatty", lambda: True, raising=False)
    costs = iter([3.0, 2.0, 1.0, 4.0])
    monkeypatch.setattr("polyrank.train.stopping.joint_cost", lambda *_: next(costs))
    training_of(ranker(RATING), np.ones((64, 1), np.float32), TrainConfig(batch_size=16)).run(progress=True)
    assert "256/256" in capfd.readouterr().err


def test_early_stopping_refuses_an_unknown_metric() -> None:
    config = TrainConfig(early_stopping=EarlyStoppingConfig(metric="rating.auc"))
    with pytest.raises(ConfigError, match=r"^\$\.early_stopping\.metric: metric 'rating.auc' is none of this schema"):
        train(ranker(RATING), np.ones((64, 1), np.float32), config)


def test_average_weights_are_kept() -> None:
    plain, averaged, labels = ranker(RATING), ranker(RATING), np.ones((64, 1), np.float32)
    train(plain, labels, TrainConfig(epochs=1, batch_size=8))
    train(averaged, labels, TrainConfig(epochs=1, batch_size=8, ema_decay=0.999))
    start = last_layer(ranker(RATING)).weight
    moved = [float((last_layer(model).weight - start).detach().abs().sum()) for model in (averaged, plain)]
    assert 0.2 * moved[1] < moved[0] < 0.9 * moved[1]  # the mean of eight steps, nearly


@pytest.mark.parametrize("wanted", [True, False])
def test_compilation_is_as_wanted(wanted: bool) -> None:  # noqa: FBT001
    assert should_compile(ranker(RATING), 10**15, wanted=wanted) is wanted


def test_short_training_is_not_compiled() -> None:
    assert not should_compile(ranker(RATING), 1_000_000, wanted="auto")
    assert should_compile(ranker(RATING), 10**13, wanted="auto")
