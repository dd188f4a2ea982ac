"""What a second task brings where labels are scarce: training sees 2 % of the `love` labels of MovieLens-1M."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from polyrank.auc import auc

from . import movielens
from .fitting import fit_rows
from .results import Lines, spread

if TYPE_CHECKING:
    import pyarrow as pa

SHARE = 0.02
SINGLE_BATCH = 256
SINGLE_EPOCHS = (1, 2, 4, 8, 16)
"""Of which the number that validates best counts. The single task has few rows, so it takes small batches too."""


def measure(folder: Path, *, seeds: int) -> Lines:
    """Train one task on its rows, and two tasks on all."""
    table = movielens.load(folder)
    single, shared = [], []
    for seed in range(seeds):
        print(f"seed {seed} ...", file=sys.stderr, flush=True)
        rows = hide(table, seed)
        single.append(_single(rows, seed))
        shared.append(_shared(rows, seed))
    return [
        ["model", "test AUC of love"],
        ["love alone", spread(single)],
        ["shared_bottom, like and love", spread(shared)],
    ]


def hide(table: "pa.Table", seed: int) -> "pa.Table":
    """Hide `love` in all but 2 % of the training rows."""
    import pyarrow as pa

    is_hidden = np.random.default_rng(seed).random(len(table)) >= SHARE
    is_hidden &= table["side"].to_numpy() == "train"
    love = pa.array(table["love"].to_numpy(), mask=is_hidden)
    return table.set_column(table.column_names.index("love"), "love", love)


def _single(rows: "pa.Table", seed: int) -> float:
    """Return the test AUC of the run that validates best."""
    import pyarrow.compute as pc

    labelled = rows.filter(pc.is_valid(rows["love"]))
    tried = [_test_auc(labelled, "love", seed=seed, epochs=epochs, batch_size=SINGLE_BATCH) for epochs in SINGLE_EPOCHS]
    return max(tried)[1]


def _shared(rows: "pa.Table", seed: int) -> float:
    return _test_auc(rows, "like", "love", seed=seed)[1]


def _test_auc(rows: "pa.Table", *tasks: str, seed: int, **settings: int) -> tuple[float, float]:
    """Return the AUC of love on validation and on test rows."""
    import pyarrow.compute as pc

    is_test = pc.equal(rows["side"], "test")
    known, test = rows.filter(pc.invert(is_test)), rows.filter(is_test)
    fitted = fit_rows(movielens.schema(*tasks), known, seed=seed, settings=settings)
    area = auc(fitted.answers(test)["love"].astype(np.float64), test["love"].to_numpy() == 1)
    return fitted.run.metrics["love"]["auc"], area
