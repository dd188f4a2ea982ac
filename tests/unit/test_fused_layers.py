"""What layers do beside products of matrices, in few passes: beside the formulas in 64 bits."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal
from numpy.typing import NDArray
from torch import nn

from polyrank.errors import DataError
from polyrank.fused_layers import (
    Floats,
    Gradients,
    Moments,
    gated_sums,
    gated_sums_gradients,
    normalized_relu,
    normalized_relu_gradients,
)

EPSILON = 1e-5
SHAPES = [(2, 1, 1), (9, 3, 5), (300, 2, 64), (1024, 4, 7)]


def drawn(*shape: int, seed: int = 0) -> Floats:
    return np.random.default_rng(seed).normal(3.0, 2.0, shape).astype(np.float32)


def by_group(values: Floats) -> Floats:
    """Return values whose groups, not whose rows, follow one another in memory."""
    return np.ascontiguousarray(values.transpose(1, 0, 2)).transpose(1, 0, 2)


def expected(
    inputs: Floats, weight: Floats, bias: Floats, gradients: Floats
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Return values and gradients of inputs, weight and bias, in 64 bits."""
    count, groups, width = inputs.shape
    x, slopes = inputs.astype(np.float64).reshape(count, -1), gradients.astype(np.float64).reshape(count, -1)
    root = np.sqrt(x.var(0) + EPSILON)
    normal = (x - x.mean(0)) / root
    out = np.maximum(normal * weight + bias, 0.0)
    passed = np.where(out > 0, slopes, 0.0)
    of_inputs = weight / root * (passed - passed.mean(0) - normal * (passed * normal).mean(0))
    shape = (count, groups, width)
    return out.reshape(shape), of_inputs.reshape(shape), (passed * normal).sum(0), passed.sum(0)


def both(inputs: Floats, gradients: Floats, threads: int = 1) -> tuple[Floats, Moments, Gradients]:
    units = inputs.shape[1] * inputs.shape[2]
    weight, bias = drawn(units, seed=1), drawn(units, seed=2) - 3
    out, moments = normalized_relu(inputs, weight, bias, epsilon=EPSILON, threads=threads)
    found = normalized_relu_gradients(inputs, weight, bias, moments, gradients, epsilon=EPSILON, threads=threads)
    return out, moments, found


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("layout", [np.copy, by_group])
def test_values_and_gradients(shape: tuple[int, int, int], layout: Callable[[Floats], Floats]) -> None:
    inputs, gradients = layout(drawn(*shape)), drawn(*shape, seed=3)
    out, moments, found = both(inputs, gradients)
    units = shape[1] * shape[2]
    wanted = expected(inputs, drawn(units, seed=1), drawn(units, seed=2) - 3, gradients)
    assert_allclose(moments.mean, inputs.reshape(shape[0], -1).mean(0, np.float64), rtol=1e-5)
    assert_allclose(moments.variance, inputs.reshape(shape[0], -1).var(0, np.float64), rtol=1e-4)
    for one, other in zip((out, *found), wanted, strict=True):
        assert_allclose(one, other, rtol=1e-3, atol=1e-3 * max(1.0, float(np.abs(other).max())))
    assert out.strides == inputs.strides
    assert found.inputs.strides == inputs.strides


def test_every_layout_of_gradients_gives_the_same_bits() -> None:
    inputs, gradients = drawn(100, 3, 8), drawn(100, 3, 8, seed=3)
    one, other = both(inputs, gradients)[2], both(inputs, by_group(gradients))[2]
    assert_array_equal(one.inputs, other.inputs)
    spread = np.broadcast_to(gradients[:1], gradients.shape)  # rows of stride 0
    assert_array_equal(both(inputs, spread)[2].inputs, both(inputs, spread.copy())[2].inputs)


@pytest.mark.parametrize("threads", [2, 3, 100])
def test_every_number_of_threads_gives_the_same_bits(threads: int) -> None:
    inputs, gradients = drawn(5_000, 2, 130), drawn(5_000, 2, 130, seed=3)
    (out, moments, found), (others, other_moments, other) = both(inputs, gradients), both(inputs, gradients, threads)
    for one, two in zip((out, *moments, *found), (others, *other_moments, *other), strict=True):
        assert_array_equal(one, two)


def test_running_moments_move_as_those_of_pytorch_do() -> None:
    norm, ones = nn.BatchNorm1d(6, momentum=0.3), np.ones(6, np.float32)
    running = Moments(np.zeros(6, np.float32), np.ones(6, np.float32))
    for seed in range(3):
        inputs = drawn(9, 2, 3, seed=seed)
        norm(torch.from_numpy(inputs).flatten(1))
        normalized_relu(inputs, ones, ones, epsilon=EPSILON, running=running, momentum=0.3)
    assert norm.running_mean is not None
    assert norm.running_var is not None
    assert_allclose(running.mean, norm.running_mean.numpy(), rtol=1e-5)
    assert_allclose(running.variance, norm.running_var.numpy(), rtol=1e-5)


INPUTS, UNITS = drawn(4, 2, 3), drawn(6)
WRONG: dict[str, tuple[dict[str, Any], str]] = {
    "other dtype": ({"inputs": INPUTS.astype(np.float64)}, "inputs must be a numpy array of float32, got float64"),
    "no array": ({"weight": [1.0]}, "weight must be a numpy array of float32, got list"),
    "two dimensions": ({"inputs": INPUTS[0]}, "inputs must have 3 dimensions, got 2"),
    "no rows": ({"inputs": INPUTS[:0]}, "inputs must have 1 or more rows, got 0"),
    "last axis with gaps": ({"inputs": drawn(4, 2, 6)[:, :, ::2]}, "inputs must be aligned, its last axis contiguous"),
    "too few weights": ({"weight": UNITS[:5]}, "weight must have 6 rows, one for each unit of inputs, got 5"),
    "too many biases": ({"bias": drawn(7)}, "bias must have 6 rows, one for each unit of inputs, got 7"),
    "no thread": ({"threads": 0}, "threads must be 1 or above, got 0"),
    "running moments of others": (
        {"running": Moments(UNITS[:5].copy(), UNITS.copy())},
        "running mean must have 6 rows, one for each unit of inputs, got 5",
    ),
    "running variance of one row": (
        {"inputs": INPUTS[:1], "running": Moments(UNITS.copy(), UNITS.copy())},
        "inputs must have 2 or more rows to move a running variance, got 1",
    ),
}


@pytest.mark.parametrize("name", WRONG)
def test_what_does_not_fit_is_refused(name: str) -> None:
    wrong, message = WRONG[name]
    given: dict[str, Any] = {"inputs": INPUTS, "weight": UNITS, "bias": UNITS, "epsilon": EPSILON, **wrong}
    with pytest.raises((DataError, TypeError)) as caught:
        normalized_relu(**given)
    assert str(caught.value).startswith(message)


def test_gradients_that_do_not_fit_are_refused() -> None:
    moments = normalized_relu(INPUTS, UNITS, UNITS, epsilon=EPSILON)[1]
    with pytest.raises(DataError, match=r"^gradients must have the shape of inputs, \[4, 2, 3\], got \[4, 3, 2\]$"):
        normalized_relu_gradients(INPUTS, UNITS, UNITS, moments, drawn(4, 3, 2), epsilon=EPSILON)
    wrong = Moments(moments.mean, moments.variance[:1])
    with pytest.raises(DataError, match=r"^variance must have 6 rows, one for each unit of inputs, got 1$"):
        normalized_relu_gradients(INPUTS, UNITS, UNITS, wrong, INPUTS, epsilon=EPSILON)


READS = {"all": [0, 1, 2, 3, 4, 0, 1, 2, 3, 4], "own and shared": [0, 3, 4, 1, 3, 4, 2, 4, 3], "not all": [4, 4, 0]}


def weights_of(logits: Floats) -> NDArray[np.float64]:
    powers: NDArray[np.float64] = np.exp(logits.astype(np.float64))
    powers /= powers.sum(2, keepdims=True)
    return powers


@pytest.mark.parametrize("name", READS)
@pytest.mark.parametrize("width", [1, 6, 8, 64])
@pytest.mark.parametrize("layout", [np.copy, by_group])
def test_gated_sums_and_gradients(name: str, width: int, layout: Callable[[Floats], Floats]) -> None:
    reads, rows = READS[name], 30
    num_tasks = {"all": 2}.get(name, 3)
    experts = [layout(drawn(rows, 3, width)), layout(drawn(rows, 2, width, seed=1))]
    logits = drawn(rows, num_tasks, len(reads) // num_tasks, seed=2)
    sums, weights = gated_sums(experts, logits, reads)
    everyone = np.concatenate(experts, axis=1).astype(np.float64)
    read = everyone[:, reads].reshape(*logits.shape, width)  # (B, T, K, H)
    expected_weights = weights_of(logits)
    assert_allclose(weights, expected_weights, rtol=1e-5, atol=1e-7)
    assert_allclose(sums, (expected_weights[..., None] * read).sum(2), rtol=1e-5, atol=1e-5)

    slopes = layout(drawn(rows, num_tasks, width, seed=3))
    of_experts, of_logits = gated_sums_gradients(experts, weights, reads, slopes)
    of_weights = (slopes[:, :, None] * read).sum(3)
    mean = (of_weights * expected_weights).sum(2, keepdims=True)
    assert_allclose(of_logits, expected_weights * (of_weights - mean), rtol=1e-3, atol=1e-3 * width)
    of_everyone = np.zeros_like(everyone)
    contributions = (expected_weights[..., None] * slopes[:, :, None]).reshape(rows, -1, width)
    for place, expert in enumerate(reads):
        of_everyone[:, expert] += contributions[:, place]
    assert_allclose(np.concatenate(of_experts, axis=1), of_everyone, rtol=1e-4, atol=1e-4)
    assert [each.strides[:2] for each in of_experts] == [each.strides[:2] for each in experts]


def test_gated_sums_are_the_same_bits_on_any_number_of_threads() -> None:
    experts, logits = [drawn(9_000, 4, 32)], drawn(9_000, 2, 4, seed=1)
    slopes, reads = drawn(9_000, 2, 32, seed=2), [0, 1, 2, 3] * 2
    (sums, weights), (others, _) = (gated_sums(experts, logits, reads, threads=threads) for threads in (1, 3))
    assert_array_equal(sums, others)
    one, two = (gated_sums_gradients(experts, weights, reads, slopes, threads=threads) for threads in (1, 3))
    assert_array_equal(one[0][0], two[0][0])
    assert_array_equal(one[1], two[1])


def test_gate_that_leaves_one_expert_alone_is_finite() -> None:
    logits = np.array([[[-1e30, 1e30]]], np.float32)
    sums, weights = gated_sums([drawn(1, 2, 4)], logits, [0, 1])
    assert weights.tolist() == [[[0.0, 1.0]]]
    assert_array_equal(sums[0, 0], drawn(1, 2, 4)[0, 1])


EXPERTS, LOGITS = [drawn(4, 2, 8)], drawn(4, 1, 2)
WRONG_GATES: dict[str, tuple[dict[str, Any], str]] = {
    "reads of no expert": ({"reads": [0, 2]}, "reads must be below 2, the number of experts, got 2"),
    "too few reads": ({"reads": [0]}, "logits must have 1 columns, one for each of reads, got 2"),
    "other rows": ({"logits": drawn(3, 1, 2)}, "logits must have 4 rows, as experts has, got 3"),
    "other widths": (
        {"experts": [*EXPERTS, drawn(4, 2, 7)]},
        "experts must have the same rows and width in all arrays, got [4, 2, 7] after [4, 2, 8]",
    ),
    "other dtype": (
        {"experts": [EXPERTS[0].astype(np.float64)]},
        "experts must be a numpy array of float32, got float64",
    ),
    "no thread": ({"threads": 0}, "threads must be 1 or above, got 0"),
}


@pytest.mark.parametrize("name", WRONG_GATES)
def test_gates_that_do_not_fit_are_refused(name: str) -> None:
    wrong, message = WRONG_GATES[name]
    given: dict[str, Any] = {"experts": EXPERTS, "logits": LOGITS, "reads": [0, 1], **wrong}
    with pytest.raises(DataError) as caught:
        gated_sums(**given)
    assert str(caught.value) == message


def test_gradients_of_sums_that_do_not_fit_are_refused() -> None:
    weights = gated_sums(EXPERTS, LOGITS, [0, 1])[1]
    with pytest.raises(DataError, match=r"^gradients must have shape \[4, 1, 8\], got \[4, 1, 7\]$"):
        gated_sums_gradients(EXPERTS, weights, [0, 1], drawn(4, 1, 7))
