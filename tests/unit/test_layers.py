import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose
from reference.networks import array, one_linear, one_network
from torch import nn

from polyrank.models.layers import FannedLinear, GroupedLinear, GroupedMLP, GroupedNorm, LayerOptions, Linear, mlp


@pytest.fixture(autouse=True)
def _same_weights_in_every_run() -> None:
    torch.manual_seed(0)


@pytest.mark.parametrize("bias", [True, False])
def test_grouped_linear_is_one_layer_for_each_group(bias: bool) -> None:  # noqa: FBT001 (a parameter)
    layer = GroupedLinear(3, 5, 2, bias=bias).double()
    rows = torch.randn(4, 3, 5, dtype=torch.float64)
    expected = np.stack([one_linear(layer, group, rows[:, group].numpy()) for group in range(3)], axis=1)
    assert_allclose(array(layer(rows)), expected, rtol=1e-12)


@pytest.mark.parametrize("bias", [True, False])
def test_fanned_linear_is_every_layer_on_the_same_rows(bias: bool) -> None:  # noqa: FBT001
    layer = FannedLinear(3, 5, 2, bias=bias).double()
    rows = torch.randn(4, 5, dtype=torch.float64)
    expected = np.stack([one_linear(layer, group, rows.numpy()) for group in range(3)], axis=1)
    assert_allclose(array(layer(rows)), expected, rtol=1e-12)


@pytest.mark.parametrize("kind", [GroupedLinear, FannedLinear])
def test_initial_weights_are_uniform_within_one_over_the_root(kind: type[GroupedLinear] | type[FannedLinear]) -> None:
    values = torch.cat([parameter.detach().flatten() for parameter in kind(20, 100, 30).parameters()])
    assert 0.0999 < float(values.max()) <= 0.1
    assert -0.1 <= float(values.min()) < -0.0999
    assert float(values.std()) == pytest.approx(0.1 / 3**0.5, rel=0.01)


def test_batch_norm_of_groups_normalises_each_unit_over_the_batch() -> None:
    rows = torch.randn(50, 2, 3, dtype=torch.float64) * 5 + 2
    found = array(GroupedNorm(2, 3, "batch").double()(rows))
    expected = (rows.numpy() - rows.numpy().mean(axis=0)) / np.sqrt(rows.numpy().var(axis=0) + 1e-5)
    assert_allclose(found, expected, rtol=1e-9, atol=1e-12)


def test_layer_norm_of_groups_scales_each_group_by_its_own() -> None:
    norm = GroupedNorm(2, 3, "layer").double()
    norm.scale.data.copy_(torch.tensor([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]]))
    norm.shift.data.copy_(torch.tensor([[0.0, 0.0, 0.0], [1.0, 1.0, 1.0]]))
    rows = torch.randn(4, 2, 3, dtype=torch.float64)
    parts = [nn.functional.layer_norm(rows[:, group], (3,)) * norm.scale[group] + norm.shift[group] for group in (0, 1)]
    assert_allclose(array(norm(rows)), array(torch.stack(parts, dim=1)), rtol=1e-9)


@pytest.mark.parametrize("normalization", ["batch", "layer", "none"])
@pytest.mark.parametrize("shares_input", [True, False])
def test_networks_of_a_group_do_not_meet(normalization: str, shares_input: bool) -> None:  # noqa: FBT001
    options = LayerOptions(normalization, 0.5)  # type: ignore[arg-type]
    grouped = GroupedMLP(3, 5, (4, 2), shares_input=shares_input, options=options).double().eval()
    rows = torch.randn(6, 5, dtype=torch.float64) if shares_input else torch.randn(6, 3, 5, dtype=torch.float64)
    found = array(grouped(rows))
    each = [rows.numpy()] * 3 if shares_input else list(rows.numpy().transpose(1, 0, 2))
    expected = np.stack([one_network(grouped, group, own) for group, own in enumerate(each)], axis=1)
    assert found.shape == (6, 3, grouped.output_dim)
    assert_allclose(found, expected, rtol=1e-9, atol=1e-12)


def test_dropout_of_groups_acts_in_training_only() -> None:
    grouped = GroupedMLP(2, 5, (400,), shares_input=True, options=LayerOptions("none", 0.5))
    rows = torch.ones(1, 5)
    dropped = (grouped(rows) == 0.0).double().mean() - (grouped.eval()(rows) == 0.0).double().mean()
    assert float(dropped) == pytest.approx(0.25, abs=0.05)  # half of the half that ReLU leaves


def test_layers_are_linear_norm_relu_dropout() -> None:
    kinds = [type(layer) for layer in mlp(4, (3, 2), LayerOptions("batch", 0.5))]
    assert kinds == [Linear, nn.BatchNorm1d, nn.ReLU, nn.Dropout] * 2


def test_layer_norm_takes_the_place_of_batch_norm() -> None:
    assert [type(layer) for layer in mlp(4, (3,), LayerOptions("layer"))] == [Linear, nn.LayerNorm, nn.ReLU]


def test_layers_without_norm_have_a_bias() -> None:
    plain, normed = (mlp(4, (3,), LayerOptions(kind)) for kind in ("none", "batch"))
    assert [name for name, _ in plain.named_parameters()] == ["0.weight", "0.bias"]
    assert "0.bias" not in dict(normed.named_parameters())
