"""Writes a run whose one embedding table has so many rows of 16 numbers, without training; a process of its own."""

import sys
from pathlib import Path

import numpy as np
import torch
from artefacts.runs import SMALL, make_schema_of

from polyrank.encoder import Batch
from polyrank.models import MultiTaskRanker, TrainedRanker
from polyrank.schema import toml_text
from polyrank.train import TrainConfig


def main(run: Path, num_buckets: int) -> None:
    """Write the run; its sample reaches the whole table."""
    feature = (
        f'{{ name = "item", kind = "categorical", identity = true, num_buckets = {num_buckets}, embedding_dim = 16 }}'
    )
    schema = make_schema_of(feature, '{ name = "age", kind = "numeric" }')
    torch.manual_seed(0)
    model = MultiTaskRanker(schema, SMALL).eval()
    with torch.no_grad():
        model.inputs[0].embeddings.tables["dim_16"].weight.mul_(100.0)  # type: ignore[union-attr, index]
    rng = np.random.default_rng(0)
    sample = Batch(rng.integers(0, num_buckets, (500, 1)), rng.normal(size=(500, 1)).astype(np.float32))
    run.mkdir()
    TrainedRanker.save(run, schema, toml_text(TrainConfig(model=SMALL)), model, sample)


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))
