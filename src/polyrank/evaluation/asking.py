"""What answers rows, in calls of bounded size."""

from collections.abc import Callable

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from polyrank.metrics.comparison import Answers

Answer = Callable[[pa.Table], Answers]
"""Rows in, their answers out."""

ROWS_PER_CALL = 100_000


def asked(answer: Answer, rows: pa.Table) -> dict[str, NDArray[np.float32]]:
    """Have rows answered, at most `ROWS_PER_CALL` in a call."""
    starts = range(0, rows.num_rows, ROWS_PER_CALL)
    parts = [answer(rows.slice(start, ROWS_PER_CALL)) for start in starts]
    return {task: np.concatenate([part[task] for part in parts]) for task in parts[0]}
