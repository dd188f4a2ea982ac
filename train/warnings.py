"""What a finished training, or its labels, give reason to doubt: warnings with the task and the likely cause."""

import logging
import math
from collections.abc import Collection, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from polyrank.metrics import Evaluation
from polyrank.models import ModelConfig
from polyrank.tasks import BinaryTask, CountTask, MulticlassTask, OrdinalTask, Task

from .config import TrainConfig

CHANCE = 0.5
FEW = 0.001
FEW_STEPS = 50
"""Below this many gradient steps a model has hardly left its initial weights, so the trainer says so."""
FEW_ROWS = 8

logger = logging.getLogger(__name__)


def warn_one_class(tasks: Sequence[Task], lowest: NDArray[np.float32], highest: NDArray[np.float32]) -> None:
    """Warn of tasks whose training labels are of one class, or counts of 0: lowest and highest of each, float32 (T,).

    Numbers that are all alike are none to warn of: they may be what there is to learn.
    """
    for task, low, high in zip(tasks, lowest, highest, strict=True):
        lacking = _lacking(task, float(low)) if low == high else None
        if lacking is not None:
            logger.warning(
                "task %r has no training label of %s: all are %g, so it learns nothing but that; look at the column %r "
                "and at the split",
                task.name,
                lacking,
                low,
                task.label,
            )


def _lacking(task: Task, label: float) -> str | None:
    """Name what labels are not there, where all are `label`; None where they may well be."""
    match task:
        case BinaryTask():
            return f"{1 - label:g}"
        case OrdinalTask() | MulticlassTask():
            return "another class"
        case CountTask() if label == 0.0:
            return "1 or more"
    return None


def warn_no_chain(shares: Mapping[tuple[str, str], float]) -> None:
    """Warn of tasks that do not follow one another: shares of rows where the later one came true without the other."""
    for (before, after), share in shares.items():
        if share > FEW:
            logger.warning(
                "task %r follows %r in a chain, but is 1 where that is 0 in %.3g %% of rows, and trains as 0 there: "
                "name only tasks that follow one another in $.model.chain, or take another architecture",
                after,
                before,
                100 * share,
            )


def warn_small_batches(config: ModelConfig, batch_size: int) -> None:
    """Warn of batches that are too small to normalise over."""
    if config.normalization == "batch" and batch_size < FEW_ROWS:
        logger.warning(
            "batch norm over %d rows at a time is mostly noise: raise batch_size to %d or more, or set "
            '$.model.normalization = "layer"',
            batch_size,
            FEW_ROWS,
        )


def warn_few_steps(config: TrainConfig, steps: int, count: int) -> None:
    """Warn of a training of so few steps, for `count` rows, that it learns little, or never at its learning rates."""
    if steps < FEW_STEPS:
        logger.warning(
            "only %d gradient step(s)%s for %d rows: it will hardly learn; lower batch_size or %s",
            steps,
            " at most" if config.epochs == "auto" else " in all",
            count,
            "set epochs" if config.epochs == "auto" else "raise epochs",
        )
    if steps < config.optimizer.warmup_steps:
        logger.warning(
            "$.optimizer.warmup_steps = %d, and there are %d steps%s: learning rates stay below their own; lower it",
            config.optimizer.warmup_steps,
            steps,
            " at most" if config.epochs == "auto" else "",
        )


def warn_unread(config: ModelConfig) -> None:
    """Warn of fields of the model that were set and decide nothing."""
    for field, readers in config.unread().items():
        key = "interaction" if "dcn_v2" in readers else "architecture"
        logger.warning(
            "$.model.%s = %s is read with %s = %s alone, and this is %r; leave it out",
            field,
            getattr(config, field),
            key,
            " or ".join(repr(reader) for reader in readers),
            getattr(config, key),
        )


def warn_undefined(evaluation: Evaluation) -> None:
    """Warn of metrics that the validation rows leave undefined, and say why."""
    for task, reasons in evaluation.undefined.items():
        for reason in dict.fromkeys(reasons.values()):
            names = ", ".join(name for name, found in reasons.items() if found == reason)
            logger.warning("task %r has no validation %s: %s", task, names, reason)


def warn_of_chance(evaluation: Evaluation, alike: Collection[str] = ()) -> None:
    """Warn of tasks that answer all validation rows alike, or order them no better than chance.

    The latter is so where 0.5 lies in the interval of the AUC, and where an AUC without an interval is at most that.

    Args:
        evaluation: metrics, with intervals or without.
        alike: names of tasks that answer every row alike.
    """
    for task, values in evaluation.values.items():
        if task in alike:
            logger.warning(
                "task %r answers every validation row alike: it has not learned; raise epochs or optimizer.lr, or look "
                "for features that are missing in all rows",
                task,
            )
        elif (found := _chance(values.get("auc", math.nan), evaluation.intervals.get(task, {}).get("auc"))) is not None:
            logger.warning(
                "task %r orders validation rows no better than chance (%s): too few rows or epochs, features that say "
                "nothing of it, or labels that do not belong to their rows",
                task,
                found,
            )


def _chance(auc: float, interval: tuple[float, float] | None) -> str | None:
    """Say in words what makes an AUC one of chance; None of one that is better, worse or undefined."""
    if interval is None:
        return f"auc {auc:.4f}" if auc <= CHANCE else None
    low, high = interval
    return f"auc {auc:.4f}, 0.5 is in [{low:.4f}, {high:.4f}]" if low <= CHANCE <= high else None
