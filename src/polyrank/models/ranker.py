"""The multi-task ranker: encoded rows in, one answer per task out."""

import torch
from torch import Tensor, nn

from polyrank.schema import Schema
from polyrank.tasks import Task

from .config import ModelConfig
from .dense import DenseBlock
from .embedding import Embeddings
from .heads import answer
from .layers import mlp


class MultiTaskRanker(nn.Module):
    """Embeddings and numbers, a trunk that all tasks share, and a tower for each task (shared bottom).

    Caruana, Multitask Learning, Machine Learning 28, 1997.
    """

    def __init__(self, schema: Schema, config: ModelConfig) -> None:
        super().__init__()
        self.tasks = schema.tasks
        self.embeddings = Embeddings(schema) if schema.hashed_features else None
        self.dense = DenseBlock(schema) if schema.dense_features else None
        input_dim = sum(part.output_dim for part in (self.embeddings, self.dense) if part is not None)
        self.bottom = mlp(input_dim, config.hidden_dims, batch_norm=config.batch_norm, dropout=config.dropout)
        self.towers = nn.ModuleDict({_tower_name(task): self._tower(config) for task in schema.tasks})

    @staticmethod
    def _tower(config: ModelConfig) -> nn.Sequential:
        hidden = mlp(config.hidden_dims[-1], config.tower_dims, batch_norm=config.batch_norm, dropout=config.dropout)
        return nn.Sequential(*hidden, nn.Linear((config.hidden_dims + config.tower_dims)[-1], 1))

    def forward(self, ids: Tensor | None, dense: Tensor | None, weights: Tensor | None = None) -> dict[str, Tensor]:
        """Return each task's logit.

        Args:
            ids: int64 (B, S) fingerprints; None when the schema has no hashed feature.
            dense: float32 (B, D) raw numbers; None when no feature of the schema is a number.
            weights: float32 (B, W) of the values of weighted bags; None when no bag is weighted.

        Returns:
            float32 (B, 1) by task name.
        """
        parts = []
        if self.embeddings is not None:
            parts.append(self.embeddings(ids, weights))
        if self.dense is not None:
            parts.append(self.dense(dense))
        shared = self.bottom(torch.cat(parts, dim=1))  # (B, H)
        return {task.name: self.towers[_tower_name(task)](shared) for task in self.tasks}

    def answers(self, ids: Tensor | None, dense: Tensor | None, weights: Tensor | None = None) -> dict[str, Tensor]:
        """Return each task's answer in label units, float32 (B, 1): a probability for a binary task."""
        logits = self(ids, dense, weights)
        return {task.name: answer(task, logits[task.name]) for task in self.tasks}


def _tower_name(task: Task) -> str:
    """Return the task's name, after a 0, with which no task's begins, where PyTorch's own containers have that name."""
    return f"0{task.name}" if hasattr(nn.ModuleDict(), task.name) else task.name
