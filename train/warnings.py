"""What a finished training, or its labels, give reason to doubt: warnings with the task and the likely cause."""

import logging
from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from polyrank.metrics import Evaluation
from polyrank.models import ModelConfig
from polyrank.tasks import BinaryTask, Task

CHANCE = 0.5
FEW = 0.001
FEW_ROWS = 8

logger = logging.getLogger(__name__)


def warn_one_class(tasks: Sequence[Task], lowest: NDArray[np.float32], highest: NDArray[np.float32]) -> None:
    """Warn of binary tasks whose training labels are all alike: lowest and highest label of each, float32 (T,)."""
    for task, low, high in zip(tasks, lowest, highest, strict=True):
        if isinstance(task, BinaryTask) and low == high:
            logger.warning(
                "task %r has no training label of %d: all are %d, so it learns nothing but that; look at the column %r "
                "and at the split",
                task.name,
                1 - int(low),
                int(low),
                task.label,
            )


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


def warn_of_chance(evaluation: Evaluation) -> None:
    """Warn of tasks that order the validation rows no better than chance: 0.5 lies in the interval of their AUC."""
    for task, intervals in evaluation.intervals.items():
        low, high = intervals.get("auc", (1.0, 1.0))
        value = evaluation.values[task].get("auc")
        if low == high == CHANCE:
            logger.warning(
                "task %r answers every validation row alike (auc 0.5): it has not learned; raise epochs or "
                "optimizer.lr, or look for features that are missing in all rows",
                task,
            )
        elif low <= CHANCE <= high:
            logger.warning(
                "task %r orders validation rows no better than chance (auc %.4f, 0.5 is in [%.4f, %.4f]): too few rows "
                "or epochs, features that say nothing of it, or labels that do not belong to their rows",
                task,
                value,
                low,
                high,
            )
