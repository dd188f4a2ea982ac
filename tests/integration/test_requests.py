"""A bundle with a graph over requests: published beside that over rows, and served by the real Triton."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.testing import assert_allclose
from tritonclient import grpc

from polyrank.__main__ import main
from polyrank.errors import RepositoryError
from polyrank.export import Bundle, ExportOptions, RequestOptions, ServingOptions, export_onnx, publish
from polyrank.export.request_graph import request_tensors
from polyrank.export.request_parity import tiled
from polyrank.models import TrainedRanker
from polyrank.models.trained import predict
from polyrank.serving import Ranker, Server, serve

TRITON_TYPES = {np.dtype(np.int64): "INT64", np.dtype(np.float32): "FP32"}


@pytest.fixture(scope="module")
def bundle(toy_run: Path, tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    options = ExportOptions(requests=RequestOptions(top_k=3))
    return export_onnx(toy_run, out=tmp_path_factory.mktemp("requests") / "bundle", options=options)


@pytest.fixture(scope="module")
def server(bundle: Bundle, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    models = tmp_path_factory.mktemp("requests") / "models"
    publish(bundle, models, name="toy", options=ServingOptions(warm_up=(1, 8)))
    with serve(models) as running:
        yield running


def ask(url: str, tensors: dict[str, Any], names: list[str]) -> dict[str, Any]:
    inputs = []
    for name, values in tensors.items():
        inputs.append(grpc.InferInput(name, list(values.shape), TRITON_TYPES[values.dtype]))
        inputs[-1].set_data_from_numpy(values)
    with grpc.InferenceServerClient(url) as client:
        result = client.infer("toy_rank", inputs, outputs=[grpc.InferRequestedOutput(name) for name in names])
    return {name: result.as_numpy(name) for name in names}


def test_bundle_of_requests_lies_in_the_bundle(bundle: Bundle) -> None:
    assert bundle.requests is not None
    assert bundle.requests.signature.request is not None
    assert bundle.signature.request is None
    assert bundle.requests.signature.run_id == bundle.signature.run_id


@pytest.mark.parametrize("count", [1, 7, 100])
def test_server_answers_a_request_as_rows_that_repeat_the_user(server: Server, toy_run: Path, count: int) -> None:
    ranker = TrainedRanker.load(toy_run)
    user, items = ranker.sample[2:3], ranker.sample[np.arange(count) % len(ranker.sample)]
    names = [task.name for task in ranker.schema.tasks]
    found = ask(server.grpc_url, request_tensors(ranker.schema, user, items), [*names, "score"])
    expected = predict(ranker.model, tiled(ranker, user, items))
    for name in names:
        assert_allclose(found[name][:, 0], expected[name], rtol=1e-5, atol=1e-5)
    assert_allclose(found["score"], sum(found[name] for name in names), rtol=1e-5)


def test_server_names_the_best_items(server: Server, toy_run: Path) -> None:
    ranker = TrainedRanker.load(toy_run)
    tensors = request_tensors(ranker.schema, ranker.sample[:1], ranker.sample[:20])
    found = ask(server.grpc_url, tensors, ["score", "top_items", "top_scores"])
    assert found["top_items"].tolist() == np.argsort(-found["score"][:, 0])[:3].tolist()


def test_client_takes_the_model_over_rows(server: Server) -> None:
    with Ranker(server.url) as ranker:
        assert ranker.model == "toy"


def test_damaged_graph_over_requests_publishes_neither(bundle: Bundle, tmp_path: Path) -> None:
    import shutil

    copy = Path(shutil.copytree(bundle.path, tmp_path / "bundle"))
    (copy / "rank" / "model.onnx").write_bytes(b"no graph")
    with pytest.raises(RepositoryError, match=r"rank/model.onnx is damaged"):
        publish(copy, tmp_path / "models")
    assert not list((tmp_path / "models").glob("toy*"))


def test_rows_alone_are_exported_where_asked(toy_run: Path, tmp_path: Path) -> None:
    assert main(["export", str(toy_run), "--out", str(tmp_path / "bundle"), "--rows-only"]) == 0
    assert Bundle.load(tmp_path / "bundle").requests is None
