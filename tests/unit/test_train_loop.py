from collections.abc import Callable
from typing import Any, cast

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose
from numpy.typing import NDArray

from polyrank.encoder import Batch
from polyrank.errors import DataError
from polyrank.features import NumericFeature
from polyrank.models import ModelConfig, MultiTaskRanker
from polyrank.models.trained import predict
from polyrank.schema import Schema
from polyrank.tasks import BinaryTask, RegressionTask, Task
from polyrank.train import OptimizerConfig, TrainConfig
from polyrank.train.encoded import EncodedRows, MemoryStorage, Selection
from polyrank.train.loop import train_epochs
from polyrank.train.shuffling import Shuffler

LINEAR = ModelConfig(hidden_dims=(16,), tower_dims=(), normalization="none")


def ignore(epoch: int, losses: dict[str, float]) -> None:
    pass


def ranker(*tasks: Task, model: ModelConfig = LINEAR) -> MultiTaskRanker:
    torch.manual_seed(0)
    return MultiTaskRanker(Schema(name="toy", features=(NumericFeature(name="x"),), tasks=tasks).resolved(), model)


def batch_of(values: NDArray[np.float64]) -> Batch:
    return Batch(np.empty((len(values), 0), np.int64), values.astype(np.float32)[:, None])


def last_layer(model: MultiTaskRanker) -> Any:
    return cast("Any", model.network.towers).output


CLICK = BinaryTask(name="click", label="is_click")
RATING = RegressionTask(name="rating", label="stars")
X = np.random.default_rng(0).normal(size=64)


def shuffled(labels: NDArray[np.float32], config: TrainConfig) -> Shuffler:
    batch = batch_of(X[: len(labels)])
    rows = EncodedRows(ids=batch.ids, dense=batch.dense, labels=labels)
    selection = Selection(MemoryStorage(rows), np.ones(len(rows), bool))
    return Shuffler(selection, batch_size=config.batch_size, seed=config.seed, memory_bytes=2**20)


def train(
    model: MultiTaskRanker, labels: NDArray[np.float32], config: TrainConfig, report: Callable[..., None] = ignore
) -> None:
    train_epochs(model, shuffled(labels, config), config, progress=False, after_epoch=report)


def test_training_learns_a_line() -> None:
    model = ranker(RATING)
    config = TrainConfig(epochs=100, batch_size=16, optimizer=OptimizerConfig(lr=0.02))
    train(model, (2 * X + 1).astype(np.float32)[:, None], config)
    assert_allclose(predict(model, batch_of(X))["rating"], 2 * X + 1, atol=0.1)


def test_first_reported_loss_is_that_of_the_initial_model() -> None:
    model, labels = ranker(CLICK), (X > 0).astype(np.float32)[:, None]
    probability = predict(model, batch_of(X))["click"].astype(np.float64)
    reported: list[dict[str, float]] = []
    train(model, labels, TrainConfig(batch_size=64), lambda _, losses: reported.append(losses))
    expected = -np.mean(np.log(np.where(X > 0, probability, 1 - probability)))
    assert reported == [{"click": pytest.approx(expected, rel=1e-5)}]


def test_epochs_are_reported_from_one() -> None:
    epochs: list[int] = []
    train(ranker(RATING), np.ones((8, 1), np.float32), TrainConfig(epochs=3), lambda epoch, _: epochs.append(epoch))
    assert epochs == [1, 2, 3]


def test_unobserved_labels_do_not_count() -> None:
    labels = np.ones((8, 1), np.float32)
    labels[3:] = np.nan
    observed, masked = ranker(RATING), ranker(RATING)
    config = TrainConfig(batch_size=8)
    train(masked, labels, config)
    train(observed, labels[:3], config)
    assert_allclose(last_layer(masked).weight.detach(), last_layer(observed).weight.detach(), rtol=1e-5)


def test_task_weight_scales_its_gradient() -> None:
    heavy, labels = RegressionTask(name="rating", label="stars", weight=3.0), np.ones((8, 1), np.float32)
    gradients = []
    for task in (RATING, heavy):
        model = ranker(task)
        train(model, labels, TrainConfig(batch_size=8))
        gradients.append(last_layer(model).weight.grad.numpy())
    assert_allclose(gradients[1], 3.0 * gradients[0], rtol=1e-5)


@pytest.mark.parametrize(("count", "expected"), [(8, 2), (9, 2), (10, 3), (3, 1)])
def test_last_batch_of_one_row_is_left_out(count: int, expected: int) -> None:
    model = ranker(RATING, model=ModelConfig(hidden_dims=(4,)))
    sizes: list[int] = []
    model.network.register_forward_hook(lambda _, inputs, __: sizes.append(len(inputs[0][0])))
    train(model, np.ones((count, 1), np.float32), TrainConfig(batch_size=4))
    assert len(sizes) == expected
    assert min(sizes) > 1


def test_every_row_is_seen_once_in_an_epoch() -> None:
    model = ranker(RATING)
    seen: list[float] = []
    model.network.register_forward_hook(lambda _, inputs, __: seen.extend(inputs[0][0][:, 0].tolist()))
    train(model, np.ones((64, 1), np.float32), TrainConfig(batch_size=10))
    assert sorted(seen) == sorted(X.astype(np.float32).tolist())
    assert seen != X.astype(np.float32).tolist()


def test_order_of_rows_differs_by_epoch() -> None:
    model = ranker(RATING)
    seen: list[float] = []
    model.network.register_forward_hook(lambda _, inputs, __: seen.extend(inputs[0][0][:, 0].tolist()))
    train(model, np.ones((64, 1), np.float32), TrainConfig(epochs=2, batch_size=10))
    assert seen[:64] != seen[64:]


def test_loss_that_is_not_finite_stops_training() -> None:
    config = TrainConfig(epochs=3, batch_size=8, optimizer=OptimizerConfig(lr=1e30))
    message = r"^training diverged: the loss of task 'rating' is (nan|inf) in epoch \d; lower \$\.optimizer\.lr and "
    with pytest.raises(DataError, match=message):
        train(ranker(RATING), np.ones((64, 1), np.float32), config)


def test_progress_bar_counts_steps(capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stderr.isatty", lambda: True, raising=False)
    config = TrainConfig(batch_size=16)
    rows = shuffled(np.ones((64, 1), np.float32), config)
    train_epochs(ranker(RATING), rows, config, progress=True, after_epoch=ignore)
    assert "4/4" in capfd.readouterr().err
