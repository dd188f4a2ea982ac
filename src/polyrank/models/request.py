"""A trained ranker that answers requests: one user with many items."""

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from polyrank.schema import Schema
from polyrank.signature import Combination

from .half_inputs import HalfInputs, Rows
from .ranker import Inputs, MultiTaskRanker

SMALLEST_ANSWER = 1e-12
"""What a weighted product takes for an answer of 0 or below."""


class RequestRanker(nn.Module):
    """A ranker over one user and items: what the user alone decides is computed once.

    The answers are those of the ranker to rows that repeat the user, up to the order in which 32-bit sums are taken.
    """

    def __init__(self, ranker: MultiTaskRanker, schema: Schema, combination: Combination = "sum") -> None:
        super().__init__()
        self.ranker, self.combination = ranker, combination
        self.inputs = nn.ModuleList(HalfInputs(part, schema) for part in ranker.inputs if isinstance(part, Inputs))
        self.scored = scored_tasks(schema)

    def forward(self, user: Rows, item: Rows, task_weights: Tensor) -> tuple[dict[str, Tensor], Tensor]:
        """Answer a request.

        Args:
            user: rows (1, ·) of the user's half.
            item: rows (N, ·) of the items' half.
            task_weights: float32 (K,) of the tasks with one answer, in the order of the schema.

        Returns:
            What is served of each task, float32 (N, columns) by output, and the score that combines them, float32
            (N, 1): the sum of the answers times their weights, or the product of the answers to the power of theirs.
        """
        logits: Tensor = self.ranker.network([part(user, item) for part in self.inputs])
        outputs = self.ranker.outputs_of(logits)
        return outputs, combined(outputs, self.scored, task_weights, self.combination)


def scored_tasks(schema: Schema) -> list[str]:
    """Name the tasks whose answer is one number, which a score can weigh."""
    return [task.name for task in schema.tasks if task.num_answers == 1]


def combined(answers: Mapping[str, Tensor], names: list[str], weights: Tensor, combination: Combination) -> Tensor:
    """Combine the answers (N, 1) of tasks by weights (K,): (N, 1)."""
    side_by_side = torch.cat([answers[name] for name in names], dim=1)
    if combination == "sum":
        return side_by_side @ weights.unsqueeze(1)
    return (side_by_side.clamp(min=SMALLEST_ANSWER).log() @ weights.unsqueeze(1)).exp()
