"""How to train, as written in TOML."""

from pathlib import Path
from typing import Literal, Self

import msgspec

from polyrank.errors import ConfigError
from polyrank.files import UTF8, check_encoding
from polyrank.located import load_toml
from polyrank.models import ModelConfig

from .balancing.config import BalancingConfig
from .config_sections import (
    CheckpointConfig,
    EarlyStoppingConfig,
    OptimizerConfig,
    RareIdsConfig,
    ValidationConfig,
    require,
)
from .search_space import SearchSpace

MAX_AUTO_EPOCHS = 5


class TrainConfig(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Everything that decides a training run, with the data and the schema.

    Attributes:
        epochs: passes over the training rows. `auto` ends after the first that makes the validation of all tasks
            together no better, at most 5, and keeps the weights of the best: sparse ids overfit in a second, others do
            not.
        batch_size: rows in a step.
        seed: of initial weights, row order and dropout; with one thread the same seed on the same machine
            gives the same weights, bit for bit.
        threads: CPU threads of training and validation. Batch norm adds up each thread's rows apart, so another number
            gives other weights.
        precision: of the layers: `float32`, or `bfloat16` where it loses nothing by it (torch.autocast); weights,
            embeddings and losses are 32 bits in both.
        compile: whether torch.compile translates the layers; `auto` does for trainings that are long enough to win by
            it. The first steps run without.
        ema_decay: trains on, and keeps the exponential moving average of all weights and running statistics of batch
            norm, with this decay a step, in (0, 1); None keeps the last weights.
        memory_mb: MiB of encoded training rows that are in memory at a time, in [1, 2**20). Rows that take more are
            shuffled in shards, and within as many shards as fit.
        encoding: of CSV and JSON Lines files.
        model: architecture and sizes.
        optimizer: learning rates.
        rare_ids: what a model learns of ids that it hardly knows.
        validation: which rows validate.
        early_stopping: when training ends before its last epoch; None never.
        balancing: how the tasks' losses become one step.
        checkpoint: how often the state of the training is kept, to go on from when it is interrupted.
        task_weights: of the losses, by task; takes the place of the schema's `weight` of each task that it names.
        tune: where `polyrank tune` searches; training does not read it.
    """

    epochs: int | Literal["auto"] = "auto"
    batch_size: int = 1024
    seed: int = 0
    threads: int = 1
    precision: Literal["float32", "bfloat16"] = "float32"
    compile: bool | Literal["auto"] = "auto"
    ema_decay: float | None = None
    memory_mb: int = 512
    encoding: str = UTF8
    model: ModelConfig = ModelConfig()
    optimizer: OptimizerConfig = OptimizerConfig()
    rare_ids: RareIdsConfig = RareIdsConfig()
    validation: ValidationConfig = ValidationConfig()
    early_stopping: EarlyStoppingConfig | None = None
    balancing: BalancingConfig = BalancingConfig()
    checkpoint: CheckpointConfig = CheckpointConfig()
    task_weights: dict[str, float] = {}
    tune: SearchSpace | None = None

    def __post_init__(self) -> None:
        """Check ranges."""
        require("epochs", self.max_epochs, "in [1, 2**31)", holds=1 <= self.max_epochs < 2**31)
        require("batch_size", self.batch_size, "in [2, 2**31)", holds=2 <= self.batch_size < 2**31)  # noqa: PLR2004
        require("seed", self.seed, "in [0, 2**63)", holds=0 <= self.seed < 2**63)
        require("threads", self.threads, "in [1, 1024]", holds=1 <= self.threads <= 1024)  # noqa: PLR2004
        require("memory_mb", self.memory_mb, "in [1, 2**20)", holds=1 <= self.memory_mb < 2**20)
        if self.ema_decay is not None:
            require("ema_decay", self.ema_decay, "in (0, 1)", holds=0.0 < self.ema_decay < 1.0)
        check_encoding("$.encoding", self.encoding)
        for task, weight in self.task_weights.items():
            require(f"task_weights.{task}", weight, "above 0", holds=weight > 0.0)
        self.balancing.check(epochs=self.max_epochs, compiles=self.compile is True)
        if self.optimizer.schedule == "cosine" and self.epochs == "auto":
            raise ConfigError(
                "$.optimizer.schedule = 'cosine' ends with the last step, which $.epochs = 'auto' does not know; "
                "give a number of epochs"
            )

    @property
    def max_epochs(self) -> int:
        """Passes over the training rows, at most."""
        return MAX_AUTO_EPOCHS if self.epochs == "auto" else self.epochs

    @property
    def keeps_best(self) -> bool:
        """Whether training may end early, and keeps the weights of its best validation."""
        return self.epochs == "auto" or self.early_stopping is not None

    @classmethod
    def load(cls, path: str | Path) -> Self:
        """Read a TOML file.

        Raises:
            ConfigError: the file cannot be read, is not TOML, or holds a wrong key or value.
        """
        return load_toml(path, cls, "configuration")
