"""Raw numbers to normalised inputs, inside the model, so that a client sends them as they are."""

import torch
from torch import Tensor, nn

from polyrank.schema import Schema


class NumericBlock(nn.Module):
    """Applies log1p and standardisation, and replaces a missing value by the mean beside an indicator.

    Statistics come from the schema, where training has written them; a feature without them counts as mean 0, std 1.
    """

    uses_log1p: Tensor  # (D,)
    mean: Tensor  # (D,)
    shift: Tensor  # (D,)
    scale: Tensor  # (D,)

    def __init__(self, schema: Schema) -> None:
        super().__init__()
        features = schema.numeric_features
        standardized = ["standardize" in feature.transform for feature in features]
        means = [0.0 if feature.mean is None else feature.mean for feature in features]
        stds = [1.0 if feature.std is None else feature.std for feature in features]
        # Constants of the schema, not weights: left out of the checkpoint.
        self.register_buffer("uses_log1p", torch.tensor(["log1p" in f.transform for f in features]), persistent=False)
        self.register_buffer("mean", torch.tensor(means), persistent=False)
        pairs = list(zip(standardized, means, stds, strict=True))
        self.register_buffer("shift", torch.tensor([mean if on else 0.0 for on, mean, _ in pairs]), persistent=False)
        self.register_buffer("scale", torch.tensor([std if on else 1.0 for on, _, std in pairs]), persistent=False)
        self.output_dim = 2 * len(features)

    def forward(self, dense: Tensor) -> Tensor:
        """Normalise.

        Args:
            dense: float32 (B, D), NaN where missing.

        Returns:
            float32 (B, 2 D): normalised values, then 1 where the value was missing.
        """
        absent = dense.isnan()
        # A foreign client may send what our encoder refuses; 0 is then the nearest number that log1p takes.
        logged = torch.where(self.uses_log1p, torch.log1p(dense.clamp(min=0.0)), dense)
        filled = torch.where(absent, self.mean, logged)
        return torch.cat([(filled - self.shift) / self.scale, absent.to(dense.dtype)], dim=1)
