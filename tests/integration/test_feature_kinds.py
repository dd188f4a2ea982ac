"""Each kind of feature from training to ONNX Runtime: the graph answers like PyTorch."""

from pathlib import Path

import numpy as np
import pytest
from artefacts.runs import (
    CROSS,
    DENSE,
    HISTORY,
    ITEM,
    LATELY,
    MAXIMUM,
    NEAR,
    SEEN,
    TITLE,
    WEIGHTED,
    WORD,
    WRITTEN,
    make_rows,
    make_run,
    make_schema_of,
)

from polyrank.encoder import Encoder
from polyrank.export import export_onnx, publish
from polyrank.export.answers import open_session, run_session
from polyrank.models import TrainedRanker
from polyrank.models.trained import predict
from polyrank.serving import Ranker
from polyrank.serving.server import serve
from polyrank.train import TrainConfig, fit

KINDS = {
    "cross": (ITEM, WORD, CROSS),
    "text": (TITLE,),
    "bag of maxima": (WORD, MAXIMUM),
    "weighted bag": (ITEM, WEIGHTED),
    "sequence with attention": (SEEN, ITEM),
    "sequence": (LATELY,),
    "identity": (DENSE, HISTORY),
    "weighted bag as text": (WRITTEN,),
    "neighbors": (ITEM, WORD, NEAR),
}

LIKED = WEIGHTED.replace('"history"', '"liked"')


@pytest.mark.parametrize("features", KINDS.values(), ids=KINDS)
def test_kind_is_trained_exported_and_answered_alike(features: tuple[str, ...], tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    labels = rng.random((400, 3)) < 0.5
    rows = [
        {**row, "is_click": int(click), "is_like": int(like), "watch_ratio": 5.0 + ratio}
        for row, (click, like, ratio) in zip(make_rows(400), labels, strict=True)
    ]
    config = TrainConfig(epochs=2, batch_size=64)
    run = fit(make_schema_of(*features), rows, out=tmp_path / "run", config=config, progress=False)
    bundle = export_onnx(run.path, out=tmp_path / "bundle")
    batch = Encoder(bundle.signature.schema).encode(make_rows(50, seed=1))
    expected = predict(TrainedRanker.load(run.path).model, batch)
    answers = run_session(open_session(bundle.model_file), batch.named())
    assert answers["click"].std() > 0.0
    for name, values in expected.items():
        np.testing.assert_allclose(answers[name], values, rtol=1e-5, atol=1e-5)


@pytest.mark.triton
def test_all_kinds_are_scored_by_a_server_like_by_pytorch(tmp_path: Path) -> None:
    features = (SEEN, DENSE, WORD, NEAR, CROSS, TITLE, WRITTEN, LATELY, LIKED)
    rows = [{**row, "liked": row["history"]} for row in make_rows(50)]
    schema = make_schema_of(*features)
    ranker = make_run(tmp_path / "run", schema, sample=Encoder(schema).encode(rows))
    bundle = export_onnx(tmp_path / "run", out=tmp_path / "bundle")
    publish(bundle.path, tmp_path / "repository")
    with serve(tmp_path / "repository") as server, Ranker(server.url) as client:
        scores = client.score(rows)
    for name, values in predict(ranker.model, Encoder(schema).encode(rows)).items():
        np.testing.assert_allclose(scores[name].to_numpy(), values, rtol=1e-5, atol=1e-5)
