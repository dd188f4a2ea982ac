"""Numbers of every kind from raw rows to the answers of the exported graph."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from polyrank.auc import auc
from polyrank.encoder import Encoder
from polyrank.errors import DataError
from polyrank.export import export_onnx, publish
from polyrank.export.answers import open_session, run_session
from polyrank.models import TrainedRanker
from polyrank.models.trained import predict
from polyrank.schema import Schema
from polyrank.serving import Ranker, serve
from polyrank.train import TrainConfig, fit
from polyrank.train.config_sections import ValidationConfig
from polyrank.train.preparing import prepare

TASK = '[[tasks]]\nname = "click"\nkind = "binary"\nlabel = "is_click"\n'
KINDS = {
    "clip": 'kind = "numeric"\ntransform = ["clip", "log1p", "standardize"]\nclip = [0, 50]',
    "minmax": 'kind = "numeric"\ntransform = ["minmax"]',
    "quantile": 'kind = "numeric"\ntransform = ["quantile"]\nquantiles = 20',
    "vector": 'kind = "vector"\ndim = 3',
    "projected vector": 'kind = "vector"\ndim = 3\nl2_norm = true\nprojection = 2',
    "boundaries": 'kind = "bucketized"\nboundaries = [8, 32]\nembedding_dim = 2',
    "bucket quantiles": 'kind = "bucketized"\nquantiles = 8\nembedding_dim = 2',
}


def schema_of(kind: str) -> Schema:
    return Schema.from_toml(f'name = "toy"\ntime = "at"\n[[features]]\nname = "x"\n{KINDS[kind]}\n{TASK}')


def rows(kind: str, count: int = 600, *, newest: float = 0.0) -> pa.Table:
    random = np.random.default_rng(0)
    x = random.normal(20, 20, count)
    is_click = (np.abs(x - 20) > 12) ^ (random.random(count) < 0.05)
    x[count * 9 // 10 :] += newest
    absent = random.random(count) < 0.1
    column = pa.array(x, mask=absent)
    if "vector" in kind:
        vectors = np.stack([x - 20, np.abs(x - 20) - 12, np.ones(count)], axis=1)
        column = pa.array([None if gone else v for v, gone in zip(vectors, absent, strict=True)])
    return pa.table({"x": column, "is_click": is_click.astype(np.int64), "at": np.arange(count)})


@pytest.mark.parametrize("kind", KINDS)
def test_exported_graph_answers_raw_rows_like_the_trained_model(kind: str, tmp_path: Path) -> None:
    run = fit(schema_of(kind), rows(kind), out=tmp_path / "run", config=TrainConfig(batch_size=64, epochs=3))
    bundle = export_onnx(run.path, out=tmp_path / "bundle")
    ranker, batch = TrainedRanker.load(run.path), Encoder(bundle.signature.schema).encode(rows(kind, newest=1e6))
    answers = run_session(open_session(bundle.model_file), batch.named())["click"]
    np.testing.assert_allclose(answers, predict(ranker.model, batch)["click"], rtol=1e-5, atol=1e-5)
    assert answers.std() > 0.001
    learned = auc(answers[:540].astype(np.float64), rows(kind)["is_click"].to_numpy()[:540] == 1)
    assert learned > 0.8


@pytest.mark.parametrize("kind", KINDS)
def test_validation_rows_change_nothing_in_the_schema_of_the_run(kind: str) -> None:
    config = TrainConfig(validation=ValidationConfig(share=0.1))
    fitted = prepare(schema_of(kind), rows(kind), config).schema
    assert prepare(schema_of(kind), rows(kind, newest=1e6), config).schema == fitted
    assert Schema.from_toml(fitted.to_toml()) == fitted


@pytest.mark.triton
def test_served_ranker_takes_raw_numbers_of_every_kind(tmp_path: Path) -> None:
    features = "".join(f'[[features]]\nname = "{name}"\n{text}\n' for name, text in KINDS.items())
    schema = Schema.from_toml(f'name = "toy"\n{features}{TASK}')
    columns = {name: rows(name)["x"] for name in KINDS}
    table = pa.table({**columns, "is_click": rows("clip")["is_click"]})
    run = fit(schema, table, out=tmp_path / "run", config=TrainConfig(batch_size=64), progress=False)
    publish(export_onnx(run.path, out=tmp_path / "bundle"), tmp_path / "models")
    ranker = TrainedRanker.load(run.path)
    expected = predict(ranker.model, Encoder(ranker.schema).encode(table))["click"]
    with serve(tmp_path / "models") as server, Ranker(server.url) as client:
        np.testing.assert_allclose(client.score(table)["click"].to_numpy(), expected, rtol=1e-5, atol=1e-5)
        np.testing.assert_allclose(client.score(table.to_pylist())["click"].to_numpy(), expected, rtol=1e-5, atol=1e-5)
        with pytest.raises(DataError, match=r"^column 'vector' holds a vector of 1 numbers at row 1; 3 expected$"):
            client.score([{**table.to_pylist()[0], "vector": [1.0]}])
