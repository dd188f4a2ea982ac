"""Whatever the schema and the shape: a model takes a step, and every parameter is trained."""

from typing import Any

import numpy as np
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from polyrank.encoder import Batch, Encoder
from polyrank.features import BagFeature, BucketizedFeature, CategoricalFeature, Feature, NumericFeature, VectorFeature
from polyrank.models import ModelConfig, MultiTaskRanker
from polyrank.models.trained import tensors
from polyrank.schema import Schema
from polyrank.tasks import BinaryTask, CountTask, MulticlassTask, OrdinalTask, RegressionTask, Task
from polyrank.train import TrainConfig
from polyrank.train.loop import Trainer
from polyrank.train.shuffling import TrainingBatch

ROWS = 64
FEATURES: tuple[Feature, ...] = (
    CategoricalFeature(name="user", dtype="int64", num_buckets=5, embedding_dim=4),
    CategoricalFeature(name="item", dtype="int64", num_buckets=5, embedding_dim=3),
    BagFeature(name="tags", dtype="text", num_buckets=5, embedding_dim=4, max_length=2),
    NumericFeature(name="age"),
    BucketizedFeature(name="price", boundaries=(0.0,), embedding_dim=2),
    VectorFeature(name="place", dim=2, projection=2),
)
OTHERS: tuple[Task, ...] = (
    BinaryTask(name="like", label="like"),
    RegressionTask(name="ratio", label="ratio", transform="log1p"),
    RegressionTask(name="seconds", label="seconds", loss="huber"),
    OrdinalTask(name="stars", label="stars", levels=(0.0, 1.0)),
    OrdinalTask(name="grade", label="grade", levels=(0.0, 1.0, 1.5, 2.0)),
    MulticlassTask(name="genre", label="genre", num_classes=2),
    MulticlassTask(name="topic", label="topic", num_classes=5),
    CountTask(name="plays", label="plays"),
)


@st.composite
def schemas(draw: st.DrawFn) -> Schema:
    features = draw(st.lists(st.sampled_from(FEATURES), min_size=1, unique=True))
    # Two binary tasks, so that there is a chain, among any others.
    follows = BinaryTask(name="buy", label="buy", when=draw(st.sampled_from([None, "click"])))
    tasks = [BinaryTask(name="click", label="click"), follows]
    tasks += draw(st.lists(st.sampled_from(OTHERS[1:]), max_size=4, unique=True))
    return Schema(name="toy", features=tuple(features), tasks=tuple(tasks)).resolved()


@st.composite
def configs(draw: st.DrawFn) -> ModelConfig:
    architecture = draw(st.sampled_from(["single_task", "shared_bottom", "mmoe", "ple", "esmm", "aitm", "stem"]))
    interactions = ["none", "dcn_v2", "deepfm", *(["fm"] if architecture == "shared_bottom" else [])]
    return ModelConfig(
        architecture=architecture,  # type: ignore[arg-type]
        interaction=draw(st.sampled_from(interactions)),
        hidden_dims=draw(st.sampled_from([(16,), (24, 16)])),
        tower_dims=draw(st.sampled_from([(), (16,)])),
        normalization=draw(st.sampled_from(["batch", "layer", "none"])),
        num_experts=draw(st.integers(2, 3)),  # the gate of a lone expert has nothing to weigh
        num_task_experts=draw(st.integers(1, 2)),
        num_extraction_layers=draw(st.integers(1, 3)),
    )


def rows_of(schema: Schema) -> Batch:
    rng, encoder = np.random.default_rng(0), Encoder(schema)
    ids = rng.integers(-1, 20, (ROWS, encoder.num_slots))
    return Batch(ids, rng.normal(size=(ROWS, encoder.num_dense)).astype(np.float32))


def labels_of(schema: Schema) -> NDArray[np.float32]:
    """Draw labels that every kind of task takes, some unobserved."""
    labels = np.random.default_rng(1).integers(0, 2, (ROWS, len(schema.tasks))).astype(np.float32)
    labels[np.random.default_rng(2).random(labels.shape) < 0.1] = np.nan
    return labels


def losses_of(schema: Schema, config: ModelConfig) -> tuple[MultiTaskRanker, Any]:
    """Give every parameter its gradient; return the model, and its losses."""
    torch.manual_seed(0)
    model = MultiTaskRanker(schema, config).train()
    losses = model.losses(model(*tensors(rows_of(schema))), torch.from_numpy(labels_of(schema)))
    losses.sum().backward()  # type: ignore[no-untyped-call]
    return model, losses.detach()


@settings(max_examples=40, deadline=None)
@given(schemas(), configs())
def test_every_parameter_is_trained(schema: Schema, config: ModelConfig) -> None:
    model, losses = losses_of(schema, config)
    assert torch.isfinite(losses).all()
    still = [name for name, parameter in model.named_parameters() if not _has_gradient(parameter)]
    assert still == []


@settings(max_examples=15, deadline=None)
@given(schemas(), configs())
def test_answers_after_a_step_are_finite(schema: Schema, config: ModelConfig) -> None:
    torch.manual_seed(0)
    rows, labels = rows_of(schema), torch.from_numpy(labels_of(schema))
    ids, dense, weights = tensors(rows)
    model = MultiTaskRanker(schema, config).train()
    Trainer(model, TrainConfig(batch_size=ROWS), num_steps=1).step(TrainingBatch(ids, dense, labels, weights, None))
    with torch.no_grad():
        answers = model.eval().answers(*tensors(rows_of(schema)))
    assert list(answers) == [task.name for task in schema.tasks]
    assert [value.shape for value in answers.values()] == [(ROWS, task.num_answers) for task in schema.tasks]
    assert all(torch.isfinite(value).all() for value in answers.values())


def _has_gradient(parameter: torch.nn.Parameter) -> bool:
    return parameter.grad is not None and bool(torch.isfinite(parameter.grad.to_dense()).all()) and _moves(parameter)


def _moves(parameter: torch.nn.Parameter) -> bool:
    return parameter.grad is not None and bool((parameter.grad.to_dense() != 0.0).any())
