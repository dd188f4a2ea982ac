"""Fits the maps of `polyrank.models.calibration` on rows that did not train."""

import logging
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from polyrank.models import MultiTaskRanker
from polyrank.models.calibration import MAX_SLOPE, LinearMap, MonotoneMap
from polyrank.models.heads import split
from polyrank.models.trained import PREDICTED_ROWS, tensors

from .encoded import Selection
from .isotonic import SMALLEST_SLOPE, fit_isotonic
from .processes import ALONE, Processes
from .scaling import fit_platt, fit_temperature
from .validation import in_order

logger = logging.getLogger(__name__)


class _Block(NamedTuple):
    """Validation rows: what the model gives for them, and their labels."""

    logits: NDArray[np.float32]
    labels: NDArray[np.float32]
    weights: NDArray[np.float32] | None


def calibrate(model: MultiTaskRanker, rows: Selection, processes: Processes = ALONE) -> None:
    """Fit the calibration of a trained model on rows that did not train it, in place; see `fit_calibration`.

    Each process runs its share of the rows; the first fits, and all have the same calibration then.
    """
    if not model.calibration.maps:
        return
    found = processes.collect(list(_blocks(model, rows, processes)))
    if found is not None:
        parts = in_order(found)
        weights = [part.weights for part in parts if part.weights is not None]
        logits, labels = (np.concatenate([part[place] for part in parts]) for place in (0, 1))
        fit_calibration(model, logits, labels, np.concatenate(weights) if weights else None)
    model.calibration.load_state_dict(processes.share(model.calibration.state_dict()))


def _blocks(model: MultiTaskRanker, rows: Selection, processes: Processes) -> Iterator[_Block]:
    model.eval()
    for part in rows.chunks(rank=processes.rank, world_size=processes.size):
        batches = (part.batch[start : start + PREDICTED_ROWS] for start in range(0, len(part), PREDICTED_ROWS))
        with torch.no_grad():
            logits = [model(*tensors(batch)).numpy() for batch in batches]
        yield _Block(np.concatenate(logits), part.labels, part.sample_weights)


def fit_calibration(
    model: MultiTaskRanker,
    logits: NDArray[np.float32],
    labels: NDArray[np.float32],
    weights: NDArray[np.float32] | None = None,
) -> None:
    """Fit the calibration of a trained model, in place; without `calibration` in its configuration nothing happens.

    A task whose map cannot be fitted keeps its answers, and a warning names it.

    Args:
        model: trained.
        logits: float32 [N, O], what it gives for rows that did not train it.
        labels: float32 [N, T], NaN where unobserved.
        weights: float32 [N], of the rows, 0 or above; None weighs all alike.
    """
    with torch.no_grad():
        parts = split(model.tasks, model.answered_logits(torch.from_numpy(logits)))
        meant = model.answered_labels(torch.from_numpy(labels)).numpy()
    counts = np.ones(len(labels)) if weights is None else weights.astype(np.float64)
    for index, (task, part) in enumerate(zip(model.tasks, parts, strict=True)):
        own = model.calibration.of(index)
        if own is None:
            continue
        rows = ~np.isnan(meant[:, index]) & (counts > 0.0)
        fault = _fit(own, part.numpy()[rows], meant[rows, index].astype(np.int64), counts[rows])
        if fault is not None:
            logger.warning("task %r is not calibrated: %s", task.name, fault)


def _fit(
    own: LinearMap | MonotoneMap, logits: NDArray[np.float32], classes: NDArray[np.int64], weights: NDArray[np.float64]
) -> str | None:
    """Fit the map of one task to observed rows; return why it cannot be."""
    if len(classes) == 0:
        return "no validation row has its label"
    if (classes == classes[0]).all():
        return "its validation labels are of one class"
    if (logits == logits[0]).all():
        return "its answers are all alike"
    return _load(own, logits, classes, weights)


def _load(
    own: LinearMap | MonotoneMap, logits: NDArray[np.float32], classes: NDArray[np.int64], weights: NDArray[np.float64]
) -> str | None:
    if isinstance(own, MonotoneMap):
        line = fit_isotonic(logits[:, 0], classes == 1, weights)
        if line is None:
            return "no rising line fits its validation labels"
        own.load(line[0].tolist(), line[1].tolist(), SMALLEST_SLOPE)
        return None
    if own.has_shift:
        scaling = fit_platt(logits[:, 0], classes == 1, weights)
    else:
        wide = logits if logits.shape[1] > 1 else np.concatenate([np.zeros_like(logits), logits], axis=1)
        slope = fit_temperature(wide, classes, weights)
        scaling = None if slope is None else (slope, 0.0)
    if scaling is None:
        return f"the slope that fits its validation labels is not in (0, {MAX_SLOPE:g}]"
    own.load(*scaling)
    return None
