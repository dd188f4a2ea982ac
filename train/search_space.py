"""Where `polyrank tune` searches, as written in TOML."""

import math

import msgspec

from polyrank.errors import ConfigError

Range = tuple[float, float]
"""Lowest and highest value; of equal ones, that value."""


class SearchSpace(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Values that are tried. What is left out is searched around the configuration, as docs/training.md says.

    Attributes:
        lr: of `optimizer.lr`, on a log scale.
        embedding_lr: of `optimizer.embedding_lr`, on a log scale.
        dropout: of `model.dropout`.
        hidden_dims: choices of `model.hidden_dims`.
        num_experts: choices of `model.num_experts`.
        batch_size: choices of `batch_size`; left out, it is not searched.
        task_weights: what the weight of each task but the first is multiplied by, on a log scale.
    """

    lr: Range | None = None
    embedding_lr: Range | None = None
    dropout: Range | None = None
    hidden_dims: tuple[tuple[int, ...], ...] = ()
    num_experts: tuple[int, ...] = ()
    batch_size: tuple[int, ...] = ()
    task_weights: Range | None = None

    def __post_init__(self) -> None:
        """Check ranges.

        Raises:
            ConfigError: ends of a range are out of order or out of what the value may be.
        """
        for name in ("lr", "embedding_lr", "task_weights"):
            ends = getattr(self, name)
            if ends is not None and not 0.0 < ends[0] <= ends[1] < math.inf:
                raise ConfigError(f"$.tune.{name} must be two numbers above 0, the lower one first, got {list(ends)}")
        if self.dropout is not None and not 0.0 <= self.dropout[0] <= self.dropout[1] < 1.0:
            raise ConfigError(
                f"$.tune.dropout must be two numbers in [0, 1), the lower one first, got {list(self.dropout)}"
            )
