"""The shape of a model, as written in TOML."""

from typing import Literal

import msgspec

from polyrank.errors import ConfigError

MAX_WIDTH = 65_536


class ModelConfig(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Architecture and sizes of a multi-task ranker.

    Attributes:
        architecture: `shared_bottom`: one trunk, one tower per task (Caruana, Multitask Learning, 1997).
        hidden_dims: widths of the trunk's layers.
        tower_dims: widths of each task tower's hidden layers; the output layer is added.
        batch_norm: normalise every hidden layer over the batch.
        dropout: share of hidden units dropped in training, in [0, 1).
    """

    architecture: Literal["shared_bottom"] = "shared_bottom"
    hidden_dims: tuple[int, ...] = (128, 64)
    tower_dims: tuple[int, ...] = (32,)
    batch_norm: bool = True
    dropout: float = 0.0

    def __post_init__(self) -> None:
        """Check ranges.

        Raises:
            ConfigError: a width or the dropout is out of range.
        """
        if not self.hidden_dims:
            raise ConfigError("$.model.hidden_dims must hold at least one width, got none")
        for field in ("hidden_dims", "tower_dims"):
            for index, width in enumerate(getattr(self, field)):
                if not 1 <= width <= MAX_WIDTH:
                    raise ConfigError(f"$.model.{field}[{index}] must be in [1, {MAX_WIDTH}], got {width}")
        if not 0.0 <= self.dropout < 1.0:
            raise ConfigError(f"$.model.dropout must be in [0, 1), got {self.dropout}")
