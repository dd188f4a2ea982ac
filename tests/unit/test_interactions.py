import copy
import itertools

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose
from reference.networks import array, linear

from polyrank.models.interactions import CrossNetwork, FactorizationMachine


@pytest.fixture(autouse=True)
def _same_weights_in_every_run() -> None:
    torch.manual_seed(0)


@pytest.mark.parametrize("num_layers", [1, 3])
def test_cross_layer_multiplies_the_inputs_by_a_map_of_what_came(num_layers: int) -> None:
    crosses = CrossNetwork(5, num_layers, 2).double()
    first = rows = torch.randn(4, 5, dtype=torch.float64).numpy()
    for narrow, widen in zip(crosses.narrow, crosses.widen, strict=True):
        rows = first * linear(widen, linear(narrow, rows)) + rows
    assert_allclose(array(crosses(torch.from_numpy(first))), rows, rtol=1e-10)


def test_cross_layer_has_a_weight_of_the_given_rank() -> None:
    shapes = [tuple(parameter.shape) for parameter in CrossNetwork(50, 1, 3).parameters()]
    assert shapes == [(3, 50), (50, 3), (50,)]


def pairs(vectors: np.ndarray, weight: np.ndarray) -> float:
    """Add up the weighted products of every two vectors (F, D) of a row."""
    return sum(float((a * b * weight).sum()) for a, b in itertools.combinations(vectors, 2))


def test_machine_adds_up_the_products_of_every_pair() -> None:
    machine = FactorizationMachine(4 * 3 + 2, [(4, 3)], 2).double()
    machine.weights[0].data.normal_()
    rows = torch.randn(5, 14, dtype=torch.float64)
    products = [[pairs(row[:12].reshape(4, 3), weight) for weight in array(machine.weights[0])] for row in rows.numpy()]
    assert_allclose(array(machine(rows)), linear(machine.linear, rows.numpy()) + products, rtol=1e-10)


@pytest.mark.parametrize("count", [2, 3, 5, 8, 13])
def test_one_long_vector_does_not_drown_the_products_of_the_others(count: int) -> None:
    machine = FactorizationMachine(count * 4, [(count, 4)], 1)
    rows = torch.randn(50, count * 4)
    rows[:, :4] *= 1e4
    with torch.no_grad():
        found, expected = machine(rows), copy.deepcopy(machine).double()(rows.double())
        size = machine.double()(rows.double().abs())
    assert float(((found - expected).abs() / size).max()) < 1e-6


def test_vectors_of_different_widths_do_not_meet() -> None:
    machine = FactorizationMachine(2 * 3 + 4 + 3 * 2, [(2, 3), (1, 4), (3, 2)], 1).double()
    rows = torch.randn(5, 16, dtype=torch.float64)
    products = [
        [pairs(row[:6].reshape(2, 3), np.ones(3)) + pairs(row[10:].reshape(3, 2), np.ones(2))] for row in rows.numpy()
    ]
    assert_allclose(array(machine(rows)), linear(machine.linear, rows.numpy()) + products, rtol=1e-10)


@pytest.mark.parametrize("fields", [[], [(1, 4)], [(1, 3), (1, 1)]])
def test_machine_without_pairs_is_linear(fields: list[tuple[int, int]]) -> None:
    machine = FactorizationMachine(4, fields, 2).double()
    assert list(machine.weights) == []
    rows = torch.randn(3, 4, dtype=torch.float64)
    assert_allclose(array(machine(rows)), linear(machine.linear, rows.numpy()), rtol=1e-12)
