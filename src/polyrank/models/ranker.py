"""The multi-task ranker: encoded rows in, one answer per task out."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from polyrank.schema import Schema
from polyrank.tasks import PROBABILITIES, OrdinalTask

from . import chain as chains
from .answering_module import AnsweringModule
from .architectures import build_architecture, num_inputs
from .calibration import Calibration
from .config import ModelConfig
from .dense import DenseBlock
from .embedding import Embeddings
from .halves import Halves
from .heads import answer, level_probabilities, losses, split
from .interactions import CrossNetwork, FactorizationMachine
from .memory import require_layer_memory, require_memory
from .towers import Baseline, Towers, num_outputs


class Inputs(nn.Module):
    """Everything that is looked up or transformed: encoded rows to what the layers read."""

    def __init__(self, schema: Schema) -> None:
        super().__init__()
        self.embeddings = Embeddings(schema) if schema.hashed_features else None
        self.dense = DenseBlock(schema) if schema.dense_features else None
        self.output_dim = sum(part.output_dim for part in (self.embeddings, self.dense) if part is not None)
        self.fields = [] if self.embeddings is None else self.embeddings.fields

    def forward(self, ids: Tensor | None, dense: Tensor | None, weights: Tensor | None = None) -> Tensor:
        """Look up and transform: see `MultiTaskRanker.forward`; float32 (B, I), embedding vectors first."""
        parts = []
        if self.embeddings is not None:
            parts.append(self.embeddings(ids, weights))
        if self.dense is not None:
            parts.append(self.dense(dense))
        return torch.cat(parts, dim=1) if len(parts) > 1 else parts[0]


class Network(nn.Module):
    """Everything but the lookups: what the layers read to the logits of all tasks."""

    def __init__(self, schema: Schema, config: ModelConfig, inputs: Inputs) -> None:
        super().__init__()
        self.chain = chains.chain_of(schema, config)
        self.layers = build_architecture(inputs.output_dim, schema, config) if config.interaction != "fm" else None
        self.shares_input = config.architecture != "single_task"
        self.num_inputs = num_inputs(schema, config)
        self.crosses = nn.ModuleList(
            CrossNetwork(inputs.output_dim, config.cross_layers, config.cross_rank)
            for _ in range(self.num_inputs if config.interaction == "dcn_v2" else 0)
        )
        widths = [num_outputs(task) for task in schema.tasks]
        groups = [sum(widths)] if self.shares_input else widths
        self.machines = nn.ModuleList(
            FactorizationMachine(inputs.output_dim, inputs.fields, group)
            for group in (groups if config.interaction in ("deepfm", "fm") else ())
        )
        self.towers: nn.Module | None = (
            None if self.layers is None else Towers(schema.tasks, self.layers.output_dim, config)
        )
        self.baseline = Baseline(schema.tasks)

    def forward(self, inputs: Sequence[Tensor | Halves]) -> Tensor:
        """Map float32 (B, I) each, or halves of them, to logits (B, O)."""
        parts = []
        if self.layers is not None and self.towers is not None:
            crosses = zip(self.crosses, inputs, strict=True)
            parts.append(self.towers(self.layers([cross(part) for cross, part in crosses] if self.crosses else inputs)))
        if self.machines:
            # Of several inputs that tasks share, the last is that of all tasks.
            own = zip(self.machines, inputs[-1:] if self.shares_input else inputs, strict=True)
            parts.append(torch.cat([machine(part) for machine, part in own], dim=1))
        logits: Tensor = self.baseline(sum(parts[1:], start=parts[0]))
        return logits

    def shared_parameters(self) -> list[nn.Parameter]:
        """Return the parameters that several tasks train."""
        parts = [] if self.layers is None else self.layers.shared_parts()
        crosses = list(self.crosses)[-1:] if self.shares_input else []
        return [parameter for part in (*parts, *crosses) for parameter in part.parameters()]

    def shared_inputs(self, inputs: Sequence[Tensor]) -> Sequence[Tensor]:
        """Return those of the inputs that several tasks read; all where each task reads its own, and none is shared."""
        return inputs[-1:] if self.shares_input else inputs


class MultiTaskRanker(AnsweringModule):
    """Lookups, the layers of an architecture, and towers."""

    network: Network

    def __init__(self, schema: Schema, config: ModelConfig) -> None:
        super().__init__()
        require_memory(schema, "the model", copies=num_inputs(schema, config))
        self.tasks = schema.tasks
        self.calibrator = config.calibrator if config.architecture == "aitm" else 0.0
        first = Inputs(schema)
        with torch.device("meta"):
            require_layer_memory(Network(schema, config, first), "the model")
        self.network = Network(schema, config, first)
        others = [Inputs(schema) for _ in range(self.network.num_inputs - 1)]
        self.inputs = nn.ModuleList([first, *others])
        self.calibration = Calibration(schema.tasks, config.calibration)

    def forward(self, ids: Tensor | None, dense: Tensor | None, weights: Tensor | None = None) -> Tensor:
        """Return the logits of all tasks side by side; `heads.split` takes them apart.

        Args:
            ids: int64 (B, S) fingerprints; None when the schema has no hashed feature.
            dense: float32 (B, D) raw numbers; None when no feature of the schema is a number.
            weights: float32 (B, W) of the values of weighted bags; None when no bag is weighted.

        Returns:
            float32 (B, O).
        """
        logits: Tensor = self.network([part(ids, dense, weights) for part in self.inputs])
        return logits

    def answers(self, ids: Tensor | None, dense: Tensor | None, weights: Tensor | None = None) -> dict[str, Tensor]:
        """Return each task's answer in label units, float32 (B, num_answers): a probability for a binary task."""
        return self.answers_of(self(ids, dense, weights))

    def answers_of(self, logits: Tensor) -> dict[str, Tensor]:
        """Return each task's answer, float32 (B, num_answers), of logits (B, O)."""
        parts = self.calibration(split(self.tasks, self.answered_logits(logits)))
        found = {task.name: answer(task, own) for task, own in zip(self.tasks, parts, strict=True)}
        chain = self.network.chain
        if chain is not None and not chain.multiplies:
            found |= chains.conditional_probabilities(parts, self.tasks, chain)
        return found

    def outputs(self, ids: Tensor | None, dense: Tensor | None, weights: Tensor | None = None) -> dict[str, Tensor]:
        """Return what is served, float32 (B, columns) by output: answers, and the probabilities of ordinal levels."""
        return self.outputs_of(self(ids, dense, weights))

    def outputs_of(self, logits: Tensor) -> dict[str, Tensor]:
        """Return what is served of logits (B, O), in the order of `Task.outputs`, task by task."""
        answers, found = self.answers_of(logits), {}
        for task, own in zip(self.tasks, split(self.tasks, logits), strict=True):
            found[task.name] = answers[task.name]
            if isinstance(task, OrdinalTask):
                found[task.name + PROBABILITIES] = level_probabilities(own)
        return found

    def answered_logits(self, logits: Tensor) -> Tensor:
        """Return what is calibrated and answered, of logits (B, O): see `chain.answered_logits`."""
        chain = self.network.chain
        return logits if chain is None else chains.answered_logits(logits, self.tasks, chain)

    def answered_labels(self, labels: Tensor) -> Tensor:
        """Return the labels (B, T), NaN where unobserved, that `answered_logits` stand for."""
        chain = self.network.chain
        return labels if chain is None else chains.answered_labels(labels, self.tasks, chain)

    def losses(
        self, logits: Tensor, labels: Tensor, weights: Tensor | None = None, counts: Tensor | None = None
    ) -> Tensor:
        """Return the mean loss of each task, (T,), of logits (B, O), labels (B, T) and weights of rows (B,).

        `counts` are those of the batch that the rows are a part of, as `label_counts` gives them: the losses of its
        parts add up to its mean losses.
        """
        chain = self.network.chain
        if chain is not None:
            labels = chains.entire_space_labels(labels, chain)
            logits = chains.joint_logits(logits, chain) if chain.multiplies else logits
        found = losses(self.tasks, logits, labels, weights, None if counts is None else counts[:-1])
        if chain is not None and self.calibrator:
            penalty = chains.disorder(logits, chain, None if counts is None else counts[-1])
            is_last = torch.arange(len(found), device=found.device) == chain.tasks[-1]
            found = found + torch.where(is_last, self.calibrator * penalty, 0.0)
        return found

    def label_counts(self, labels: Tensor) -> Tensor:
        """Count the labels (B, T) that `losses` takes for observed, of each task, and the rows: int64 (T + 1,)."""
        if self.network.chain is not None:
            labels = chains.entire_space_labels(labels, self.network.chain)
        return torch.cat([(~labels.isnan()).sum(0), torch.tensor([len(labels)], device=labels.device)])
