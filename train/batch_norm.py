"""Batch normalisation over the rows of all ranks."""

from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

from .processes import Processes


class WholeBatchNorm(nn.BatchNorm1d):
    """`nn.BatchNorm1d` of which each rank has some rows of the batch, or none; `nn.SyncBatchNorm` is for GPUs alone."""

    def __init__(self, norm: nn.BatchNorm1d, processes: Processes) -> None:
        super().__init__(norm.num_features, norm.eps, norm.momentum)
        self.weight, self.bias = norm.weight, norm.bias
        self.running_mean, self.running_var = norm.running_mean, norm.running_var
        self.num_batches_tracked = norm.num_batches_tracked
        self._processes = processes

    def forward(self, inputs: Tensor) -> Tensor:
        """Normalise (B, C) with the mean and variance of all ranks' rows."""
        if not self.training:
            return super().forward(inputs)
        with torch.no_grad():
            mean, variance, count = whole_moments(inputs.float(), self._processes)
            self._track(mean, variance * (count / (count - 1)))
        scale = (variance + self.eps).rsqrt()
        normalised: Tensor = _Normalize.apply(  # type: ignore[no-untyped-call]
            inputs, self.weight, self.bias, (mean, scale, count), self._processes
        )
        return normalised

    def _track(self, mean: Tensor, variance: Tensor) -> None:
        assert self.running_mean is not None  # noqa: S101 (the constructor makes them; this tells the type checker)
        assert self.running_var is not None  # noqa: S101
        assert self.num_batches_tracked is not None  # noqa: S101
        self.num_batches_tracked += 1
        self.running_mean.lerp_(mean, self.momentum or 0.0)
        self.running_var.lerp_(variance, self.momentum or 0.0)


def share_batch_norm(model: nn.Module, processes: Processes) -> None:
    """Make the batch normalisation of a model that of all ranks; names and sizes of weights stay."""
    for parent in list(model.modules()) if processes.size > 1 else ():
        for name, child in parent.named_children():
            if type(child) is nn.BatchNorm1d:
                setattr(parent, name, WholeBatchNorm(child, processes))


def whole_moments(inputs: Tensor, processes: Processes) -> tuple[Tensor, Tensor, float]:
    """Return mean (C,), variance (C,) and number of all ranks' rows, float32 (B, C) of this one.

    Chan et al., Updating Formulae and a Pairwise Algorithm for Computing Sample Variances, 1979, equation 2.1.
    """
    count, dim = inputs.shape
    own = inputs.new_zeros(2 * dim + 1, dtype=torch.float64)
    if count > 0:
        mean = inputs.mean(0)
        variance = (inputs - mean).square_().mean(0)  # torch.var_mean over rows takes nine times as long on a CPU
        own = torch.cat([mean, variance, mean.new_tensor([count])]).double()
    found = torch.stack(processes.gather(own))  # (ranks, 2 C + 1)
    means, variances, counts = found[:, :dim], found[:, dim:-1], found[:, -1:]
    total = counts.sum()
    mean = (counts * means).sum(0) / total
    variance = (counts * (variances + (means - mean).square())).sum(0) / total
    return mean.float(), variance.float(), float(total)


class _Normalize(torch.autograd.Function):
    """`(x - mean) * scale * weight + bias`, where mean and scale follow from the rows of all ranks.

    Ioffe and Szegedy, Batch Normalization, ICML 2015, section 3: the gradients of all ranks' rows go through both.
    """

    @staticmethod
    def forward(
        ctx: Any,
        inputs: Tensor,
        weight: Tensor,
        bias: Tensor,
        moments: tuple[Tensor, Tensor, float],
        processes: Processes,
    ) -> Tensor:
        mean, scale, ctx.count = moments
        normalised = (inputs.float() - mean) * scale
        ctx.save_for_backward(normalised, weight, scale)
        ctx.processes = processes
        return torch.addcmul(bias, normalised, weight).to(inputs.dtype)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, Tensor, Tensor, None, None]:
        normalised, weight, scale = ctx.saved_tensors
        dtype, gradient = gradient.dtype, gradient.float()
        own = torch.stack([gradient.sum(0), (gradient * normalised).sum(0)])  # (2, C)
        offset, slope = ctx.processes.add(own.clone()) / ctx.count
        inputs = (gradient - offset - normalised * slope) * (weight * scale)
        return inputs.to(dtype), own[1], own[0], None, None
