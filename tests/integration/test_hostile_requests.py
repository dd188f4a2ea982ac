"""Whatever comes over HTTP, the real server answers, or refuses in one line; a Triton that dies is started again."""

import http.client
import json
import resource
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import grpc
import pytest
from artefacts.hostile import mutated
from artefacts.processes import wait_until
from artefacts.raw import raw_json
from artefacts.runs import AGE, CROSS, ITEM, PLACE, SEEN, WORD, make_rows, make_run, make_schema_of
from hypothesis import given, settings
from hypothesis import strategies as st
from tritonclient.grpc import service_pb2, service_pb2_grpc

from polyrank.encoder import Encoder
from polyrank.export import ExportOptions, ServingOptions, export_onnx, publish
from polyrank.serving.processes import children
from polyrank.serving.server import Server, ServerConfig, serve

pytestmark = pytest.mark.triton

SCHEMA = make_schema_of(ITEM, WORD, CROSS, SEEN, AGE, PLACE, name="toy")
PATH = "/v2/models/toy_raw/infer"
VALID = raw_json(SCHEMA, make_rows(2, seed=1))
OPTIONS = ServingOptions(raw=True, threads=1, max_batch_size=64, warm_up=(1,))
BIG = 5_000_000
BODY_BYTES = 4 * BIG
"""Of the largest bodies."""


class Answer(NamedTuple):
    status: int
    body: dict[str, Any]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("hostile")
    make_run(folder / "run", SCHEMA, sample=Encoder(SCHEMA).encode(make_rows(50)))
    export_onnx(folder / "run", out=folder / "bundle", options=ExportOptions(requests=None))
    publish(folder / "bundle", folder / "models", options=OPTIONS)
    with serve(folder / "models", config=ServerConfig(restarts=5)) as running:
        yield running


def connected(server: Server) -> http.client.HTTPConnection:
    return http.client.HTTPConnection(server.url.removeprefix("http://"), timeout=30.0)


def ask(server: Server, body: bytes | str, **headers: str) -> Answer:
    connection = connected(server)
    connection.request("POST", PATH, body if isinstance(body, bytes) else body.encode(), headers)
    response = connection.getresponse()
    # An error repeats names as they came, which need not be text.
    answer = Answer(response.status, json.loads(response.read().decode(errors="replace"), strict=False))
    connection.close()
    return answer


def check(server: Server, body: bytes | str, **headers: str) -> Answer:
    """Ask, and require an answer or a refusal in one line, of the same Triton."""
    before = server.pid
    found = ask(server, body, **headers)
    assert server.pid == before
    sent = body if isinstance(body, bytes) else body.encode()
    if found.status != 200 and b"\n" not in sent and rb"\n" not in sent:  # line ends of names are repeated too
        assert "\n" not in str(found.body["error"]), found.body
    return found


def resident_bytes(server: Server) -> int:
    """Return what Triton and the workers of its models have in memory."""
    pids = [server.pid, *children(server.pid)]
    pages = sum(int(Path(f"/proc/{pid}/statm").read_text().split()[1]) for pid in pids)
    return pages * resource.getpagesize()


def test_valid_request_is_answered(server: Server) -> None:
    assert ask(server, VALID).status == 200


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=20,
)
# Numbers of a shape are at most 1,000: far larger ones beside few values always kill Triton 2.51, as SECURITY.md says,
# and are DEADLY below.
TENSOR = st.fixed_dictionaries(
    {"name": st.sampled_from(["item", "word", "age", "place", "history", "x"]) | JSON},
    optional={
        "datatype": st.sampled_from(["BYTES", "INT64", "FP32", "FP64", "BOOL", ""]) | JSON,
        "shape": st.lists(st.integers(-(2**63), 1_000) | st.integers(0, 3), max_size=2) | st.text(max_size=5),
        "data": JSON,
        "parameters": st.dictionaries(
            st.sampled_from(["binary_data_size", "shared_memory_region", "shared_memory_byte_size", "classification"]),
            st.integers(-2, 2**40) | JSON,
        ),
    },
)
REQUEST = st.fixed_dictionaries(
    {"inputs": st.lists(TENSOR, max_size=3) | JSON},
    optional={
        "outputs": st.lists(st.fixed_dictionaries({"name": st.sampled_from(["click", "like", "x"]) | JSON})) | JSON,
        "id": JSON,
        "parameters": st.dictionaries(st.text(max_size=8), JSON, max_size=3) | JSON,
    },
)
BODY = st.one_of(mutated(VALID.encode()), REQUEST.map(json.dumps).map(str.encode), st.binary(max_size=200))


def check_body(server: Server, data: st.DataObject) -> None:
    check(server, data.draw(BODY))


@settings(max_examples=300)
@given(data=st.data())
def test_hostile_body_is_answered_or_refused(server: Server, data: st.DataObject) -> None:
    check_body(server, data)


@pytest.mark.slow
@settings(max_examples=10_000)
@given(data=st.data())
def test_hostile_body_is_answered_or_refused_in_many_cases(server: Server, data: st.DataObject) -> None:
    check_body(server, data)


@settings(max_examples=200)
@given(length=st.integers(-10, 3_000) | st.integers(-(2**63), 2**63), cut=st.integers(0, 400))
def test_hostile_length_of_the_header_is_refused(server: Server, length: int, cut: int) -> None:
    check(server, VALID.encode()[: len(VALID) - cut], **{"Inference-Header-Content-Length": str(length)})


def tensor(name: str, datatype: str, shape: list[int], data: str, more: str = "") -> str:
    described = f'"name":"{name}","datatype":"{datatype}","shape":{json.dumps(shape)}'
    return f'{{"inputs":[{{{described}{data and f",{chr(34)}data{chr(34)}:{data}"}{more}}}]}}'


AWKWARD = {
    "20,000 brackets": '{"inputs":' + "[" * 20_000 + "]" * 20_000 + "}",
    "brackets in data": tensor("age", "FP32", [1, 1], "[" * 200_000),
    "brackets alone": "[" * 1_000_000,
    "text of 20 MB": tensor("word", "BYTES", [1, 1], json.dumps(["x" * BODY_BYTES])),
    "numbers of 5 MB": tensor("age", "FP32", [BIG, 1], json.dumps([1] * (BIG // 3))),
    "negative shape": tensor("item", "INT64", [-1, 1], "[1]"),
    "no shape": '{"inputs":[{"name":"item","datatype":"INT64","data":[1]}]}',
    "NaN": tensor("age", "FP32", [1, 1], "[NaN]"),
    "infinity": tensor("age", "FP32", [1, 1], "[-Infinity]"),
    "number too large": tensor("age", "FP32", [1, 1], "[1e999]"),
    "lone surrogate": tensor("word", "BYTES", [1, 1], '["\\ud800"]'),
    "one name twice": json.dumps({"inputs": [{"name": "age", "datatype": "FP32", "shape": [1, 1], "data": [1]}] * 2}),
    "memory of others": tensor("age", "FP32", [1, 1], "", ',"parameters":{"shared_memory_region":"/etc/passwd"}'),
}


@pytest.mark.parametrize("body", AWKWARD.values(), ids=AWKWARD)
def test_awkward_body_is_answered_or_refused(server: Server, body: str) -> None:
    check(server, body)


def test_large_form_is_a_body_like_any_other(server: Server) -> None:
    body = " " * 3 * BIG + VALID
    assert check(server, body, **{"Content-Type": "application/x-www-form-urlencoded"}).status == 200


def growth(server: Server) -> int:
    """Return by how many bytes a server grows over 20 of the largest bodies."""
    before = resident_bytes(server)
    for _ in range(20):
        check(server, AWKWARD["text of 20 MB"])
    return resident_bytes(server) - before


def test_large_requests_leave_no_memory_behind(server: Server) -> None:
    growth(server)  # each of Triton's threads keeps what its largest request took, some not at their first
    assert min(growth(server) for _ in range(3)) < 2 * BODY_BYTES


def send(server: Server, content: bytes) -> bytes:
    """Send bytes that need not be HTTP, and return the beginning of what comes back."""
    host, port = server.url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), timeout=30.0) as connection:
        connection.sendall(content)
        connection.shutdown(socket.SHUT_WR)
        try:
            return connection.recv(100)
        except ConnectionResetError:
            return b""


def test_body_in_a_million_chunks_is_refused(server: Server) -> None:
    before = server.pid
    head = f"POST {PATH} HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n".encode()
    assert send(server, head + b"1\r\n \r\n" * 1_000_000 + b"0\r\n\r\n").startswith(b"HTTP/1.1 500")
    assert server.pid == before


@settings(max_examples=100)
@given(head=mutated(f"POST {PATH} HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n{{}}".encode()))
def test_hostile_head_leaves_the_server_as_it_is(server: Server, head: bytes) -> None:
    before = server.pid
    send(server, head)
    assert server.pid == before


DEADLY = {"brackets": "[" * 20_000_000, "a shape": tensor("item", "INT64", [2**60, 1], "[1]")}
"""What Triton 2.51 dies of, and SECURITY.md says a key or a gateway has to keep out."""


@pytest.mark.parametrize("body", DEADLY.values(), ids=DEADLY)
def test_triton_that_a_request_kills_is_started_again(server: Server, body: str) -> None:
    before = server.pid
    with pytest.raises((ConnectionError, http.client.HTTPException)):
        ask(server, body)
    assert wait_until(lambda: server.pid != before)
    assert wait_until(lambda: is_answering(server))


@pytest.mark.parametrize("shape", [[2**60, 1], [2**33, 1], [2, 2**63 - 1], [-1, 1], [-(2**63), 1], []], ids=str)
@pytest.mark.parametrize("is_raw", [True, False], ids=["raw", "typed"])
def test_hostile_shape_over_grpc_is_refused(server: Server, shape: list[int], *, is_raw: bool) -> None:
    request = service_pb2.ModelInferRequest(model_name="toy_raw")
    asked = request.inputs.add(name="item", datatype="INT64", shape=shape)
    if is_raw:
        request.raw_input_contents.append(b"\1" * 8)
    else:
        asked.contents.int64_contents.append(1)
    before = server.pid
    with grpc.insecure_channel(server.grpc_url) as channel:
        infer = service_pb2_grpc.GRPCInferenceServiceStub(channel).ModelInfer
        with pytest.raises(grpc.RpcError, match=r"INVALID_ARGUMENT|INTERNAL"):
            infer(request, timeout=20.0)
    assert server.pid == before


def is_answering(server: Server) -> bool:
    try:
        return ask(server, VALID).status == 200
    except (OSError, http.client.HTTPException, ValueError):
        return False
