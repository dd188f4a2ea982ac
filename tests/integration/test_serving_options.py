"""Every option of serving.toml loads in the real embedded server, and the answers are the same."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from artefacts.runs import make_run, make_schema
from tritonclient import grpc
from tritonclient.utils import InferenceServerException

from polyrank.export import Bundle, export_onnx, publish
from polyrank.export.serving_options import InstanceGroup, MemoryOptions, ServingOptions, TensorRt
from polyrank.serving import serve
from polyrank.serving.server import Server

pytestmark = pytest.mark.triton

OPTIONS = {
    "defaults": ServingOptions(),
    "two_instances": ServingOptions(instances=(InstanceGroup(kind="cpu", count=2),)),
    "batching": ServingOptions(preferred_batch_sizes=(64, 256), queue_delay_us=200),
    "queue": ServingOptions(
        queue_timeout_us=1, queue_delay_us=200_000, preferred_batch_sizes=(4096,), queue_size=100_000, warm_up=()
    ),
    "no_arena": ServingOptions(memory=MemoryOptions(arena=False, pattern=False)),
    "shrinking": ServingOptions(memory=MemoryOptions(shrink="cpu:0;gpu:0")),
    "cache": ServingOptions(response_cache=True),
    "tensorrt": ServingOptions(tensorrt=TensorRt(precision="FP16", engine_cache="/engines", cuda_graphs=True)),
}


@pytest.fixture(scope="module")
def server(toy_bundle: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("options")
    repository = folder / "models"
    make_run(folder / "run", make_schema("one of each"))
    publish(export_onnx(folder / "run", out=folder / "bundle"), repository, name="every_kind")
    for name, options in OPTIONS.items():
        publish(toy_bundle, repository, name=name, options=options)
    with serve(repository) as running:
        yield running


@pytest.fixture(scope="module")
def request_inputs(toy_bundle: Path) -> list[Any]:
    entries = []
    for name, tensor in Bundle.load(toy_bundle).golden().inputs.items():
        entry = grpc.InferInput(name, list(tensor.shape), {"int64": "INT64", "float32": "FP32"}[tensor.dtype.name])
        entry.set_data_from_numpy(tensor)
        entries.append(entry)
    return entries


@pytest.mark.parametrize("model", [name for name in OPTIONS if name != "queue"])
def test_model_answers_golden_rows_with_its_options(
    server: Server, toy_bundle: Path, request_inputs: list[Any], model: str
) -> None:
    with grpc.InferenceServerClient(server.grpc_url) as client:
        result = client.infer(model, request_inputs)
    for task, expected in Bundle.load(toy_bundle).golden().outputs.items():
        np.testing.assert_allclose(result.as_numpy(task)[:, 0], expected, rtol=1e-5, atol=1e-5)


def test_request_that_waits_too_long_is_refused(server: Server, request_inputs: list[Any]) -> None:
    with (
        grpc.InferenceServerClient(server.grpc_url) as client,
        pytest.raises(InferenceServerException, match="Request timeout expired"),
    ):
        client.infer("queue", request_inputs)


@pytest.mark.parametrize("model", ["defaults", "every_kind"])
def test_warm_up_runs_every_size_before_the_model_is_ready(server: Server, model: str) -> None:
    with grpc.InferenceServerClient(server.grpc_url) as client:
        statistics = client.get_inference_statistics(model).model_stats[0]
    warmed = [int(each.batch_size) for each in statistics.batch_stats]
    assert set(warmed) >= {1, 8, 64, 512, 4096}
