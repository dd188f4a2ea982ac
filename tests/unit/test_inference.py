"""A ranker that is made for inference answers as the one that trained."""

from typing import Any

import pytest
import torch
from numpy.testing import assert_allclose
from torch import Tensor, nn
from toy import ToyRows

from polyrank.encoder import Encoder
from polyrank.models import ModelConfig, MultiTaskRanker
from polyrank.models.inference import FlatTowers, for_inference
from polyrank.schema import Schema

ARCHITECTURES = ["single_task", "shared_bottom", "mmoe", "ple", "stem"]


def tensors(schema: Schema, rows: ToyRows) -> tuple[Tensor | None, ...]:
    batch = Encoder(schema).encode(rows(200))
    return tuple(None if each is None else torch.from_numpy(each) for each in (batch.ids, batch.dense, batch.weights))


def trained(schema: Schema, inputs: tuple[Tensor | None, ...], **options: Any) -> MultiTaskRanker:
    """Give a ranker whose batch norms have seen rows, and whose every weight says something."""
    torch.manual_seed(0)
    model = MultiTaskRanker(schema, ModelConfig(**options))
    with torch.no_grad():
        for weight in model.network.parameters():
            weight.add_(0.1 * torch.randn(weight.shape))
        model.train()(*inputs)
    return model.eval()


@pytest.mark.parametrize("architecture", ARCHITECTURES)
@pytest.mark.parametrize("interaction", ["none", "dcn_v2", "deepfm"])
@pytest.mark.parametrize("normalization", ["batch", "layer", "none"])
def test_answers_are_those_of_the_trained(
    toy_schema: Schema, toy_rows: ToyRows, architecture: str, interaction: str, normalization: str
) -> None:
    schema = toy_schema.resolved()
    inputs = tensors(schema, toy_rows)
    options = {"architecture": architecture, "interaction": interaction, "normalization": normalization}
    model = trained(schema, inputs, **options, tower_dims=(16, 8))
    with torch.no_grad():
        assert_allclose(for_inference(model)(*inputs), model(*inputs), rtol=2e-5, atol=2e-5)


@pytest.mark.parametrize("options", [{"tower_dims": ()}, {"interaction": "fm"}], ids=["no towers", "no layers"])
def test_rankers_without_hidden_towers_answer_alike(
    toy_schema: Schema, toy_rows: ToyRows, options: dict[str, Any]
) -> None:
    schema = toy_schema.resolved()
    inputs = tensors(schema, toy_rows)
    model = trained(schema, inputs, **options)
    with torch.no_grad():
        assert_allclose(for_inference(model)(*inputs), model(*inputs), rtol=2e-5, atol=2e-5)


def test_tables_are_shared_and_batch_norms_gone(toy_schema: Schema, toy_rows: ToyRows) -> None:
    schema = toy_schema.resolved()
    model = trained(schema, tensors(schema, toy_rows), architecture="ple")
    before = {name: value.clone() for name, value in model.state_dict().items()}
    made = for_inference(model)
    assert not [each for each in made.network.modules() if isinstance(each, nn.BatchNorm1d)]
    tables = zip(made.inputs.parameters(), model.inputs.parameters(), strict=True)
    assert all(one.data_ptr() == other.data_ptr() for one, other in tables)
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())


def test_towers_over_one_representation_are_one_layer(toy_schema: Schema, toy_rows: ToyRows) -> None:
    schema = toy_schema.resolved()
    model = trained(schema, tensors(schema, toy_rows), architecture="shared_bottom")
    assert isinstance(for_inference(model).network.towers, FlatTowers)


@pytest.mark.parametrize("architecture", ["single_task", "mmoe", "ple", "stem", "aitm"])
@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_representation_that_overflows_is_its_tasks_alone(
    toy_schema: Schema, toy_rows: ToyRows, architecture: str, value: float
) -> None:
    schema = toy_schema.resolved()
    made = for_inference(trained(schema, tensors(schema, toy_rows), architecture=architecture))
    layers, towers = made.network.layers, made.network.towers
    assert layers is not None
    assert towers is not None
    rows = torch.randn(5, len(schema.tasks), layers.output_dim)
    rows[:, 1] = value
    assert towers(rows).isfinite().all(0).tolist() == [each != 1 for each in range(len(schema.tasks))]
