"""PLE: experts of each task beside shared ones, in layers."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from polyrank.models.config import ModelConfig
from polyrank.models.fused import can_gate, gated
from polyrank.models.halves import Halves, repeated
from polyrank.models.layers import FannedLinear, GroupedLinear, GroupedMLP, Linear

from .sharing import Architecture, mixed


class ProgressiveLayeredExtraction(Architecture):
    """Layers of experts: a task reads its own and the shared ones, the shared part reads all.

    Tang et al., Progressive Layered Extraction (PLE): A Novel Multi-Task Learning Model for Personalized
    Recommendations, RecSys 2020, section 4. With one layer it is the paper's CGC.
    """

    def __init__(self, input_dim: int, num_tasks: int, config: ModelConfig) -> None:
        super().__init__()
        dims = [input_dim] + [config.hidden_dims[-1]] * (config.num_extraction_layers - 1)
        self.extractions = nn.ModuleList(
            Extraction(dim, num_tasks, config, is_first=index == 0, is_last=index == len(dims) - 1)
            for index, dim in enumerate(dims)
        )
        self.output_dim = config.hidden_dims[-1]

    def shared_parts(self) -> list[nn.Module]:
        """Return the layers that several tasks train.

        The shared gate of a layer that is not the last hands what every task's experts found to all tasks; so these
        experts are trained by all, and of the layers before also the gates that choose what they read.
        """
        parts: list[nn.Module] = []
        for layers_after, extraction in zip(reversed(range(len(self.extractions))), self.extractions, strict=True):
            assert isinstance(extraction, Extraction)  # noqa: S101 (tells the type checker)
            parts.append(extraction.shared_experts)
            if extraction.shared_gate is not None:
                parts += [extraction.task_experts, extraction.shared_gate]
            if layers_after > 1:
                parts.append(extraction.task_gates)
        return parts

    def forward(self, inputs: Sequence[Tensor | Halves]) -> Tensor:
        """Represent rows: (B, I) to (B, T, H)."""
        of_tasks: Tensor | Halves = inputs[0]
        shared = of_tasks
        for extraction in self.extractions:
            of_tasks, shared = extraction(of_tasks, shared)
        return of_tasks  # type: ignore[return-value]


class Extraction(nn.Module):
    """One layer: experts and gates of each task, and of the shared part unless it is the last."""

    def __init__(self, input_dim: int, num_tasks: int, config: ModelConfig, *, is_first: bool, is_last: bool) -> None:
        super().__init__()
        self.num_tasks, own, common = num_tasks, config.num_task_experts, config.num_experts
        options, dims = config.layer_options, config.hidden_dims
        self.task_experts = GroupedMLP(num_tasks * own, input_dim, dims, shares_input=is_first, options=options)
        self.shared_experts = GroupedMLP(common, input_dim, dims, shares_input=True, options=options)
        linear = FannedLinear if is_first else GroupedLinear
        self.task_gates = linear(num_tasks, input_dim, own + common, bias=False)
        self.shared_gate = None if is_last else Linear(input_dim, num_tasks * own + common, bias=False)
        self.own = own
        shared = range(num_tasks * own, num_tasks * own + common)
        self.reads = [expert for task in range(num_tasks) for expert in (*range(task * own, (task + 1) * own), *shared)]
        self.all_experts = range(num_tasks * own + common)

    def forward(self, of_tasks: Tensor | Halves, shared: Tensor | Halves) -> tuple[Tensor, Tensor | Halves]:
        """Extract: (B, T, I), or (B, I) at first, and (B, I) to (B, T, H) and (B, H)."""
        own = self.task_experts(of_tasks if of_tasks is shared else repeated(of_tasks, self.own))  # (B, T * own, H)
        common = self.shared_experts(shared)  # (B, common, H)
        outputs = self._of_tasks(self.task_gates(of_tasks), own, common)  # (B, T, H)
        if self.shared_gate is None:
            return outputs, shared
        gate = self.shared_gate(shared).unsqueeze(1)  # (B, 1, T * own + common)
        if can_gate(gate, own, common):
            return outputs, gated(gate, self.all_experts, own, common).squeeze(1)
        return outputs, mixed(torch.cat([own, common], dim=1), gate.softmax(2)).squeeze(1)

    def _of_tasks(self, gates: Tensor, own: Tensor, common: Tensor) -> Tensor:
        """Add up each task's own experts (B, T * own, H) and the common ones, by gates (B, T, own + common)."""
        if can_gate(gates, own, common):
            return gated(gates, self.reads, own, common)
        weights = gates.softmax(2)
        by_task = own.reshape(-1, self.num_tasks, self.own, own.shape[2])  # (B, T, own, H)
        return (weights[:, :, : self.own].unsqueeze(3) * by_task).sum(2) + mixed(common, weights[:, :, self.own :])
