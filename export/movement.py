"""How far rounding alone moves a model's answers: what two exact programs may differ by."""

import contextlib
import dataclasses
from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from polyrank.encoder import Batch
from polyrank.models.answering_module import AnsweringModule
from polyrank.models.trained import predict

DRAWS = 3

STEP = 2.0**-22
"""Each product of a sum, and each partial sum, is rounded by a part of 2**-24 at most, which is the exact result of
weights that moved by as much (Higham, Accuracy and Stability of Numerical Algorithms, 2002, section 3.1)."""


HEADROOM = np.float32(16.0)


def movement(model: AnsweringModule, rows: Batch) -> dict[str, NDArray[np.float64]]:
    """Answer rows with each weight of the layers moved at random by a part in 2**22, and see how far answers move.

    What the layers read is moved too: some of it is multiplied by itself, and not by a weight.

    Returns:
        float64 [B] or [B, C] by output: `max |moved - answer| / max(1, |answer|)` over a few draws; not a number or
        infinite where an answer is not finite, or no longer is when numbers are `HEADROOM` times as large: whether the
        partial sums of such a one overflow depends on their order.
    """
    expected = predict(model, rows, as_served=True)
    generator = torch.Generator().manual_seed(0)
    found = {name: np.zeros(values.shape) for name, values in expected.items()}
    for _ in range(DRAWS):
        with _moved(model.network, generator):
            answers = predict(model, rows, as_served=True)
        for name, values in answers.items():
            found[name] = np.maximum(found[name], scaled_gap(values, expected[name]))
    for name, values in predict(model, _larger(rows), as_served=True).items():
        found[name] = np.where(np.isfinite(values), found[name], np.inf)
    return found


def _larger(rows: Batch) -> Batch:
    with np.errstate(over="ignore"):
        return dataclasses.replace(rows, dense=rows.dense * HEADROOM)


def scaled_gap(answers: NDArray[np.float32], expected: NDArray[np.float32]) -> NDArray[np.float64]:
    """Return `|answers - expected| / max(1, |expected|)`, of the same shape."""
    wide = expected.astype(np.float64)
    with np.errstate(invalid="ignore"):
        return np.asarray(np.abs(answers - wide) / np.maximum(1.0, np.abs(wide)))


@contextlib.contextmanager
def _moved(layers: nn.Module, generator: torch.Generator) -> Iterator[None]:
    def moved(value: Any) -> Any:
        if isinstance(value, list | tuple):
            return type(value)(map(moved, value))
        if not isinstance(value, torch.Tensor) or not value.is_floating_point():
            return value
        return value * (1.0 + STEP * (torch.randint(0, 2, value.shape, generator=generator) * 2 - 1))

    state = [value for value in layers.state_dict().values() if value.is_floating_point()]
    kept = [value.clone() for value in state]
    hook = layers.register_forward_pre_hook(lambda _, read: moved(read))
    try:
        for value in state:
            value.copy_(moved(value))
        yield
    finally:
        hook.remove()
        for value, old in zip(state, kept, strict=True):
            value.copy_(old)
