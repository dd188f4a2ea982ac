"""What the client's tests serve, as files: built with PyTorch once, then of use where PyTorch cannot be imported."""

import os
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet
import pytest
from numpy.typing import NDArray
from toy import toy_table

SERVED_VARIABLE = "POLYRANK_TEST_SERVED"
"""Names a folder that `build` filled, to be used instead of a fresh one."""

MAX_BATCH_SIZE = 64
SWAPPED_ROWS = 50

Scores = dict[str, NDArray[np.float32]]


def served_folder(request: pytest.FixtureRequest, folder: Path) -> Path:
    """Return the folder that the environment names, or a fresh one."""
    prebuilt = os.environ.get(SERVED_VARIABLE)
    if prebuilt is not None:
        return Path(prebuilt)
    build(folder, request.getfixturevalue("toy_run"), request.getfixturevalue("toy_bundle"))
    return folder


def build(folder: Path, run: Path, bundle: Path) -> None:
    """Fill a folder.

    `repository` holds `toy` and, without a signature, `unsigned`. `rows.parquet` holds rows, `scores.npz` what PyTorch
    answers. `swap/1` and `swap/2` hold the model `swap` before and after its second version, which takes the same
    tensors with the features the other way round; `swap/1.npz` and `swap/2.npz` what PyTorch answers to `swap_rows`.
    """
    from polyrank.export import publish
    from polyrank.export.serving_options import ServingOptions
    from polyrank.models import TrainedRanker

    repository = folder / "repository"
    publish(bundle, repository, options=ServingOptions(max_batch_size=MAX_BATCH_SIZE))
    _add_unsigned(repository)
    rows = toy_table(300, 5)
    pyarrow.parquet.write_table(rows, folder / "rows.parquet")
    np.savez(folder / "scores.npz", **_answers(TrainedRanker.load(run), rows))
    _build_swap(folder / "swap")


def load_scores(file: Path) -> Scores:
    """Read float32 [B] by task."""
    with np.load(file) as arrays:
        return {name: arrays[name] for name in arrays.files}


def swap_rows() -> pa.Table:
    """Return the rows that the model `swap` scores."""
    rng = np.random.default_rng(3)
    return pa.table({name: rng.integers(0, 10**6, SWAPPED_ROWS) for name in ("left", "right")})


def _answers(ranker: Any, rows: pa.Table) -> dict[str, Any]:
    from polyrank.encoder import Encoder
    from polyrank.models.trained import predict

    return predict(ranker.model, Encoder(ranker.schema).encode(rows))


def _add_unsigned(repository: Path) -> None:
    from google.protobuf import text_format
    from tritonclient.grpc import model_config_pb2 as pb

    from polyrank.signature import SIGNATURE_KEY

    shutil.copytree(repository / "toy", repository / "unsigned")
    file = repository / "unsigned" / "config.pbtxt"
    config = text_format.Parse(file.read_text(), pb.ModelConfig())
    config.name = "unsigned"
    del config.parameters[SIGNATURE_KEY]
    file.write_text(text_format.MessageToString(config))


def _build_swap(folder: Path) -> None:
    from artefacts.runs import make_run, make_schema_of

    from polyrank.encoder import Encoder
    from polyrank.export import export_onnx, publish
    from polyrank.export.serving_options import ServingOptions

    rows = swap_rows()
    template = '{{ name = "{}", kind = "categorical", dtype = "int64", num_buckets = 50, embedding_dim = 4 }}'
    for version, names in (("1", ("left", "right")), ("2", ("right", "left"))):
        schema = make_schema_of(*map(template.format, names), name="swap")
        run = folder / f"run{version}"
        ranker = make_run(run, schema, seed=int(version), sample=Encoder(schema).encode(rows))
        bundle = export_onnx(run, out=folder / f"bundle{version}")
        publish(bundle, folder / "repository", options=ServingOptions(max_batch_size=MAX_BATCH_SIZE))
        shutil.copytree(folder / "repository", folder / version)
        np.savez(folder / f"{version}.npz", **_answers(ranker, rows))
