import http.client
import urllib.request
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from integration.server_repository import add_model, ask, inputs, rows
from tritonclient import grpc
from tritonclient.utils import InferenceServerException

from polyrank.serving.server import Server, serve

pytestmark = pytest.mark.triton

BATCHING = {"dynamic_batching": {"max_queue_delay_microseconds": 20_000}}
WARMUP = {
    "name": "one row",
    "batch_size": 1,
    "inputs": {
        "ids": {"data_type": "TYPE_INT64", "dims": [1], "zero_data": True},
        "dense": {"data_type": "TYPE_FP32", "dims": [1], "zero_data": True},
    },
}
WHOLE = {
    "max_batch_size": 0,
    "input": [
        {"name": "ids", "data_type": "TYPE_INT64", "dims": [-1, 1]},
        {"name": "dense", "data_type": "TYPE_FP32", "dims": [-1, 1]},
    ],
    "output": [{"name": each, "data_type": "TYPE_FP32", "dims": [-1, 1]} for each in ("click", "like")],
}
TUNED = {
    "parameters": {
        "intra_op_thread_count": {"string_value": "2"},
        "inter_op_thread_count": {"string_value": "2"},
        "execution_mode": {"string_value": "1"},
        "enable_mem_arena": {"string_value": "0"},
        "enable_mem_pattern": {"string_value": "0"},
    },
    "optimization": {"graph": {"level": 2}},
}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    repository = tmp_path_factory.mktemp("a repository with spaces")
    add_model(repository)
    add_model(repository, "batched", config=BATCHING)
    add_model(repository, "external", is_external=True)
    add_model(repository, "warm", config={"model_warmup": [WARMUP]})
    add_model(repository, "whole", config=WHOLE)
    add_model(repository, "tuned", config=TUNED)
    with serve(repository) as running:
        yield running


@pytest.mark.parametrize("model", ["ranker", "batched", "external", "warm", "whole", "tuned"])
def test_every_kind_of_model_answers_right(server: Server, model: str) -> None:
    answers = ask(server.grpc_url, rows(10, 3), model)
    np.testing.assert_array_equal(answers["click"], [[10.5], [11.5], [12.5]])
    np.testing.assert_array_equal(answers["like"], [[-10.5], [-11.5], [-12.5]])


def test_all_models_of_the_repository_are_loaded(server: Server) -> None:
    assert server.models == ("batched", "external", "ranker", "tuned", "warm", "whole")
    assert server.is_alive


@pytest.mark.parametrize("name", ["click", "like"])
def test_only_the_requested_output_comes_back(server: Server, name: str) -> None:
    with grpc.InferenceServerClient(server.grpc_url) as client:
        result = client.infer("ranker", rows(1, 1), outputs=[grpc.InferRequestedOutput(name)])
    assert [each.name for each in result.get_response().outputs] == [name]


def test_concurrent_callers_get_their_own_rows_from_shared_batches(server: Server) -> None:
    firsts = range(0, 400, 5)
    with grpc.InferenceServerClient(server.grpc_url) as client, ThreadPoolExecutor(16) as pool:
        results = list(pool.map(lambda first: client.infer("batched", rows(first, 1 + first % 4)), firsts))
        statistics = client.get_inference_statistics("batched").model_stats[0]
    for first, result in zip(firsts, results, strict=True):
        expected = np.arange(first, first + 1 + first % 4).reshape(-1, 1) + 0.5
        np.testing.assert_array_equal(result.as_numpy("click"), expected)
    assert statistics.execution_count < len(firsts)


def test_callers_of_one_batch_may_want_different_outputs(server: Server) -> None:
    with grpc.InferenceServerClient(server.grpc_url) as client, ThreadPoolExecutor(8) as pool:
        wanted = ["click", "like"] * 4
        results = pool.map(
            lambda name: client.infer("batched", rows(7, 1), outputs=[grpc.InferRequestedOutput(name)]).as_numpy(name),
            wanted,
        )
        assert [float(each) for each in np.concatenate(list(results)).ravel()] == [7.5, -7.5] * 4


def test_request_at_fault_gets_the_reason_and_the_server_lives(server: Server) -> None:
    with pytest.raises(InferenceServerException, match="indices element out of data bounds"):
        ask(server.grpc_url, rows(1_000_000, 1))
    assert ask(server.grpc_url, rows(3, 1))["click"].item() == 3.5


def test_request_at_fault_does_not_spoil_its_batch(server: Server) -> None:
    firsts = [1_000_000 if each == 3 else each for each in range(8)]
    with grpc.InferenceServerClient(server.grpc_url) as client, ThreadPoolExecutor(8) as pool:
        sent = [pool.submit(client.infer, "batched", rows(first, 1)) for first in firsts]
        failed = [each.exception() is not None for each in sent]
        right = [float(each.result().as_numpy("click").item()) for each in sent if not each.exception()]
    assert failed == [first == 1_000_000 for first in firsts]
    assert right == [0.5, 1.5, 2.5, 4.5, 5.5, 6.5, 7.5]


def test_batch_above_the_limit_is_refused(server: Server) -> None:
    with pytest.raises(InferenceServerException, match="inference request batch-size must be <= 64"):
        ask(server.grpc_url, rows(0, 65))


def test_answers_have_the_shape_and_dtype_of_the_contract(server: Server) -> None:
    dense = np.array([[0.25]], dtype=np.float32)
    answers = ask(server.grpc_url, inputs(np.array([[2]]), dense))
    assert answers["click"].dtype == np.float32
    assert answers["click"].shape == (1, 1)


def test_metrics_and_http_answer(server: Server) -> None:
    with urllib.request.urlopen(server.metrics_url) as response:  # noqa: S310 - our own server
        assert b"nv_inference_request_success" in response.read()
    connection = http.client.HTTPConnection(server.url.removeprefix("http://"))
    connection.request("GET", "/v2/health/ready")
    assert connection.getresponse().status == http.HTTPStatus.OK


def test_ports_listen_on_this_machine_alone(server: Server) -> None:
    ports = {int(url.split(":")[-1].split("/")[0]) for url in (server.grpc_url, server.url, server.metrics_url)}
    tables = [Path(f"/proc/net/{name}").read_text().splitlines()[1:] for name in ("tcp", "tcp6")]
    entries = [line.split() for table in tables for line in table]
    listening = {local for _, local, _, state, *_ in entries if state == "0A" and int(local[-4:], 16) in ports}
    assert {local.partition(":")[0][-8:] for local in listening} == {"0100007F"}  # gRPC listens on the mapped address
    assert len(listening) == 3


def test_log_tells_the_provider_once_for_each_instance(server: Server) -> None:
    assert server.log_file.read_text().count('"ranker version 1: onnxruntime CPUExecutionProvider"') == 1
