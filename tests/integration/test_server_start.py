import socket
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from integration.server_repository import add_model, ask, rows

from polyrank.errors import RepositoryError, ServerStartError
from polyrank.serving import server as server_module
from polyrank.serving.ports import Ports, choose_ports
from polyrank.serving.runtime import ensure_runtime
from polyrank.serving.server import ServerConfig, serve

pytestmark = pytest.mark.triton


def test_unreadable_graph_fails_the_start_with_its_name(tmp_path: Path) -> None:
    add_model(tmp_path)
    (add_model(tmp_path, "bad") / "1" / "model.onnx").write_bytes(b"not a graph")
    expected = r"did not start: model 'bad' version 1 does not load: .*Protobuf parsing failed\. \(log: .*\.log\)$"
    with pytest.raises(ServerStartError, match=expected):
        serve(tmp_path)


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({"parameters": {"intra_op_thread_count": {"string_value": "two"}}}, "must be a whole number, got 'two'"),
        ({"optimization": {"graph": {"level": 3}}}, "graph.level must be one of -1, 0, 1, 2, got 3"),
        (
            {"input": [{"name": "ids", "data_type": "TYPE_INT64", "dims": [1]}]},
            r"input 'dense' of the graph is not in config\.pbtxt",
        ),
        (
            {"output": [{"name": "share", "data_type": "TYPE_FP32", "dims": [1]}]},
            r"output 'share' of config\.pbtxt is not in the graph",
        ),
    ],
)
def test_config_that_the_backend_refuses_fails_the_start(tmp_path: Path, config: dict[str, Any], message: str) -> None:
    add_model(tmp_path, config=config)
    with pytest.raises(ServerStartError, match=rf"model 'ranker' version 1 does not load: .*{message}"):
        serve(tmp_path)


def test_only_the_models_asked_for_are_loaded(tmp_path: Path) -> None:
    add_model(tmp_path)
    (add_model(tmp_path, "bad") / "1" / "model.onnx").write_bytes(b"not a graph")
    with serve(tmp_path, models=["ranker"]) as server:
        assert server.models == ("ranker",)
        assert ask(server.grpc_url, rows(4, 1))["click"].item() == 4.5


def test_empty_repository_is_refused_before_anything_starts(tmp_path: Path) -> None:
    with pytest.raises(RepositoryError, match="holds no finished model"):
        serve(tmp_path)


def test_busy_port_is_refused_before_anything_starts(tmp_path: Path) -> None:
    add_model(tmp_path)
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        with pytest.raises(
            ServerStartError, match=rf"http port {port} on 127\.0\.0\.1 cannot be used .*--http-port 0$"
        ):
            serve(tmp_path, config=ServerConfig(http_port=port))


@pytest.mark.parametrize("name", ["http", "grpc", "metrics"])
def test_port_taken_at_the_last_moment_is_chosen_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    add_model(tmp_path)
    with socket.create_server(("127.0.0.1", 0)) as other:
        free = choose_ports("127.0.0.1", Ports(http=0, grpc=0, metrics=0))
        taken = {each: getattr(free, each) for each in ("http", "grpc", "metrics")} | {name: other.getsockname()[1]}
        choices = iter([Ports(**taken), free])
        monkeypatch.setattr(server_module, "choose_ports", lambda *_, **__: next(choices))
        with serve(tmp_path) as server:
            assert server.url.endswith(str(free.http))


def test_answers_of_another_server_at_its_port_do_not_count(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    add_model(tmp_path)
    with serve(tmp_path) as first:
        taken = Ports(http=port_of(first.url), grpc=port_of(first.grpc_url), metrics=port_of(first.metrics_url))
        monkeypatch.setattr(server_module, "choose_ports", lambda *_, **__: taken)  # as both do at once
        with pytest.raises(ServerStartError, match=r"the server did not start: .*already in use"):
            serve(tmp_path)
        assert ask(first.grpc_url, rows(4, 1))["click"].item() == 4.5


def port_of(url: str) -> int:
    return urlsplit(url if "//" in url else f"//{url}").port or 0


def test_server_that_is_late_is_stopped(tmp_path: Path) -> None:
    add_model(tmp_path)
    with pytest.raises(ServerStartError, match=r"the server was not ready after 0\.01 s: .*\(log: "):
        serve(tmp_path, config=ServerConfig(ready_timeout_s=0.01))


def test_log_goes_to_the_end_of_the_file_asked_for(tmp_path: Path) -> None:
    add_model(tmp_path)
    log = tmp_path / "logs" / "triton.log"
    log.parent.mkdir()
    log.write_text("earlier\n")
    with serve(tmp_path, config=ServerConfig(log_file=log)) as server:
        assert server.log_file == log
        assert log.read_text().startswith("earlier\n")
        assert "successfully loaded 'ranker'" in log.read_text()


def test_log_file_that_is_a_folder_is_refused(tmp_path: Path) -> None:
    add_model(tmp_path)
    with pytest.raises(ServerStartError, match=r"did not start: is a directory \(.*ranker\)$"):
        serve(tmp_path, config=ServerConfig(log_file=tmp_path / "ranker"))


def test_cache_that_cannot_hold_the_servers_folder_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    add_model(tmp_path)
    runtime = ensure_runtime()
    monkeypatch.setattr(server_module, "ensure_runtime", lambda **_options: runtime)
    (tmp_path / "cache").touch()
    monkeypatch.setenv("POLYRANK_CACHE_DIR", str(tmp_path / "cache"))
    with pytest.raises(ServerStartError, match=r"did not start: not a directory \(.*cache/logs\)$"):
        serve(tmp_path)
