"""Tasks that follow one another, such as click and purchase: their probabilities over all rows.

The tasks of a chain are trained on all rows: what was not clicked was not bought either. A logit of theirs is that of
the probability that the task and all before it come true.
"""

import itertools
from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional

from polyrank.schema import Schema
from polyrank.tasks import Task

from .config import ModelConfig

CLOSEST_TO_CERTAIN = -1e-7
"""Largest logarithm of a probability: above it there is no logit of 32 bits."""


class Chain(NamedTuple):
    """Tasks that follow one another: their positions in the schema, and the columns of their logits."""

    tasks: tuple[int, ...]
    columns: tuple[int, ...]


def chain_of(schema: Schema, config: ModelConfig) -> Chain | None:
    """Find the tasks that follow one another, under an architecture that has such.

    Raises:
        ConfigError: the schema has no such tasks.
    """
    positions = config.chained_tasks(schema)
    starts = (sum(task.num_logits for task in schema.tasks[:position]) for position in positions)
    return Chain(positions, tuple(starts)) if positions else None


def joint_logits(logits: Tensor, chain: Chain) -> Tensor:
    """Turn logits (B, O) of tasks of a chain, given the one before, into those of all up to each coming true.

    Ma et al., Entire Space Multi-Task Model, SIGIR 2018, equation 2.
    """
    columns = list(logits.unbind(1))
    log_probability = functional.logsigmoid(columns[chain.columns[0]])
    for index in chain.columns[1:]:
        log_probability = log_probability + functional.logsigmoid(columns[index])
        certain = log_probability.clamp(max=CLOSEST_TO_CERTAIN)
        columns[index] = certain - torch.log(-torch.expm1(certain))
    return torch.stack(columns, dim=1)


def entire_space_labels(labels: Tensor, chain: Chain) -> Tensor:
    """Return labels (B, T) with 0 for a task of a chain where the one before is 0; others as they are."""
    columns = list(labels.unbind(1))
    for before, after in itertools.pairwise(chain.tasks):
        columns[after] = torch.where(columns[before] == 0, 0.0, columns[after])
    return torch.stack(columns, dim=1)


def conditional_probabilities(logits: Tensor, tasks: Sequence[Task], chain: Chain) -> dict[str, Tensor]:
    """Return probabilities (B, 1) by task, of the chain: given the one before, where its labels are so (`when`)."""
    found: dict[str, Tensor] = {}
    before: Tensor | None = None
    for position, column in zip(chain.tasks, chain.columns, strict=True):
        joint = functional.logsigmoid(logits[:, column].unsqueeze(1))
        given = joint if before is None or tasks[position].when is None else joint - before
        found[tasks[position].name] = given.clamp(max=0.0).exp()
        before = joint
    return found


def disorder(logits: Tensor, chain: Chain) -> Tensor:
    """Return how far tasks are more probable than the one before, on average over rows (B, O), added up.

    Xi et al., AITM, KDD 2021, section 3.4, equation 9.
    """
    probabilities = torch.sigmoid(logits[:, list(chain.columns)])
    return (probabilities[:, 1:] - probabilities[:, :-1]).relu().mean(0).sum()
