"""torch.compile for the layers of a model, where a training is long enough to win by it."""

import shutil
from collections.abc import Callable
from typing import Any, Literal

import torch

from polyrank.models import MultiTaskRanker

MIN_WORK = 3e14
"""Multiplications and additions of layers, forward and backward, below which `auto` does not compile: an hour of one
core at 100 GFLOP/s would be 3.6e14, beside which the time that compiling takes is small."""

STEPS_BEFORE = 20
"""So many steps run before layers are compiled: a training that fails at once does so at once."""


def layer_work(model: MultiTaskRanker) -> int:
    """Return how many multiplications and additions a row costs in a step: 6 for each weight of a layer.

    Two forward, and four backward (Kaplan et al., Scaling Laws for Neural Language Models, 2020, section 2.1).
    """
    return 6 * sum(weight.numel() for weight in model.network.parameters() if weight.dim() > 1)


def should_compile(model: MultiTaskRanker, num_rows: int, *, wanted: bool | Literal["auto"]) -> bool:
    """Say whether the layers are worth compiling for `num_rows` rows in all, counting each epoch's."""
    if wanted != "auto":
        return wanted
    return shutil.which("g++") is not None and layer_work(model) * num_rows >= MIN_WORK


def compiled(function: Callable[..., Any]) -> Callable[..., Any]:
    """Compile a function for inputs of one size."""
    result: Callable[..., Any] = torch.compile(function, dynamic=False)
    return result
