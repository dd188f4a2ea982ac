"""Steps that train in place of several operators of PyTorch: batch norm with its ReLU, and experts with their gates."""

from collections.abc import Sequence
from typing import Any, TypeGuard

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

from polyrank.fused_layers import (
    Floats,
    Moments,
    gated_sums,
    gated_sums_gradients,
    normalized_relu,
    normalized_relu_gradients,
)


def can_normalize(norm: nn.Module, inputs: object) -> TypeGuard[nn.BatchNorm1d]:
    """Say whether `normalized` does what a norm and a ReLU do.

    Args:
        norm: a module; of subclasses of batch norm, such as one over the rows of all ranks, none.
        inputs: what it would normalise, (B, C) or (B, G, H).
    """
    if type(norm) is not nn.BatchNorm1d or not norm.training or not isinstance(inputs, Tensor):
        return False
    if norm.momentum is None or not norm.affine or not norm.track_running_stats:
        return False
    return _is_plain(inputs) and len(inputs) > 1


def can_gate(gates: Tensor, *experts: Tensor) -> bool:
    """Say whether `gated` does what a softmax of gates and a sum of experts do; in a graph they are operators."""
    return torch.is_grad_enabled() and all(map(_is_plain, (gates, *experts)))


def _is_plain(values: Tensor) -> bool:
    """Say whether values are of 32 bits, on a CPU, and no compiler sees to them, which takes sizes for constants."""
    if torch.compiler.is_compiling():
        return False
    return values.device.type == "cpu" and values.dtype == torch.float32 and values.stride(-1) == 1


def normalized(norm: nn.BatchNorm1d, inputs: Tensor) -> Tensor:
    """Normalise over the rows, rectify, and note what was seen in the running mean and variance of the norm.

    Args:
        norm: of C, or of G * H units.
        inputs: float32 (B, C), or (B, G, H) of any strides but the last.

    Returns:
        float32, laid out as the inputs are.
    """
    grouped = inputs if inputs.dim() == 3 else inputs.unsqueeze(1)  # noqa: PLR2004 (B, G, H)
    parameters = (grouped, norm.weight, norm.bias)
    arrays = (each.detach().numpy() for each in parameters)
    running, threads = _running(norm), torch.get_num_threads()
    out, moments = normalized_relu(
        *arrays, epsilon=norm.eps, running=running, momentum=norm.momentum or 0.0, threads=threads
    )
    result: Tensor = _NormalizedReLU.apply(*parameters, norm.eps, out, moments)  # type: ignore[no-untyped-call]
    return result if result.dim() == inputs.dim() else result.view_as(inputs)


def _running(norm: nn.BatchNorm1d) -> Moments:
    """Return arrays that are the running moments, and count a batch: by numpy, as operators of PyTorch take longer."""
    assert norm.running_mean is not None  # noqa: S101 (these tell the type checker)
    assert norm.running_var is not None  # noqa: S101
    assert norm.num_batches_tracked is not None  # noqa: S101
    count = norm.num_batches_tracked.numpy()
    count += 1
    return Moments(norm.running_mean.numpy(), norm.running_var.numpy())


class _NormalizedReLU(torch.autograd.Function):
    """Has been computed; passes gradients on."""

    @staticmethod
    def forward(  # noqa: PLR0913, PLR0917 (what was computed, of what)
        ctx: Any, inputs: Tensor, weight: Tensor, bias: Tensor, epsilon: float, out: Floats, moments: Moments
    ) -> Tensor:
        ctx.save_for_backward(inputs, weight, bias)
        ctx.epsilon, ctx.moments = epsilon, moments
        return torch.from_numpy(out)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradients: Tensor) -> tuple[Tensor | None, ...]:
        inputs, weight, bias = (each.detach().numpy() for each in ctx.saved_tensors)
        slopes, threads = _dense_rows(gradients).numpy(), torch.get_num_threads()
        found = normalized_relu_gradients(
            inputs, weight, bias, ctx.moments, slopes, epsilon=ctx.epsilon, threads=threads
        )
        return *map(torch.from_numpy, found), None, None, None


def gated(gates: Tensor, reads: Sequence[int], *experts: Tensor) -> Tensor:
    """Add up experts for each task by the softmax of its gates.

    Args:
        gates: float32 (B, T, K).
        reads: which experts each task adds up, T times K of them, counted through all tensors.
        experts: float32 (B, E, H) each.

    Returns:
        float32 (B, T, H).
    """
    result: Tensor = _GatedSums.apply(gates.contiguous(), reads, *experts)  # type: ignore[no-untyped-call]
    return result


class _GatedSums(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, gates: Tensor, reads: Sequence[int], *experts: Tensor) -> Tensor:
        arrays = [each.detach().numpy() for each in experts]
        sums, weights = gated_sums(arrays, gates.detach().numpy(), reads, threads=torch.get_num_threads())
        ctx.save_for_backward(torch.from_numpy(weights), *experts)
        ctx.reads = reads
        return torch.from_numpy(sums)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradients: Tensor) -> tuple[Tensor | None, ...]:
        weights, *experts = (each.detach().numpy() for each in ctx.saved_tensors)
        slopes = _dense_rows(gradients).numpy()
        of_experts, of_gates = gated_sums_gradients(
            experts, weights, ctx.reads, slopes, threads=torch.get_num_threads()
        )
        return torch.from_numpy(of_gates), None, *map(torch.from_numpy, of_experts)


def _dense_rows(gradients: Tensor) -> Tensor:
    return gradients if gradients.stride(-1) == 1 else gradients.contiguous()
