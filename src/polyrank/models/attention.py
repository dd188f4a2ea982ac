"""A sequence pooled by how each of its values fits a target."""

import torch
from torch import Tensor, nn

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
