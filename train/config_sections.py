"""Sections of the training configuration."""

import math
from typing import Literal

import msgspec

from polyrank.errors import ConfigError


def require(path: str, value: float, limit: str, *, holds: bool) -> None:
    """Refuse a number that is out of range or not finite.

    Raises:
        ConfigError: `holds` is false; names the path, the limit and the value.
    """
    if not (holds and abs(value) < math.inf):
        finite = "" if "in " in limit or math.isfinite(value) else " and finite"
        raise ConfigError(f"$.{path} must be {limit}{finite}, got {value}")


class OptimizerConfig(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How gradients become steps.

    Attributes:
        lr: of AdamW, for all but the embedding tables.
        embedding: optimiser of the embedding tables, which steps the rows of the batch alone.
        embedding_lr: of that; row-wise Adagrad wants a larger rate than Adam. None is 0.05, or `lr` for Adam.
        weight_decay: of AdamW, decoupled.
        warmup_steps: over which the rates rise from 0 in a line.
        schedule: of the rates after that: `constant`, or `cosine` down towards 0 at the last step (Loshchilov and
            Hutter, SGDR, ICLR 2017, equation 5, without restarts).
        clip_norm: scales gradients down to this norm, all of them together; None leaves them.
    """

    lr: float = 1e-3
    embedding: Literal["rowwise_adagrad", "sparse_adam"] = "rowwise_adagrad"
    embedding_lr: float | None = None
    weight_decay: float = 1e-5
    warmup_steps: int = 0
    schedule: Literal["constant", "cosine"] = "constant"
    clip_norm: float | None = None

    def __post_init__(self) -> None:
        """Check ranges."""
        for field in ("lr", "embedding_lr", "clip_norm"):
            value = getattr(self, field)
            if value is not None:
                require(f"optimizer.{field}", value, "above 0", holds=value > 0.0)
        require("optimizer.weight_decay", self.weight_decay, "0 or above", holds=self.weight_decay >= 0.0)
        require("optimizer.warmup_steps", self.warmup_steps, "in [0, 2**31)", holds=0 <= self.warmup_steps < 2**31)

    @property
    def table_lr(self) -> float:
        """The rate of the embedding tables."""
        if self.embedding_lr is not None:
            return self.embedding_lr
        return ROWWISE_ADAGRAD_LR if self.embedding == "rowwise_adagrad" else self.lr


ROWWISE_ADAGRAD_LR = 0.05


class RareIdsConfig(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a model learns of ids that it hardly knows.

    Attributes:
        dropout: share of ids that a step takes for missing, in [0, 1), so that "missing" learns to stand for ids that
            are new (Volkovs et al., DropoutNet, NIPS 2017).
        min_count: rows of an embedding table that fewer values of the training rows fall on are those of "missing"; at
            least 1 with `dropout`, so that ids which no training row had are answered as what it trained for them.
    """

    dropout: float = 0.0
    min_count: int = 0

    def __post_init__(self) -> None:
        """Check ranges."""
        require("rare_ids.dropout", self.dropout, "in [0, 1)", holds=0.0 <= self.dropout < 1.0)
        require("rare_ids.min_count", self.min_count, "in [0, 2**31)", holds=0 <= self.min_count < 2**31)
        if self.dropout > 0.0 and self.min_count == 0:
            msgspec.structs.force_setattr(self, "min_count", 1)


class EarlyStoppingConfig(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """When training ends before its last epoch; the weights of the best validation are kept.

    Attributes:
        metric: task and metric of the validation rows, such as `click.auc`; None takes all tasks together, each by the
            first of its metrics.
        patience: how many validations in a row may be no better than the best.
    """

    metric: str | None = None
    patience: int = 1

    def __post_init__(self) -> None:
        """Check ranges."""
        require("early_stopping.patience", self.patience, "in [1, 2**31)", holds=1 <= self.patience < 2**31)


class CheckpointConfig(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How often the state of a training is kept, to go on from when it is interrupted; it changes no weight.

    Attributes:
        every_minutes: of training.
        every_steps: takes the place of `every_minutes` where it is given.
    """

    every_minutes: float = 10.0
    every_steps: int | None = None

    def __post_init__(self) -> None:
        """Check ranges."""
        require("checkpoint.every_minutes", self.every_minutes, "above 0", holds=self.every_minutes > 0.0)
        if self.every_steps is not None:
            require("checkpoint.every_steps", self.every_steps, "in [1, 2**31)", holds=1 <= self.every_steps < 2**31)


class ValidationConfig(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which rows validate.

    Attributes:
        split: `time`: the newest rows; `random`: a random share; `group`: a random share of the values of the schema's
            group column, so that none is on both sides; `column`: what `column` says. None takes `column` where
            `column` is given, `time` where the schema has a time column, else `random`.
        column: text column that says `train` or `validation` in each row.
        hours: the newest hours of the data; of a time split.
        every_steps: validates after so many steps too, not only after each epoch.
        share: share of the rows, in (0, 1), of the other splits and of a time split without `hours`.
        seed: of a split at random; None takes the seed of the training. Trainings that are compared have one split and
            different seeds.
        resamples: of the bootstrap that gives the final metrics their confidence intervals; 0 gives none.
    """

    split: Literal["time", "random", "group", "column"] | None = None
    column: str | None = None
    hours: float | None = None
    share: float = 0.1
    seed: int | None = None
    every_steps: int | None = None
    resamples: int = 200

    def __post_init__(self) -> None:
        """Check ranges."""
        if self.hours is not None:
            require("validation.hours", self.hours, "above 0", holds=self.hours > 0.0)
        require("validation.resamples", self.resamples, "in [0, 2**31)", holds=0 <= self.resamples < 2**31)
        if self.seed is not None:
            require("validation.seed", self.seed, "in [0, 2**63)", holds=0 <= self.seed < 2**63)
        if self.every_steps is not None:
            require("validation.every_steps", self.every_steps, "in [1, 2**31)", holds=1 <= self.every_steps < 2**31)
        if self.split == "column" and not self.column:
            raise ConfigError("$.validation.column is missing; it names the column that says train or validation")
        if self.split not in (None, "column") and self.column is not None:
            raise ConfigError(f"$.validation.column goes with split = 'column', got split = {self.split!r}")
        if self.hours is not None and (self.split not in (None, "time") or self.column is not None):
            raise ConfigError("$.validation.hours goes with split = 'time'; leave it out for another split")
        require("validation.share", self.share, "in (0, 1)", holds=0.0 < self.share < 1.0)
