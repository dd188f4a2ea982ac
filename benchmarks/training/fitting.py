"""Polyrank in this process, by its public `fit`."""

import dataclasses
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from polyrank.encoder import Encoder
from polyrank.models import TrainedRanker
from polyrank.models.trained import predict
from polyrank.schema import Schema
from polyrank.train import Run, TrainConfig, ValidationConfig, fit

if TYPE_CHECKING:
    import pyarrow as pa

SPLIT = ValidationConfig(column="side", resamples=0)


@dataclasses.dataclass(frozen=True)
class Fitted:
    """A finished run, and the ranker that it made."""

    run: Run
    ranker: TrainedRanker

    def answers(self, rows: "pa.Table") -> dict[str, NDArray[np.float32]]:
        """Return each task's answers [N]."""
        return predict(self.ranker.model, Encoder(self.ranker.schema).encode(rows))


def fit_rows(
    schema: Schema, rows: "pa.Table | Path", *, seed: int, settings: Mapping[str, Any] | None = None
) -> Fitted:
    """Train with the defaults but for `settings`, on rows whose column `side` says `train` or `validation`."""
    config = TrainConfig(**{"seed": seed, "validation": SPLIT, **(settings or {})})
    with tempfile.TemporaryDirectory() as scratch:
        run = fit(schema, rows, out=Path(scratch, "run"), config=config, cache=Path(scratch, "rows"), progress=False)
        return Fitted(run, TrainedRanker.load(run.path))
