"""Layers whose batch norm and ReLU train as one step: beside PyTorch's own two."""

import copy
from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn
from torch.testing import assert_close

from polyrank.models import layers as layers_module
from polyrank.models.architectures import mmoe, ple
from polyrank.models.config import ModelConfig
from polyrank.models.fused import normalized
from polyrank.models.layers import GroupedMLP, LayerOptions, Stack, mlp

OPTIONS = LayerOptions("batch", 0.0)
NETWORKS: dict[str, Callable[[], tuple[Stack, Tensor]]] = {
    "one": lambda: (mlp(20, (17, 8), OPTIONS), torch.randn(50, 20)),
    "side by side, same rows": lambda: (
        GroupedMLP(4, 20, (17, 8), shares_input=True, options=OPTIONS).layers,
        torch.randn(50, 20),
    ),
    "side by side, own rows": lambda: (
        GroupedMLP(3, 20, (17, 8), shares_input=False, options=OPTIONS).layers,
        torch.randn(50, 3, 20),
    ),
}


@pytest.fixture
def num_fused(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Count how often both are one step."""
    counted: list[int] = []

    def counting(norm: nn.BatchNorm1d, inputs: Tensor) -> Tensor:
        counted.append(1)
        return normalized(norm, inputs)

    monkeypatch.setattr(layers_module, "normalized", counting)
    return counted


def apart(layers: Stack, inputs: Tensor) -> Tensor:
    """Run one layer after another."""
    for layer in layers:
        inputs = layer(inputs)
    return inputs


@pytest.mark.parametrize("name", NETWORKS)
def test_trains_as_its_layers_do(name: str, num_fused: list[int]) -> None:
    torch.manual_seed(0)
    layers, inputs = NETWORKS[name]()
    others = copy.deepcopy(layers)
    for _ in range(2):
        one, two = inputs.clone().requires_grad_(), inputs.clone().requires_grad_()
        outputs, expected = layers(one), apart(others, two)
        assert_close(outputs, expected, rtol=1e-4, atol=1e-5)
        gradients = torch.randn_like(expected)
        outputs.backward(gradients)
        torch.autograd.backward([expected], [gradients])
        assert one.grad is not None
        assert_close(one.grad, two.grad, rtol=1e-4, atol=1e-4)
        for own, other in zip(layers.parameters(), others.parameters(), strict=True):
            assert_close(own.grad, other.grad, rtol=1e-4, atol=1e-4)
    for noted, other_noted in zip(layers.buffers(), others.buffers(), strict=True):
        assert_close(noted, other_noted)
    assert len(num_fused) == 4
    layers.eval()
    others.eval()
    assert_close(layers(inputs), apart(others, inputs))
    assert len(num_fused) == 4


@pytest.mark.parametrize("gradients", [torch.ones(()).expand(50, 8), torch.randn(8, 50).t()])
def test_takes_gradients_of_any_layout(gradients: Tensor) -> None:
    torch.manual_seed(0)
    layers, inputs = NETWORKS["one"]()
    layers(inputs).backward(gradients)
    first = next(layers.parameters()).grad
    layers.zero_grad()
    layers(inputs).backward(gradients.contiguous())
    assert_close(next(layers.parameters()).grad, first, rtol=0, atol=0)


class OtherNorm(nn.BatchNorm1d):
    """One that may do something else."""


def test_other_precisions_and_norms_are_left_to_pytorch(num_fused: list[int]) -> None:
    layers, inputs = NETWORKS["one"]()
    with torch.autocast("cpu", torch.bfloat16):
        assert layers(inputs).dtype == torch.bfloat16
    layers.double()(inputs.double())
    mlp(20, (17, 8), LayerOptions("layer", 0.0))(inputs)
    Stack(nn.Linear(20, 8), OtherNorm(8), nn.ReLU())(inputs)
    for options in ({"momentum": None}, {"affine": False}, {"track_running_stats": False}):
        Stack(nn.Linear(20, 8), nn.BatchNorm1d(8, **options), nn.ReLU())(inputs)
    Stack(nn.Linear(20, 8), nn.BatchNorm1d(8), nn.GELU(), nn.BatchNorm1d(8))(inputs)
    assert not num_fused


def test_one_row_is_refused_as_pytorch_does() -> None:
    layers, inputs = NETWORKS["one"]()
    with pytest.raises(ValueError, match="Expected more than 1 value per channel"):
        layers(inputs[:1])


GATED: dict[str, Callable[[], nn.Module]] = {
    "mmoe": lambda: mmoe.MultiGateMixtureOfExperts(20, 2, ModelConfig(architecture="mmoe", hidden_dims=(17, 8))),
    "ple": lambda: ple.ProgressiveLayeredExtraction(
        20, 3, ModelConfig(architecture="ple", hidden_dims=(17, 8), num_experts=3, num_extraction_layers=2)
    ),
}


@pytest.mark.parametrize("name", GATED)
def test_gates_train_as_their_operators_do(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    torch.manual_seed(0)
    network, inputs = GATED[name](), torch.randn(50, 20)
    other = copy.deepcopy(network)
    outputs = network([inputs])
    assert "_GatedSums" in outputs.grad_fn.name()
    gradients = torch.randn_like(outputs)
    outputs.backward(gradients)
    for module in (mmoe, ple):
        monkeypatch.setattr(module, "can_gate", lambda *_: False)
    expected = other([inputs])
    assert "_GatedSums" not in expected.grad_fn.name()
    expected.backward(gradients)
    assert_close(outputs, expected, rtol=1e-4, atol=1e-5)
    for own, operators in zip(network.parameters(), other.parameters(), strict=True):
        assert_close(own.grad, operators.grad, rtol=1e-4, atol=1e-4)


def test_gates_are_operators_in_a_graph_and_in_other_precisions(monkeypatch: pytest.MonkeyPatch) -> None:
    network, inputs = GATED["mmoe"](), torch.randn(50, 20)
    with torch.autocast("cpu", torch.bfloat16):
        assert network([inputs]).dtype == torch.bfloat16

    def refused(*_: object) -> Tensor:
        raise AssertionError("experts are added up by the step that trains")

    monkeypatch.setattr(mmoe, "gated", refused)
    with torch.no_grad():
        network([inputs])
    torch.export.export(network, ([inputs],))
