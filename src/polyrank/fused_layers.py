"""What layers do beside products of matrices, in few passes over memory: normalisation with its ReLU, and gated sums.

PyTorch takes more passes for the first, with copies where layers lie one after the other, and several operators for the
second. Arrays are numpy's, float32, in place; a CPU tensor of PyTorch is
viewed with `.numpy()`. Results are the same bits for every number of threads.
"""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from polyrank.errors import DataError

from . import _native

Floats = NDArray[np.float32]


class Moments(NamedTuple):
    """Of each unit over the rows.

    Attributes:
        mean: float32 (G * H,).
        variance: the biased one, float32 (G * H,).
    """

    mean: Floats
    variance: Floats


class Gradients(NamedTuple):
    """Of what `normalized_relu` reads.

    Attributes:
        inputs: float32 (B, G, H), laid out as the inputs are.
        weight: float32 (G * H,).
        bias: float32 (G * H,).
    """

    inputs: Floats
    weight: Floats
    bias: Floats


def normalized_relu(  # noqa: PLR0913 (what is normalised, how, and what takes note of it)
    inputs: Floats,
    weight: Floats,
    bias: Floats,
    *,
    epsilon: float,
    running: Moments | None = None,
    momentum: float = 0.0,
    threads: int = 1,
) -> tuple[Floats, Moments]:
    """Return `max(0, (x - mean) / sqrt(variance + epsilon) * weight + bias)`, and the moments.

    Ioffe and Szegedy, Batch Normalization, ICML 2015, algorithm 1.

    Args:
        inputs: x, float32 (B, G, H), B of 1 or more: H units of G layers. The last axis is contiguous, the others may
            have any strides, as those of `(G, B, H)` that was transposed.
        weight: float32 (G * H,).
        bias: float32 (G * H,).
        epsilon: above 0.
        running: moments over many batches, in place; they go a part of `momentum` of the way to those of this batch,
            of 2 rows or more, the variance to the unbiased one.
        momentum: see there.
        threads: how many share the work, where there is a megabyte for each.

    Returns:
        float32 (B, G, H), laid out as the inputs are, and the moments.

    Raises:
        DataError: an array is not as described.
    """
    out, mean, variance = np.empty_like(inputs), np.empty_like(weight), np.empty_like(weight)
    _checked(_native.normalized_relu, inputs, weight, bias, epsilon, mean, variance, out, running, momentum, threads)
    return out, Moments(mean, variance)


def normalized_relu_gradients(  # noqa: PLR0913 (what was normalised, how, and what it was worth)
    inputs: Floats,
    weight: Floats,
    bias: Floats,
    moments: Moments,
    gradients: Floats,
    *,
    epsilon: float,
    threads: int = 1,
) -> Gradients:
    """Return the gradients of what `normalized_relu` read, of those of what it gave.

    Args:
        inputs: as it had them, and so weight, bias and epsilon.
        weight: see there.
        bias: see there.
        moments: that it gave.
        gradients: float32 (B, G, H), the last axis contiguous.
        epsilon: see there.
        threads: how many share the work, where there is a megabyte for each.

    Raises:
        DataError: an array is not as described.
    """
    found = Gradients(np.empty_like(inputs), np.empty_like(weight), np.empty_like(bias))
    _checked(_native.normalized_relu_gradient, inputs, weight, bias, epsilon, *moments, gradients, *found, threads)
    return found


def gated_sums(
    experts: Sequence[Floats], logits: Floats, reads: Sequence[int], *, threads: int = 1
) -> tuple[Floats, Floats]:
    """Add up experts for each task, by the softmax of its logits.

    Ma et al., Modeling Task Relationships in Multi-task Learning with Multi-gate Mixture-of-Experts, KDD 2018,
    equations 6 and 7.

    >>> experts = np.array([[[1, 2], [3, 4]]], np.float32)  # two of one row, each of width 2
    >>> sums, weights = gated_sums([experts], np.zeros((1, 2, 2), np.float32), [0, 1, 1, 0])
    >>> sums.tolist(), weights.tolist()
    ([[[2.0, 3.0], [2.0, 3.0]]], [[[0.5, 0.5], [0.5, 0.5]]])

    Args:
        experts: float32 (B, E, H) each, of as many experts as they have; their last axes are contiguous.
        logits: float32 (B, T, K), contiguous.
        reads: which experts each task adds up, T times K of them, counted through all arrays.
        threads: how many share the work, where there is a megabyte for each.

    Returns:
        The sums, float32 (B, T, H), and the weights, float32 (B, T, K).

    Raises:
        DataError: an array is not as described.
    """
    num_rows, num_tasks, _ = logits.shape
    out, weights = np.empty((num_rows, num_tasks, experts[0].shape[2]), np.float32), np.empty_like(logits)
    flat = map(_by_row, (logits, weights))
    _checked(_native.gated_sums, experts, reads, *flat, out, threads)
    return out, weights


def gated_sums_gradients(
    experts: Sequence[Floats], weights: Floats, reads: Sequence[int], gradients: Floats, *, threads: int = 1
) -> tuple[list[Floats], Floats]:
    """Return the gradients of experts, each laid out as it is, and of logits, float32 (B, T, K).

    Args:
        experts: as `gated_sums` had them, and so reads.
        weights: that it gave.
        reads: see there.
        gradients: of the sums, float32 (B, T, H), the last axis contiguous.
        threads: how many share the work, where there is a megabyte for each.

    Raises:
        DataError: an array is not as described.
    """
    of_experts, of_logits = [np.empty_like(each) for each in experts], np.empty_like(weights)
    _checked(
        _native.gated_sums_gradient,
        experts,
        reads,
        _by_row(weights),
        gradients,
        _by_row(of_logits),
        of_experts,
        threads,
    )
    return of_experts, of_logits


def _by_row(gates: Floats) -> Floats:
    """View (B, T, K) as (B, T * K)."""
    return gates.reshape(len(gates), gates.shape[1] * gates.shape[2])


def _checked(call: Callable[..., None], *arguments: Any) -> None:
    try:
        call(*arguments)
    except _native.ArrayError as err:
        raise DataError(str(err)) from err
