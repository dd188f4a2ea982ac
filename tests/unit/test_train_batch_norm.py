"""Batch normalisation over ranks is that of torch.nn.BatchNorm1d over all their rows."""

import copy

import pytest
import torch
from artefacts.ranks import on_ranks
from torch import Tensor, nn
from torch.testing import assert_close

from polyrank.train.batch_norm import WholeBatchNorm, share_batch_norm
from polyrank.train.processes import ALONE, Processes

DIM = 5
SPLITS = [[8, 8], [3, 13], [16, 0], [1, 1], [5, 5, 6], [0, 2, 1]]


def norm() -> nn.BatchNorm1d:
    made = nn.BatchNorm1d(DIM)
    nn.init.uniform_(made.weight, generator=torch.Generator().manual_seed(1))
    nn.init.uniform_(made.bias, generator=torch.Generator().manual_seed(2))
    return made


def rows(count: int) -> Tensor:
    return torch.randn(count, DIM, generator=torch.Generator().manual_seed(count)) * 3 + 100


def outcome(module: nn.BatchNorm1d, inputs: Tensor, targets: Tensor) -> tuple[Tensor, ...]:
    """Return outputs and gradients with respect to inputs, weight and bias, and the running statistics."""
    leaf = inputs.clone().requires_grad_()
    outputs = module(leaf)
    (outputs * targets).sum().backward()
    assert leaf.grad is not None
    assert module.weight.grad is not None
    assert module.bias.grad is not None
    assert module.running_mean is not None
    assert module.running_var is not None
    gradients = (leaf.grad, module.weight.grad, module.bias.grad)
    return outputs.detach(), *gradients, module.running_mean, module.running_var


def by_rank(sizes: list[int]) -> tuple[tuple[Tensor, ...], list[tuple[Tensor, ...]]]:
    """Return the outcome of all rows at once, and those of ranks that have `sizes` of them."""
    inputs = rows(sum(sizes))
    targets = torch.randn(inputs.shape, generator=torch.Generator().manual_seed(0))

    def on_rank(processes: Processes) -> tuple[Tensor, ...]:
        parts = torch.split(inputs, sizes)[processes.rank], torch.split(targets, sizes)[processes.rank]
        return outcome(WholeBatchNorm(norm(), processes), *parts)

    return outcome(norm(), inputs, targets), on_ranks(len(sizes), on_rank)


@pytest.mark.parametrize("sizes", SPLITS)
def test_rows_are_normalised_as_in_one_batch(sizes: list[int]) -> None:
    whole, parts = by_rank(sizes)
    assert_close(torch.cat([part[0] for part in parts]), whole[0], rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("sizes", SPLITS)
def test_gradients_of_inputs_are_those_of_one_batch(sizes: list[int]) -> None:
    whole, parts = by_rank(sizes)
    assert_close(torch.cat([part[1] for part in parts]), whole[1], rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("sizes", SPLITS)
@pytest.mark.parametrize("index", [2, 3])
def test_gradients_of_weights_add_up_to_those_of_one_batch(sizes: list[int], index: int) -> None:
    whole, parts = by_rank(sizes)
    added = torch.stack([part[index] for part in parts]).sum(0)
    assert_close(added, whole[index], rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("sizes", SPLITS)
@pytest.mark.parametrize("index", [4, 5])
def test_running_statistics_are_those_of_one_batch(sizes: list[int], index: int) -> None:
    whole, parts = by_rank(sizes)
    assert_close(parts[0][index], whole[index], rtol=1e-5, atol=1e-6)
    assert all(torch.equal(part[index], parts[0][index]) for part in parts)


def test_evaluation_takes_the_running_statistics() -> None:
    plain = norm()
    plain(rows(16))
    whole = WholeBatchNorm(copy.deepcopy(plain), ALONE)
    assert torch.equal(whole.eval()(rows(9)), plain.eval()(rows(9)))


def test_bfloat16_rows_stay_bfloat16() -> None:
    (outputs, *_), _ = on_ranks(
        2, lambda processes: outcome(WholeBatchNorm(norm(), processes), rows(8).bfloat16(), rows(8).bfloat16())
    )
    assert outputs.dtype == torch.bfloat16


def test_weights_keep_their_names_when_batch_norm_is_shared() -> None:
    model = nn.Sequential(nn.Linear(2, DIM), norm(), nn.LayerNorm(DIM))
    before = {name: tensor.data_ptr() for name, tensor in model.state_dict().items()}
    share_batch_norm(model, Processes(0, 2))
    assert {name: tensor.data_ptr() for name, tensor in model.state_dict().items()} == before
    assert isinstance(model[1], WholeBatchNorm)


def test_one_process_keeps_its_batch_norm() -> None:
    model = nn.Sequential(norm())
    share_batch_norm(model, ALONE)
    assert type(model[0]) is nn.BatchNorm1d
