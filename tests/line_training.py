"""Trainings of one number and few weights, in memory: a line to learn."""

from collections.abc import Callable, Sequence
from typing import Any, cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from polyrank.encoder import Batch
from polyrank.features import NumericFeature
from polyrank.models import ModelConfig, MultiTaskRanker
from polyrank.schema import Schema
from polyrank.tasks import BinaryTask, RegressionTask, Task
from polyrank.train import TrainConfig
from polyrank.train.encoded import EncodedRows, MemoryStorage, Selection
from polyrank.train.preparing import TrainingData
from polyrank.train.shuffling import TrainingBatch
from polyrank.train.training import Training

LINEAR = ModelConfig(hidden_dims=(16,), tower_dims=(), normalization="none")


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


def training_of(
    model: MultiTaskRanker, labels: NDArray[np.float32], config: TrainConfig, *, shares: Sequence[float] | None = None
) -> Training:
    """Make a training whose rows also validate; `shares` are those of rows that have a label of each task."""
    batch = batch_of(X[: len(labels)])
    rows = EncodedRows(ids=batch.ids, dense=batch.dense, labels=labels)
    selection = Selection(MemoryStorage(rows), np.ones(len(rows), bool))
    schema = Schema(name="toy", features=(NumericFeature(name="x"),), tasks=model.tasks).resolved()
    label_shares = np.array(shares or [1.0] * len(model.tasks), np.float32)
    data = TrainingData(schema, selection, selection, 1.0, (), label_shares)
    return Training(model, data, config)


def training_batch(labels: NDArray[np.float32]) -> TrainingBatch:
    rows = batch_of(X[: len(labels)])
    return TrainingBatch(torch.from_numpy(rows.ids), torch.from_numpy(rows.dense), torch.from_numpy(labels), None, None)


def train(model: MultiTaskRanker, labels: NDArray[np.float32], config: TrainConfig) -> Training:
    training = training_of(model, labels, config)
    training.run(progress=False)
    return training


def note_training_inputs(model: MultiTaskRanker, note: Callable[[torch.Tensor], None]) -> None:
    def hook(network: nn.Module, inputs: Any, _: object) -> None:
        if network.training:
            note(inputs[0][0])

    model.network.register_forward_hook(hook)
