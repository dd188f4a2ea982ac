"""What steps take from the configuration and the data, such as rates and precision, and the losses that they report."""

from typing import Any, cast

import numpy as np
import pytest
import torch
from line_training import (
    CLICK,
    LINEAR,
    RATING,
    X,
    batch_of,
    note_training_inputs,
    ranker,
    train,
    training_batch,
    training_of,
)
from numpy.testing import assert_allclose
from numpy.typing import NDArray
from torch import Tensor, nn

from polyrank.features import CategoricalFeature
from polyrank.models import ModelConfig, MultiTaskRanker
from polyrank.models.trained import predict
from polyrank.schema import Schema
from polyrank.train import OptimizerConfig, TrainConfig
from polyrank.train.compilation import STEPS_BEFORE
from polyrank.train.loop import Trainer
from polyrank.train.shuffling import TrainingBatch

STILL = OptimizerConfig(lr=1e-12)
NAN = float("nan")


def scarce(num_labels: int) -> NDArray[np.float32]:
    """Return labels of the 64 rows, of which so many are observed, with values of their own."""
    labels = np.full((64, 1), NAN, np.float32)
    labels[:num_labels, 0] = 1.0 + np.arange(num_labels)
    return labels


def test_reported_loss_is_the_mean_over_labels_where_batches_have_none() -> None:
    model, labels = ranker(RATING), scarce(3)
    expected = np.mean((predict(model, batch_of(X[:3]))["rating"] - labels[:3, 0]) ** 2)
    (entry,) = train(model, labels, TrainConfig(epochs=1, batch_size=8, optimizer=STILL)).history
    assert entry["train_loss"]["rating"] == pytest.approx(float(expected), rel=1e-5)


def test_balancing_gets_the_mean_over_labels(monkeypatch: pytest.MonkeyPatch) -> None:
    model = ranker(RATING, CLICK)
    seen: list[list[float]] = []
    training = training_of(model, np.hstack([scarce(3), scarce(0)]), TrainConfig(epochs=1, batch_size=8))
    monkeypatch.setattr(training.trainer.balancer, "end_epoch", lambda means: seen.append(means.tolist()))
    training.run(progress=False)
    (entry,) = training.history
    assert seen == [[entry["train_loss"]["rating"], 0.0]]
    assert np.isnan(entry["train_loss"]["click"])


def test_rates_of_layers_and_tables_follow_the_schedule(monkeypatch: pytest.MonkeyPatch) -> None:
    layers: list[float] = []
    tables: list[float] = []
    monkeypatch.setattr("torch._fused_adamw_", lambda *_, lr, **__: layers.append(lr))
    monkeypatch.setattr("polyrank.train.optimizers.update_rowwise_adagrad", lambda *_, lr, **__: tables.append(lr))
    user = CategoricalFeature(name="user", dtype="int64", num_buckets=9, embedding_dim=2)
    schema = Schema(name="toy", features=(user,), tasks=(RATING,)).resolved()
    optimizer = OptimizerConfig(lr=0.3, embedding_lr=0.7, warmup_steps=2, schedule="cosine")
    trainer = Trainer(MultiTaskRanker(schema, LINEAR), TrainConfig(epochs=1, optimizer=optimizer), num_steps=6)
    batch = TrainingBatch(torch.zeros(4, 1, dtype=torch.int64), torch.empty(4, 0), torch.ones(4, 1), None, None)
    for _ in range(6):
        trainer.step(batch)
    rates = np.array([0.5, 1.0, 1.0, 0.853_553_39, 0.5, 0.146_446_61])
    assert_allclose(layers, 0.3 * rates, rtol=1e-7)
    assert_allclose(tables, 0.7 * rates, rtol=1e-7)


@pytest.mark.parametrize(("precision", "dtype"), [("float32", torch.float32), ("bfloat16", torch.bfloat16)])
def test_layers_train_in_the_precision_that_is_asked_for(precision: Any, dtype: torch.dtype) -> None:
    model = ranker(RATING)
    seen: set[torch.dtype] = set()

    def note(layers: nn.Module, _: object, outputs: Tensor) -> None:
        if layers.training:
            seen.add(outputs.dtype)

    cast("Any", model.network.layers).register_forward_hook(note)
    train(model, np.ones((64, 1), np.float32), TrainConfig(epochs=1, batch_size=16, precision=precision))
    assert seen == {dtype}


def test_full_batches_are_compiled_after_the_first_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    graphs: list[torch.fx.GraphModule] = []
    compile_with = torch.compile

    def backend(graph: torch.fx.GraphModule, _: object) -> Any:
        graphs.append(graph)
        return graph.forward

    monkeypatch.setattr(
        torch, "compile", lambda function, **options: compile_with(function, backend=backend, **options)
    )
    torch.compiler.reset()
    trainer = Trainer(ranker(RATING), TrainConfig(batch_size=8), num_steps=30, compiles=True)
    batch = training_batch(np.ones((8, 1), np.float32))
    for _ in range(STEPS_BEFORE):
        trainer.step(batch)
    trainer.step(batch.pick(torch.arange(4)))
    assert graphs == []
    trainer.step(batch)
    assert len(graphs) > 0


def test_training_weighs_tasks_by_their_share_of_labels() -> None:
    training = training_of(ranker(RATING, CLICK), np.ones((8, 2), np.float32), TrainConfig(), shares=[1.0, 0.25])
    assert cast("Any", training.trainer.balancer).task_weights.tolist() == [1.0, 0.25]


def test_running_statistics_are_averaged_as_weights_are() -> None:
    model = ranker(RATING, model=ModelConfig(hidden_dims=(4,), tower_dims=()))
    (norm,) = (module for module in model.modules() if isinstance(module, nn.BatchNorm1d))
    assert norm.running_mean is not None
    assert norm.running_var is not None
    means: list[NDArray[np.float32]] = []
    variances: list[NDArray[np.float32]] = []
    note_training_inputs(model, lambda _: means.append(cast("Any", norm).running_mean.numpy().copy()))
    note_training_inputs(model, lambda _: variances.append(cast("Any", norm).running_var.numpy().copy()))
    train(model, np.ones((64, 1), np.float32), TrainConfig(epochs=1, batch_size=8, ema_decay=0.9))
    weights = 0.9 ** np.arange(8)[::-1]
    assert_allclose(norm.running_mean.numpy(), weights @ np.stack(means) / weights.sum(), rtol=1e-5)
    assert_allclose(norm.running_var.numpy(), weights @ np.stack(variances) / weights.sum(), rtol=1e-5)
