"""The whole ranker: encoded rows to logits, answers and losses."""

from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest
import torch
from artefacts.runs import AGE, EVERY_TASK, ITEM, NEAR, TAGS, WORD, make_model, make_rows, make_schema, make_schema_of
from numpy.testing import assert_allclose
from reference.networks import array
from torch import nn
from toy import ToyRows

from polyrank.encoder import Encoder
from polyrank.errors import ConfigError
from polyrank.features import CategoricalFeature, Feature, NumericFeature
from polyrank.models import ModelConfig, MultiTaskRanker, TrainedRanker
from polyrank.models.config import ARCHITECTURES
from polyrank.models.neighbors import load_neighbors
from polyrank.models.trained import predict, tensors
from polyrank.schema import Schema, toml_text
from polyrank.tasks import BinaryTask
from polyrank.train import TrainConfig

NAN = float("nan")
CLICK = BinaryTask(name="click", label="is_click")
USER = CategoricalFeature(name="user", dtype="int64", num_buckets=7, embedding_dim=2)
NUMBER = NumericFeature(name="age")


@pytest.fixture(autouse=True)
def _same_weights_in_every_run() -> None:
    torch.manual_seed(0)


def schema_of(*features: Feature) -> Schema:
    return Schema(name="toy", features=features, tasks=(CLICK,)).resolved()


def every_task(*features: str) -> Schema:
    return make_schema_of(*(features or (ITEM, TAGS, AGE)), tasks=EVERY_TASK)


def test_logits_of_tasks_are_side_by_side() -> None:
    schema = every_task()
    model = MultiTaskRanker(schema, ModelConfig()).eval()
    assert model(*tensors(Encoder(schema).encode(make_rows(6)))).shape == (6, 1 + 1 + 1 + 1 + 3 + 4 + 1)


def test_answers_are_as_wide_as_the_task_says() -> None:
    schema = every_task()
    answers = MultiTaskRanker(schema, ModelConfig()).eval().answers(*tensors(Encoder(schema).encode(make_rows(6))))
    assert {name: tuple(value.shape) for name, value in answers.items()} == {
        task.name: (6, 4 if task.name == "genre" else 1) for task in schema.tasks
    }


def test_ranker_without_towers_ends_in_one_layer() -> None:
    model = MultiTaskRanker(schema_of(USER), ModelConfig(hidden_dims=(5,), tower_dims=()))
    assert [tuple(weight.shape) for weight in cast("nn.Module", model.network.towers).parameters()] == [(1, 5)]


def test_ranker_of_numbers_only_takes_no_ids() -> None:
    model = MultiTaskRanker(schema_of(NUMBER), ModelConfig()).eval()
    assert model(None, torch.tensor([[1.0], [NAN]])).shape == (2, 1)


def test_ranker_of_ids_only_takes_no_numbers() -> None:
    model = MultiTaskRanker(schema_of(USER), ModelConfig()).eval()
    assert model(torch.tensor([[1], [-1]]), None).shape == (2, 1)


def test_machine_alone_has_no_layers() -> None:
    model = MultiTaskRanker(schema_of(USER, NUMBER), ModelConfig(interaction="fm"))
    assert (model.network.layers, model.network.towers) == (None, None)
    assert model(torch.tensor([[1]]), torch.tensor([[2.0]])).shape == (1, 1)


def output_of(model: MultiTaskRanker, interaction: str, rows: tuple[Any, ...]) -> torch.Tensor:
    """Put the parts of a ranker together by hand, before the baseline."""
    network = cast("Any", model.network)
    inputs = [part(*rows) for part in model.inputs]
    crossed = [cross(part) for cross, part in zip(network.crosses, inputs, strict=True)] if network.crosses else inputs
    output = network.towers(network.layers(crossed))
    return output + network.machines[0](inputs[-1]) if interaction == "deepfm" else output  # type: ignore[no-any-return]


@pytest.mark.parametrize("architecture", ["shared_bottom", "mmoe", "ple", "stem"])
@pytest.mark.parametrize("interaction", ["none", "dcn_v2", "deepfm"])
def test_interaction_stands_before_the_layers_or_beside_them(architecture: Any, interaction: Any) -> None:
    schema = every_task()
    model = make_model(schema, config=ModelConfig(architecture=architecture, interaction=interaction))
    rows = tensors(Encoder(schema).encode(make_rows(9)))
    expected = model.network.baseline(output_of(model, interaction, rows))
    assert_allclose(array(model(*rows)), array(expected), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("interaction", ["none", "dcn_v2", "deepfm"])
def test_tasks_of_single_task_share_nothing(interaction: Any) -> None:
    schema = make_schema()
    model = make_model(schema, config=ModelConfig(architecture="single_task", interaction=interaction)).train()
    model(*tensors(Encoder(schema).encode(make_rows(9))))[:, 1].sum().backward()
    trained = [any(_is_moved(parameter) for parameter in part.parameters()) for part in model.inputs]
    assert trained == [False, True, False]
    assert [_is_moved(parameter) for cross in model.network.crosses for parameter in cross.parameters()] == (
        [False] * 6 + [True] * 6 + [False] * 6 if interaction == "dcn_v2" else []
    )


def _is_moved(parameter: nn.Parameter) -> bool:
    return parameter.grad is not None and bool((parameter.grad.to_dense() != 0.0).any())


@pytest.mark.parametrize(
    ("architecture", "num_inputs"),
    [("single_task", 3), ("stem", 4), ("mmoe", 1), ("ple", 1), ("esmm", 1), ("aitm", 1), ("shared_bottom", 1)],
)
def test_embeddings_are_as_many_as_the_architecture_reads(architecture: Any, num_inputs: int) -> None:
    assert len(MultiTaskRanker(make_schema(), ModelConfig(architecture=architecture)).inputs) == num_inputs


@pytest.mark.parametrize("architecture", ["single_task", "stem"])
def test_every_embedding_keeps_the_neighbours(architecture: Any, tmp_path: Path) -> None:
    schema = make_schema_of(ITEM, WORD, NEAR)
    config = ModelConfig(architecture=architecture)
    model = MultiTaskRanker(schema, config)
    load_neighbors(model, {"near": np.arange(51 * 3, dtype=np.int32).reshape(51, 3)})
    text = toml_text(TrainConfig(model=config))
    TrainedRanker.save(tmp_path, schema, text, model, Encoder(schema).encode(make_rows(5)))
    stored = TrainedRanker.load(tmp_path).model.state_dict()
    tables = [value for name, value in stored.items() if name.endswith("rows")]
    assert len(tables) == len(model.inputs)
    assert all(table.flatten().tolist() == list(range(51 * 3)) for table in tables)


def test_shared_parameters_are_those_of_layers_and_crosses() -> None:
    schema, config = make_schema(), ModelConfig(architecture="mmoe", interaction="dcn_v2", hidden_dims=(8,))
    network = MultiTaskRanker(schema, config).network
    names = {id(parameter): name for name, parameter in network.named_parameters()}
    found = {names[id(parameter)].split(".")[0] for parameter in network.shared_parameters()}
    assert found == {"layers", "crosses"}


def test_chain_that_does_not_fit_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"^architecture = 'esmm' needs at least 2 binary tasks"):
        MultiTaskRanker(schema_of(USER), ModelConfig(architecture="esmm"))


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_batch_without_labels_has_no_loss_and_no_gradient(architecture: Any) -> None:
    schema = every_task()
    model = MultiTaskRanker(schema, ModelConfig(architecture=architecture, calibrator=0.0)).train()
    logits = model(*tensors(Encoder(schema).encode(make_rows(8))))
    losses = model.losses(logits, torch.full((8, 7), NAN))
    losses.sum().backward()  # type: ignore[no-untyped-call]
    assert losses.tolist() == [0.0] * 7
    assert not any(_is_moved(parameter) for parameter in model.parameters())


def test_losses_are_one_for_each_task() -> None:
    schema = every_task()
    model = MultiTaskRanker(schema, ModelConfig()).eval()
    logits = model(*tensors(Encoder(schema).encode(make_rows(4))))
    labels = torch.tensor([[1.0, NAN, 0.5, 3000.0, 3.5, 2.0, 4.0]]).expand(4, -1)
    losses = model.losses(logits, labels)
    assert (losses > 0.0).tolist() == [True, False, True, True, True, True, True]
    assert_allclose(float(losses[5].detach()), -float(logits[:, 7:11].detach().log_softmax(1)[:, 2].mean()), rtol=1e-5)


def test_prediction_does_not_depend_on_batch_size(toy_schema: Schema, toy_rows: ToyRows) -> None:
    model = MultiTaskRanker(toy_schema, ModelConfig())
    batch = Encoder(toy_schema).encode(toy_rows(50))
    whole, parts = predict(model, batch), predict(model, batch, batch_size=7)
    for name in ("click", "like", "rating", "watch_s"):
        assert_allclose(parts[name], whole[name], rtol=1e-5, atol=1e-6)  # an answer near 0 is a sum of larger terms


def test_prediction_of_classes_is_a_matrix() -> None:
    schema = every_task()
    found = predict(make_model(schema), Encoder(schema).encode(make_rows(10)), batch_size=4)
    assert {name: values.shape for name, values in found.items()} == {
        task.name: (10, 4) if task.name == "genre" else (10,) for task in schema.tasks
    }
    assert_allclose(found["genre"].sum(axis=1), 1.0, rtol=1e-6)


def test_prediction_leaves_the_mode_alone(toy_schema: Schema, toy_rows: ToyRows) -> None:
    model = MultiTaskRanker(toy_schema, ModelConfig()).train()
    predict(model, Encoder(toy_schema).encode(toy_rows(3)))
    assert model.training
