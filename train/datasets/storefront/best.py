"""What a model could reach at most that knew every probability."""

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from polyrank.auc import auc
from polyrank.metrics import Metrics

if TYPE_CHECKING:
    import pyarrow as pa


def best_possible(rows: "pa.Table") -> Metrics:
    """Score the true probabilities against what happened in these rows.

    Returns:
        `auc` of `click` and of `purchase`, over all rows, and `rmse` of `rating`, over clicked ones. Nothing ranks
        better on average; on few rows a lucky model may.
    """
    true = {name: _floats(rows[f"true_{name}"]) for name in ("click", "rating", "purchase")}
    stars = _floats(rows["rating"])
    rated = ~np.isnan(stars)
    return {
        "click": {"auc": auc(true["click"], _floats(rows["click"]) == 1)},
        "rating": {"rmse": _rmse(true["rating"][rated], stars[rated])},
        "purchase": {"auc": auc(true["purchase"], _floats(rows["purchase"]) == 1)},
    }


def _rmse(predicted: NDArray[np.float64], actual: NDArray[np.float64]) -> float:
    return float(np.sqrt(np.mean((predicted - actual) ** 2))) if len(actual) else float("nan")


def _floats(column: Any) -> NDArray[np.float64]:
    import pyarrow as pa

    values: NDArray[np.float64] = column.cast(pa.float64()).to_numpy(zero_copy_only=False)
    return values
