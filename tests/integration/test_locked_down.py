"""A server that is locked down: models answer, and control is refused to who has no key."""

import contextlib
import http.client
import json
import os
import shutil
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import pyarrow as pa
import pyarrow.parquet
import pytest
from artefacts.certificates import make_authority
from artefacts.processes import wait_until
from artefacts.served import load_scores
from tritonclient import grpc
from tritonclient.utils import InferenceServerException

from polyrank.__main__ import main
from polyrank.errors import RequestError
from polyrank.serving import ClientOptions, Lockdown, ModelControl, Ranker, TlsFiles
from polyrank.serving.processes import children, command_line
from polyrank.serving.server import Server, ServerConfig, serve
from polyrank.serving.triton_http import TritonHttp
from polyrank.serving.triton_options import ServerTls

pytestmark = pytest.mark.triton

KEYS = Lockdown(inference_key="inference-0123456789")
MESSAGE = (
    r"^toy at .*: the server asks for a key \(This (API|protocol) is restricted, expecting header .*; give it with"
)
STRANGER = Lockdown(inference_key="another-0123456789")


class Locked(NamedTuple):
    server: Server
    certificate: Path
    models: Path

    def options(self, headers: dict[str, str]) -> ClientOptions:
        return ClientOptions(headers=headers, tls=TlsFiles(ca=self.certificate), attempts=2)

    @property
    def urls(self) -> tuple[str, str]:
        return self.server.url, f"grpcs://{self.server.grpc_url}"


@pytest.fixture(scope="module")
def locked(tmp_path_factory: pytest.TempPathFactory, served: Path) -> Iterator[Locked]:
    folder = tmp_path_factory.mktemp("locked")
    models = Path(shutil.copytree(served / "repository", folder / "models"))
    authority = make_authority(folder / "authority")
    certificate, key = authority.certificate("server")
    config = ServerConfig(
        host="0.0.0.0",  # noqa: S104 (what is tested)
        tls=ServerTls(certificate=certificate, key=key),
        lockdown=KEYS,
        restarts=3,
    )
    with serve(models, models=["toy"], config=config) as server:
        yield Locked(server, authority.ca, models)


@pytest.mark.parametrize("protocol", [0, 1], ids=["http", "grpc"])
def test_client_with_the_key_is_answered(locked: Locked, served: Path, protocol: int) -> None:
    rows = pa.parquet.read_table(served / "rows.parquet")
    with Ranker(locked.urls[protocol], model="toy", options=locked.options(KEYS.inference_headers)) as ranker:
        scores = ranker.score(rows)
    assert abs(scores["click"].to_numpy() - load_scores(served / "scores.npz")["click"].ravel()).max() < 1e-5


@pytest.mark.parametrize("protocol", [0, 1], ids=["http", "grpc"])
@pytest.mark.parametrize("headers", [{}, STRANGER.inference_headers], ids=["no key", "wrong key"])
def test_client_without_the_key_is_refused(locked: Locked, protocol: int, headers: dict[str, str]) -> None:
    with pytest.raises(RequestError, match=MESSAGE):
        Ranker(locked.urls[protocol], model="toy", options=locked.options(headers)).score([{}])


@pytest.mark.parametrize("protocol", [0, 1], ids=["http", "grpc"])
@pytest.mark.parametrize("headers", [KEYS.inference_headers, STRANGER.control_headers], ids=["no key", "wrong key"])
def test_control_without_its_key_is_refused(locked: Locked, protocol: int, headers: dict[str, str]) -> None:
    with ModelControl(locked.urls[protocol], options=locked.options(headers)) as control:
        for change in (control.load, control.unload):
            with pytest.raises(RequestError, match=MESSAGE):
                change("toy")


@pytest.mark.parametrize("protocol", [0, 1], ids=["http", "grpc"])
def test_control_with_its_key_loads(locked: Locked, protocol: int) -> None:
    with ModelControl(locked.urls[protocol], options=locked.options(KEYS.control_headers)) as control:
        control.load("toy")
        assert control.versions("toy") == (1,)


def client_toml(folder: Path, headers: dict[str, str], certificate: Path) -> Path:
    lines = ["[headers]", *(f'{name} = "{key}"' for name, key in headers.items()), "[tls]", f'ca = "{certificate}"']
    file = folder / "client.toml"
    file.write_text("\n".join(lines))
    return file


@pytest.mark.parametrize("protocol", [0, 1], ids=["http", "grpc"])
def test_verbs_have_their_keys_from_a_file(
    locked: Locked, served: Path, toy_bundle: Path, tmp_path: Path, protocol: int
) -> None:
    url, models, rows, name = locked.urls[protocol], locked.models, served / "rows.parquet", f"fresh{protocol}"
    client = client_toml(tmp_path, KEYS.control_headers, locked.certificate)
    for verb in (
        ["publish", toy_bundle, models, "--to", url],
        ["publish", toy_bundle, models, "--to", url],
        ["rollback", models, "--url", url],
        ["verify", url, models],
        ["score", url, rows, "--out", tmp_path / "scores.parquet"],
        ["drift", rows, rows, "--model", url],
        ["loadtest", url, rows, "--rates", 20, "--seconds", 0.5, "--batch", 10],
    ):
        assert main([*map(str, verb), "--name", name, "--client", str(client)]) == 0


def test_verb_without_a_key_says_what_to_give(
    locked: Locked, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    client = client_toml(tmp_path, {}, locked.certificate)
    assert main(["verify", locked.urls[1], str(locked.models), "--name", "toy", "--client", str(client)]) == 1
    assert "; give it with --client, and name the model" in capsys.readouterr().err


def test_doctor_sees_a_locked_server_with_its_key(
    locked: Locked, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    client = client_toml(tmp_path, KEYS.control_headers, locked.certificate)
    main(["doctor", locked.urls[1], "--client", str(client)])
    assert "ok    model toy         version" in capsys.readouterr().out


CLOSED = {
    "list of models": "repository/index",
    "load with files": "repository/models/evil/load",
    "unload": "repository/models/toy/unload",
    "shared memory": "systemsharedmemory/region/a/register",
    "memory of a GPU": "cudasharedmemory/region/a/register",
    "traces": "trace/setting",
    "traces of a model": "models/toy/trace/setting",
    "log": "logging",
}


@pytest.mark.parametrize("path", CLOSED.values(), ids=CLOSED)
def test_what_changes_the_server_is_closed_over_http(locked: Locked, path: str) -> None:
    triton = TritonHttp("127.0.0.1", int(locked.server.url.rpartition(":")[2]), headers=KEYS.inference_headers)
    with pytest.raises(RequestError, match=r"This API is restricted, expecting header 'triton-grpc-protocol-control-"):
        triton.post(f"/v2/{path}", {})


CLOSED_GRPC: dict[str, Callable[..., object]] = {
    "list of models": lambda client, **key: client.get_model_repository_index(**key),
    "load with files": lambda client, **key: client.load_model("a", config="{}", files={"file:1/model.py": b""}, **key),
    "shared memory": lambda client, **key: client.register_system_shared_memory("a", "/a", 8, **key),
    "statistics": lambda client, **key: client.get_inference_statistics(**key),
    "traces": lambda client, **key: client.get_trace_settings(**key),
    "log": lambda client, **key: client.update_log_settings({"log_verbose_level": 1}, **key),
}


@pytest.mark.parametrize("call", CLOSED_GRPC.values(), ids=CLOSED_GRPC)
def test_what_changes_or_watches_is_closed_over_grpc(locked: Locked, call: Callable[..., object]) -> None:
    options = {"ssl": True, "root_certificates": str(locked.certificate)}
    with (
        grpc.InferenceServerClient(locked.server.grpc_url, **options) as client,
        pytest.raises(InferenceServerException, match="This protocol is restricted, expecting header"),
    ):
        call(client, headers=KEYS.inference_headers)


def test_statistics_are_closed_over_http(locked: Locked) -> None:
    triton = TritonHttp("127.0.0.1", int(locked.server.url.rpartition(":")[2]), headers=KEYS.inference_headers)
    with pytest.raises(RequestError, match=r"This API is restricted"):
        triton.get("/v2/models/stats")


def test_shape_that_would_kill_the_server_takes_the_key_first(locked: Locked) -> None:
    tensor = {"name": "item", "datatype": "INT64", "shape": [2**60, 1], "data": [1]}
    connection = http.client.HTTPConnection(locked.server.url.removeprefix("http://"), timeout=10)
    with contextlib.closing(connection):
        connection.request("POST", "/v2/models/toy/infer", json.dumps({"inputs": [tensor]}))
        answer = connection.getresponse()
        assert (answer.status, b"is restricted" in answer.read()) == (403, True)


def test_health_is_open(locked: Locked) -> None:
    assert TritonHttp("127.0.0.1", int(locked.server.url.rpartition(":")[2])).get("/v2/health/ready") is None


def test_supervisor_still_mends_what_dies(locked: Locked) -> None:
    def workers() -> list[int]:
        return [pid for pid in children(locked.server.pid) if any("/toy/" in word for word in command_line(pid))]

    before = workers()
    os.kill(before[0], signal.SIGKILL)
    assert wait_until(lambda: len(workers()) == len(before) and workers() != before)


def test_locked_server_without_keys_for_inference_answers_all(served: Path) -> None:
    with serve(served / "repository", models=["toy"], config=ServerConfig(lockdown=Lockdown())) as server:
        with Ranker(server.url, model="toy") as ranker:
            assert ranker.score(pa.parquet.read_table(served / "rows.parquet")).num_rows == 300
        with ModelControl(server.url) as control, pytest.raises(RequestError, match=MESSAGE):
            control.unload("toy")
