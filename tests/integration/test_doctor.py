"""The doctor at a real Triton."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from integration.server_repository import add_model, ask, rows
from tritonclient import grpc
from tritonclient.utils import InferenceServerException

from polyrank.serving.doctor import Finding, ports, remote, server_runtime
from polyrank.serving.server import Server, serve

pytestmark = pytest.mark.triton


@pytest.fixture(scope="module")
def server(served: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """Give a server of `toy`, of `ranker` without a signature, of `broken`, which does not load, and of `idle`."""
    repository = tmp_path_factory.mktemp("repository")
    shutil.copytree(served / "repository" / "toy", repository / "toy")
    add_model(repository)
    add_model(repository, "idle")
    (add_model(repository, "broken") / "1" / "model.onnx").write_bytes(b"no graph")
    with serve(repository, models=["toy", "ranker"]) as running, grpc.InferenceServerClient(running.grpc_url) as client:
        with pytest.raises(InferenceServerException):
            client.load_model("broken", headers=running.control_headers)
        ask(running.grpc_url, rows(1, 1))
        yield running


@pytest.mark.parametrize("scheme", ["http", "grpc"])
def test_server_is_told_with_models_versions_and_signatures(server: Server, scheme: str) -> None:
    url = server.url if scheme == "http" else f"grpc://{server.grpc_url}"
    found = {each.name: each for each in remote.findings(url)}
    assert found[f"server {url}"] == Finding.ok(f"server {url}", "lives: triton 2.51.0")
    assert found["model toy"] == Finding.ok("model toy", "version 1 is ready")
    assert found["signature of toy"].status == "ok"
    assert "tasks click, like, rating, watch_s, run " in found["signature of toy"].found
    assert found["signature of ranker"].status == "warn"
    assert found["model idle"] == Finding.ok("model idle", "in the repository, not loaded")
    assert "clock" not in found


def test_model_that_does_not_load_fails_with_the_reason(server: Server) -> None:
    found = {each.name: each for each in remote.findings(server.grpc_url)}
    assert found["model broken"].status == "fail"
    assert "version 1 is UNAVAILABLE: Internal: " in found["model broken"].found


def test_ports_of_our_server_are_well(server: Server) -> None:
    wanted = {"grpc": int(server.grpc_url.rpartition(":")[2]), "http": int(server.url.rpartition(":")[2])}
    found = list(ports.findings(wanted))
    assert [each.status for each in found] == ["ok", "ok"]
    assert found[0].found == f"{wanted['grpc']} is used by an embedded server (Triton, process {server.pid})"


def test_environment_of_the_server_is_complete(server: Server) -> None:
    library, environment = server_runtime.findings("cpu")
    assert server.is_alive
    assert (library.status, environment.status) == ("ok", "ok")
    assert "nvidia-pytriton 0.7.0" in environment.found
