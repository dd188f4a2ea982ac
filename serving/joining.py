"""The parts of a call that is too large for one request: what goes out, and what comes back."""

from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

from polyrank.encoder import Batch

from .caller import Answered
from .calls import Reply

Answers = dict[str, NDArray[np.float32]]
"""float32 (B, 1) by output; (B, C) of one with several columns."""


def joined(answers: Sequence[Answered[Reply]]) -> Answers:
    """Join the answers to the parts of a call."""
    first = answers[0].answer.tensors
    if len(answers) == 1:
        return first
    return {name: np.concatenate([reply.tensors[name] for reply, _ in answers]) for name in first}


def parts_of(batch: Batch, size: int) -> Iterable[Batch]:
    """Return a batch in parts of up to `size` rows, which share its memory."""
    if len(batch) <= size:
        return (batch,)
    return (batch[start : start + size] for start in range(0, len(batch), size))
