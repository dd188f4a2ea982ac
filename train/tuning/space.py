"""From a configuration to the space around it, and from a trial to a configuration."""

from typing import TYPE_CHECKING, Any

import msgspec

from polyrank.errors import ConfigError
from polyrank.models.config import MAX_WIDTH, READERS
from polyrank.schema import Schema
from polyrank.tasks import Task
from polyrank.train.config import TrainConfig
from polyrank.train.search_space import Range, SearchSpace
from polyrank.train.task_weights import weighted

if TYPE_CHECKING:
    from optuna.trial import BaseTrial

CHOSEN = {"hidden_dims": "model", "num_experts": "model", "batch_size": "training"}
"""Fields that are chosen from a list, and whose they are."""

TENFOLD = 10.0
MAX_DROPOUT = 0.3
WEIGHT_RANGE = (0.25, 4.0)


def space_around(config: TrainConfig, schema: Schema) -> SearchSpace:
    """Return the space that `config` names, with what it leaves out filled in.

    Weights are not searched where there is one task, or where a balancing method finds them.
    """
    given = config.tune or SearchSpace()
    return msgspec.structs.replace(
        given,
        lr=given.lr or _tenfold(config.optimizer.lr),
        embedding_lr=given.embedding_lr or _tenfold(config.optimizer.table_lr),
        dropout=given.dropout or (0.0, max(MAX_DROPOUT, config.model.dropout)),
        hidden_dims=given.hidden_dims or _widths(config.model.hidden_dims),
        num_experts=given.num_experts or _numbers_of_experts(config),
        task_weights=given.task_weights or _weight_range(config, schema),
    )


def check_choices(space: SearchSpace, config: TrainConfig) -> None:
    """Refuse a space with a choice that no trial can have, before one meets it.

    Raises:
        ConfigError: there is one; names it.
    """
    for field, owner in CHOSEN.items():
        for index, choice in enumerate(getattr(space, field)):
            try:
                msgspec.structs.replace(config.model if owner == "model" else config, **{field: choice})
            except ConfigError as err:
                raise ConfigError(f"$.tune.{field}[{index}]: {err}") from err


def suggest(trial: "BaseTrial", space: SearchSpace, config: TrainConfig, schema: Schema) -> TrainConfig:
    """Return the configuration of a trial: `config` with what the space searches.

    Raises:
        ConfigError: a choice of the space is out of range.
    """
    rates = {name: _log(trial, name, getattr(space, name)) for name in ("lr", "embedding_lr")}
    model: dict[str, Any] = {"dropout": trial.suggest_float("dropout", *(space.dropout or (0.0, 0.0)))}
    widths = {_shown(widths): widths for widths in space.hidden_dims}
    model["hidden_dims"] = widths[trial.suggest_categorical("hidden_dims", list(widths))]
    if space.num_experts:
        model["num_experts"] = trial.suggest_categorical("num_experts", space.num_experts)
    changes: dict[str, Any] = {"tune": None}
    if space.batch_size:
        changes["batch_size"] = trial.suggest_categorical("batch_size", space.batch_size)
    if space.task_weights is not None:
        changes["task_weights"] = _weights(trial, space.task_weights, weighted(schema, config.task_weights))
    return msgspec.structs.replace(
        config,
        model=msgspec.structs.replace(config.model, **model),
        optimizer=msgspec.structs.replace(config.optimizer, **rates),
        **changes,
    )


def given_values(space: SearchSpace, config: TrainConfig, schema: Schema) -> dict[str, Any]:
    """Return what `config` has of the values that the space searches, as `suggest` names them, where it holds them."""
    optimizer, model = config.optimizer, config.model
    numbers: dict[str, tuple[float, Range | None]] = {
        "lr": (optimizer.lr, space.lr),
        "embedding_lr": (optimizer.table_lr, space.embedding_lr),
        "dropout": (model.dropout, space.dropout),
    } | {_factor(task): (1.0, space.task_weights) for task in schema.tasks[1:]}
    choices: dict[str, tuple[Any, tuple[Any, ...]]] = {
        "hidden_dims": (model.hidden_dims, space.hidden_dims),
        "num_experts": (model.num_experts, space.num_experts),
        "batch_size": (config.batch_size, space.batch_size),
    }
    found: dict[str, Any] = {
        name: value for name, (value, ends) in numbers.items() if ends is not None and ends[0] <= value <= ends[1]
    }
    found |= {name: value for name, (value, values) in choices.items() if value in values}
    if "hidden_dims" in found:
        found["hidden_dims"] = _shown(model.hidden_dims)
    return found


def _weights(trial: "BaseTrial", ends: Range, schema: Schema) -> dict[str, float]:
    """Return the weight of each task; that of the first stays, since only their ratios say which matters."""
    first, *others = schema.tasks
    found = {task.name: task.weight * _log(trial, _factor(task), ends) for task in others}
    return {first.name: first.weight} | found


def _factor(task: Task) -> str:
    return f"task_weights.{task.name}"


def _log(trial: "BaseTrial", name: str, ends: Range) -> float:
    return trial.suggest_float(name, *ends, log=True)


def _shown(widths: tuple[int, ...]) -> str:
    return "x".join(map(str, widths))


def _tenfold(value: float) -> Range:
    return (value / TENFOLD, value * TENFOLD)


def _widths(given: tuple[int, ...]) -> tuple[tuple[int, ...], ...]:
    half, double = tuple(max(1, width // 2) for width in given), tuple(min(MAX_WIDTH, 2 * width) for width in given)
    return tuple(dict.fromkeys((half, given, double)))


def _numbers_of_experts(config: TrainConfig) -> tuple[int, ...]:
    reads = config.model.architecture in READERS["num_experts"]
    return tuple(sorted({2, 4, 8, config.model.num_experts})) if reads else ()


def _weight_range(config: TrainConfig, schema: Schema) -> Range | None:
    return WEIGHT_RANGE if len(schema.tasks) > 1 and config.balancing.method == "fixed" else None
