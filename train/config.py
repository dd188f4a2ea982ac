"""How to train, as written in TOML."""

import math
from pathlib import Path
from typing import Literal, Self

import msgspec

from polyrank.errors import ConfigError
from polyrank.files import UTF8, check_encoding
from polyrank.models import ModelConfig
from polyrank.schema import located_message


def _require(path: str, value: float, limit: str, *, holds: bool) -> None:
    if not (holds and abs(value) < math.inf):
        raise ConfigError(f"$.{path} must be {limit}, got {value}")


class OptimizerConfig(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Learning rates.

    Attributes:
        lr: of AdamW, for all but the embedding tables.
        embedding_lr: of row-wise Adagrad, for the embedding tables; wants a larger rate than Adam.
        weight_decay: of AdamW, decoupled.
    """

    lr: float = 1e-3
    embedding_lr: float = 0.05
    weight_decay: float = 1e-5

    def __post_init__(self) -> None:
        """Check ranges."""
        for field in ("lr", "embedding_lr"):
            _require(f"optimizer.{field}", getattr(self, field), "above 0", holds=getattr(self, field) > 0.0)
        _require("optimizer.weight_decay", self.weight_decay, "0 or above", holds=self.weight_decay >= 0.0)


class ValidationConfig(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which rows validate.

    Attributes:
        split: `time`: the newest rows; `random`: a random share; `group`: a random share of the values of the schema's
            group column, so that none is on both sides; `column`: what `column` says. None takes `column` where
            `column` is given, `time` where the schema has a time column, else `random`.
        column: text column that says `train` or `validation` in each row.
        hours: the newest hours of the data; of a time split.
        share: share of the rows, in (0, 1), of the other splits and of a time split without `hours`.
        resamples: of the bootstrap that gives the final metrics their confidence intervals; 0 gives none.
    """

    split: Literal["time", "random", "group", "column"] | None = None
    column: str | None = None
    hours: float | None = None
    share: float = 0.1
    resamples: int = 200

    def __post_init__(self) -> None:
        """Check ranges."""
        if self.hours is not None:
            _require("validation.hours", self.hours, "above 0", holds=self.hours > 0.0)
        if self.split == "column" and not self.column:
            raise ConfigError("$.validation.column is missing; it names the column that says train or validation")
        if self.split not in (None, "column") and self.column is not None:
            raise ConfigError(f"$.validation.column goes with split = 'column', got split = {self.split!r}")
        if self.hours is not None and (self.split not in (None, "time") or self.column is not None):
            raise ConfigError("$.validation.hours goes with split = 'time'; leave it out for another split")
        _require("validation.share", self.share, "in (0, 1)", holds=0.0 < self.share < 1.0)
        _require("validation.resamples", self.resamples, "in [0, 2**31)", holds=0 <= self.resamples < 2**31)


class TrainConfig(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Everything that decides a training run, with the data and the schema.

    Attributes:
        epochs: passes over the training rows; with sparse ids more than one often overfits.
        batch_size: rows in a step.
        seed: of initial weights, row order and dropout; with one thread the same seed on the same machine
            gives the same weights, bit for bit.
        threads: CPU threads of training and validation. Batch norm adds up each thread's rows apart, so another number
            gives other weights.
        memory_mb: MiB of encoded training rows that are in memory at a time, in [1, 2**20). Rows that take more are
            shuffled in shards, and within as many shards as fit.
        encoding: of CSV and JSON Lines files.
        model: architecture and sizes.
        optimizer: learning rates.
        validation: which rows validate.
    """

    epochs: int = 1
    batch_size: int = 1024
    seed: int = 0
    threads: int = 1
    memory_mb: int = 512
    encoding: str = UTF8
    model: ModelConfig = ModelConfig()
    optimizer: OptimizerConfig = OptimizerConfig()
    validation: ValidationConfig = ValidationConfig()

    def __post_init__(self) -> None:
        """Check ranges."""
        _require("epochs", self.epochs, "in [1, 2**31)", holds=1 <= self.epochs < 2**31)
        _require("batch_size", self.batch_size, "in [2, 2**31)", holds=2 <= self.batch_size < 2**31)  # noqa: PLR2004
        _require("seed", self.seed, "in [0, 2**63)", holds=0 <= self.seed < 2**63)
        _require("threads", self.threads, "in [1, 1024]", holds=1 <= self.threads <= 1024)  # noqa: PLR2004
        _require("memory_mb", self.memory_mb, "in [1, 2**20)", holds=1 <= self.memory_mb < 2**20)
        check_encoding("$.encoding", self.encoding)

    @classmethod
    def load(cls, path: str | Path) -> Self:
        """Read a TOML file.

        Raises:
            ConfigError: the file cannot be read, is not TOML, or holds a wrong key or value.
        """
        try:
            return msgspec.toml.decode(Path(path).read_bytes(), type=cls)
        except OSError as err:
            raise ConfigError(f"cannot read configuration {path}: {(err.strerror or str(err)).lower()}") from err
        except msgspec.ValidationError as err:
            # A range check of ours arrives wrapped; its own message already holds the path.
            message = str(err.__cause__) if isinstance(err.__cause__, ConfigError) else located_message(err)
            raise ConfigError(f"{path}: {message}") from err
        except (msgspec.DecodeError, UnicodeDecodeError) as err:
            raise ConfigError(f"{path}: not valid TOML: {err}") from err
