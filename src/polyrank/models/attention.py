"""A sequence pooled by how each of its values fits a target."""

import torch
from torch import Tensor, nn
from torch.nn import functional

HIDDEN_DIM = 36
"""Of the activation unit, as in the paper's figure 2."""


class TargetAttention(nn.Module):
    """The sum of the vectors of a sequence, each times what an activation unit gives for it and the target.

    Zhou et al., Deep Interest Network for Click-Through Rate Prediction, KDD 2018, section 4.3, equation 3. The unit
    sees both vectors, their difference and their product by component. What it gives need not add up to 1, so that
    the strength of an interest is kept.
    """

    def __init__(self, embedding_dim: int) -> None:
        super().__init__()
        self.unit = nn.Sequential(nn.Linear(4 * embedding_dim, HIDDEN_DIM), nn.PReLU(), nn.Linear(HIDDEN_DIM, 1))

    @property
    def first(self) -> nn.Linear:
        """The first layer of the unit."""
        layer = self.unit[0]
        assert isinstance(layer, nn.Linear)  # noqa: S101 (tells the type checker)
        return layer

    def forward(self, vectors: Tensor, present: Tensor, target: Tensor) -> Tensor:
        """Pool; zero where no value is present.

        Args:
            vectors: float32 (B, L, D) of the sequence.
            present: bool (B, L).
            target: float32 (B, D).

        Returns:
            float32 (B, D).
        """
        wide = target.unsqueeze(1).expand_as(vectors)  # (B, L, D)
        strength = self.unit(torch.cat([vectors, wide, vectors - wide, vectors * wide], dim=2))  # (B, L, 1)
        return (vectors * torch.where(present.unsqueeze(2), strength, 0.0)).sum(1)

    def of_one(self, vectors: Tensor, present: Tensor, targets: Tensor) -> Tensor:
        """Pool one sequence for many targets: what of the unit's first layer is the sequence's own is taken once.

        Its weight for a target's components, times those of the sequence's vectors, is a matrix for the targets alone.

        Args:
            vectors: float32 (1, L, D) of the sequence.
            present: bool (1, L).
            targets: float32 (N, D).

        Returns:
            float32 (N, D).
        """
        own, wide, difference, product = self.first.weight.chunk(4, dim=1)  # (H, D) each
        of_sequence = functional.linear(vectors, own + difference, self.first.bias)  # (1, L, H)
        of_targets = functional.linear(targets, wide - difference).unsqueeze(1)  # (N, 1, H)
        matrix = vectors[0].unsqueeze(1) * product  # (L, H, D)
        crossed = functional.linear(targets, matrix.flatten(0, 1)).view(-1, *matrix.shape[:2])  # (N, L, H)
        strength = self.unit[1:]((crossed + of_sequence + of_targets).flatten(0, 1)).view(-1, matrix.shape[0])
        pooled: Tensor = torch.where(present, strength, 0.0) @ vectors[0]
        return pooled
