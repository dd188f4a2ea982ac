"""Which trainings a comparison is made of."""

import dataclasses
from typing import Any

import msgspec

from polyrank.errors import ConfigError
from polyrank.models.config import ARCHITECTURES, CHAINED
from polyrank.schema import Schema
from polyrank.spelling import suggestion
from polyrank.train.config import TrainConfig
from polyrank.train.task_weights import weighted

ONE_PER_TASK = "one_per_task"
"""Name of what is compared with: a model for each task, trained alone."""

MIN_TASKS = 2


@dataclasses.dataclass(frozen=True, kw_only=True)
class ComparisonConfig:
    """What is compared.

    Attributes:
        architectures: of the models that learn all tasks.
        seeds: how often each is trained, from as many initial weights and in as many orders of the rows.
        level: share of the confidence intervals that hold the true difference, in (0, 1).
    """

    architectures: tuple[str, ...] = ("shared_bottom", "mmoe", "ple")
    seeds: int = 3
    level: float = 0.95

    def __post_init__(self) -> None:
        """Check names and ranges.

        Raises:
            ConfigError: an architecture is unknown or named twice, or there is none; a number is out of range.
        """
        if not self.architectures:
            raise ConfigError("architectures must name at least one, got none")
        for name in self.architectures:
            if name not in ARCHITECTURES:
                hint = suggestion(name, ARCHITECTURES)
                raise ConfigError(f"architectures must be of {', '.join(ARCHITECTURES)}, got {name!r}{hint}")
            if self.architectures.count(name) > 1:
                raise ConfigError(f"architectures must name each once, got {name!r} twice")
        if not 1 <= self.seeds <= 1000:  # noqa: PLR2004
            raise ConfigError(f"seeds must be in [1, 1000], got {self.seeds}")
        if not 0 < self.level < 1:
            raise ConfigError(f"level must be in (0, 1), got {self.level}")


@dataclasses.dataclass(frozen=True)
class Planned:
    """A training of a comparison.

    Attributes:
        model: what it is compared as.
        seed: which of its seeds, from 0.
        task: number of the task that it learns alone; None learns all.
        folder: of its run, within that of the comparison.
        config: how to train it.
    """

    model: str
    seed: int
    task: int | None
    folder: str
    config: TrainConfig


def plan(schema: Schema, config: TrainConfig, comparison: ComparisonConfig) -> list[Planned]:
    """List the trainings: all have the split, epochs, batch size and layers of `config`, which names all but the seeds.

    A single task has the weight 1, since there is nothing to weigh it against.

    Raises:
        ConfigError: there are fewer than two tasks, or `config` cannot be that of every model.
    """
    _check(schema, config)
    shared = [(name, None, name, _config(config, name)) for name in comparison.architectures]
    alone = msgspec.structs.replace(_config(config, "shared_bottom"), task_weights={})
    single = [(ONE_PER_TASK, index, f"{ONE_PER_TASK}/{task.name}", alone) for index, task in enumerate(schema.tasks)]
    for _, _, _, one in shared:
        one.model.chained_tasks(schema)
    return [
        Planned(name, seed, task, f"{folder}/seed-{seed}", _seeded(one, config.seed + seed))
        for seed in range(comparison.seeds)
        for name, task, folder, one in [*single, *shared]
    ]


def task_schema(schema: Schema, index: int) -> Schema:
    """Return the schema of one task alone."""
    return msgspec.structs.replace(schema, tasks=(msgspec.structs.replace(schema.tasks[index], weight=1.0),))


def _seeded(config: TrainConfig, seed: int) -> TrainConfig:
    return msgspec.structs.replace(config, seed=seed)


def _config(config: TrainConfig, architecture: str) -> TrainConfig:
    """Return the configuration of an architecture, whose split does not depend on the seed of the training."""
    changes: dict[str, Any] = {"architecture": architecture}
    if architecture not in CHAINED:
        changes["chain"] = ()
    model = msgspec.structs.replace(config.model, **changes)
    split = config.seed if config.validation.seed is None else config.validation.seed
    validation = msgspec.structs.replace(config.validation, seed=split)
    return msgspec.structs.replace(config, model=model, validation=validation)


def _check(schema: Schema, config: TrainConfig) -> None:
    weighted(schema, config.task_weights)
    if len(schema.tasks) < MIN_TASKS:
        raise ConfigError(f"a comparison needs a schema of at least 2 tasks, got {len(schema.tasks)}; add [[tasks]]")
    if config.early_stopping is not None and config.early_stopping.metric is not None:
        raise ConfigError(
            "models are compared under one rule, and $.early_stopping.metric names a task that some lack; leave it "
            "out: all tasks of a model together judge its epochs then"
        )
    if config.validation.resamples == 0:
        raise ConfigError("$.validation.resamples must be 1 or above to compare, got 0; leave it out for 200")
    fitted = [feature.name for feature in schema.neighbors_features if feature.task is not None]
    if fitted:
        raise ConfigError(
            f"feature {fitted[0]!r} is fitted on a task, which models of the other tasks lack; leave its task out"
        )
