"""Tasks that follow one another, such as click and purchase: their probabilities over all rows.

The tasks of a chain are trained on all rows: what was not clicked was not bought either. Under `esmm` a logit of
theirs is given the task before, and the loss is that of the product; under `aitm` it is over all rows.
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


class Chain(NamedTuple):
    """Tasks that follow one another.

    Attributes:
        tasks: their positions in the schema.
        columns: of their logits.
        multiplies: a logit is given the task before, not over all rows.
    """

    tasks: tuple[int, ...]
    columns: tuple[int, ...]
    multiplies: bool


def chain_of(schema: Schema, config: ModelConfig) -> Chain | None:
    """Find the tasks that follow one another, under an architecture that has such.

    Raises:
        ConfigError: the schema has no such tasks.
    """
    positions = config.chained_tasks(schema)
    starts = (sum(task.num_logits for task in schema.tasks[:position]) for position in positions)
    return Chain(positions, tuple(starts), config.architecture == "esmm") if positions else None


def joint_logits(logits: Tensor, chain: Chain) -> Tensor:
    """Turn logits (B, O) of tasks of a chain, given the one before, into those of all up to each coming true.

    Ma et al., Entire Space Multi-Task Model, SIGIR 2018, equation 2. The complement of a product is
    `1 - p q = (1 - p) + p (1 - q)`, whose logarithm is exact where a difference from 1 is not.
    """
    columns = list(logits.unbind(1))
    first = columns[chain.columns[0]]
    all_true, not_all = functional.logsigmoid(first), functional.logsigmoid(-first)
    for index in chain.columns[1:]:
        not_all = torch.logaddexp(not_all, all_true + functional.logsigmoid(-columns[index]))
        all_true = all_true + functional.logsigmoid(columns[index])
        columns[index] = all_true - not_all
    return torch.stack(columns, dim=1)


def entire_space_labels(labels: Tensor, chain: Chain) -> Tensor:
    """Return labels (B, T) with 0 for a task of a chain where the one before is 0; others as they are."""
    columns = list(labels.unbind(1))
    for before, after in itertools.pairwise(chain.tasks):
        columns[after] = torch.where(columns[before] == 0, 0.0, columns[after])
    return torch.stack(columns, dim=1)


def answered_logits(logits: Tensor, tasks: Sequence[Task], chain: Chain) -> Tensor:
    """Return logits (B, O) in which those of the chain are over all rows.

    Under `esmm` those of a task with `when` stay given the task before, as its labels are. Under `aitm` they cannot be:
    a probability near 1 is the ratio of two whose last bits decide its logit.
    """
    if not chain.multiplies:
        return logits
    own, joint = logits.unbind(1), list(joint_logits(logits, chain).unbind(1))
    for position, column in zip(chain.tasks, chain.columns, strict=True):
        if tasks[position].when is not None:
            joint[column] = own[column]
    return torch.stack(joint, dim=1)


def answered_labels(labels: Tensor, tasks: Sequence[Task], chain: Chain) -> Tensor:
    """Return the labels (B, T) that `answered_logits` stand for."""
    own, everywhere = labels.unbind(1), list(entire_space_labels(labels, chain).unbind(1))
    for position in chain.tasks:
        if chain.multiplies and tasks[position].when is not None:
            everywhere[position] = own[position]
    return torch.stack(everywhere, dim=1)


def conditional_probabilities(logits: Sequence[Tensor], tasks: Sequence[Task], chain: Chain) -> dict[str, Tensor]:
    """Return the probabilities (B, 1) given the task before of those whose labels are so (`when`), by name.

    Args:
        logits: (B, num_logits) of each task, over all rows.
        tasks: of the schema.
        chain: which follow one another.
    """
    found: dict[str, Tensor] = {}
    for before, after in itertools.pairwise(chain.tasks):
        if tasks[after].when is not None:
            given = functional.logsigmoid(logits[after]) - functional.logsigmoid(logits[before])
            found[tasks[after].name] = given.clamp(max=0.0).exp()
    return found


def disorder(logits: Tensor, chain: Chain, num_rows: Tensor | None = None) -> Tensor:
    """Return how far tasks are more probable than the one before, on average over rows (B, O), added up.

    `num_rows` is a scalar, of the batch that the rows are a part of: gives their part of the average.

    Xi et al., AITM, KDD 2021, section 3.4, equation 9.
    """
    probabilities = torch.sigmoid(logits[:, list(chain.columns)])
    excess = (probabilities[:, 1:] - probabilities[:, :-1]).relu()
    return excess.mean(0).sum() if num_rows is None else excess.sum() / num_rows
