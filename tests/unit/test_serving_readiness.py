from pathlib import Path

import pytest

from polyrank.errors import ConfigError
from polyrank.serving.readiness import ServerLog, is_ready
from polyrank.serving.server import ServerConfig

LOADING = 'I1125 04:03:16.256349 3876 model_lifecycle.cc:472] "loading: bad:1"\n'
WARNING_AS_ERROR = 'E1125 04:03:16.255394 3876 server.cc:241] "CudaDriverHelper has not been initialized."\n'
LOAD_FAILURE = (
    "E1125 04:03:18.201694 3876 model_lifecycle.cc:642] \"failed to load 'bad' version 1: Internal: InvalidProtobuf: "
    '[ONNXRuntimeError] : 7 : Parsing failed.\\n\\nAt:\\n  /x/model.py(50): initialize\\n"\n'
)
UNREADABLE = "E1125 04:28:14.578472 10729 model_repository_manager.cc:1460] \"Poll failed for model directory 'x'\"\n"
NO_CAUSE = "error: creating server: Internal - failed to load all models\n"
FATAL = "error: creating server: Invalid argument - load failed for model 'x': no config\n;\n"


@pytest.mark.parametrize(
    ("text", "cause"),
    [
        ("", "it wrote nothing"),
        (LOADING, LOADING.strip()),
        (LOADING + WARNING_AS_ERROR, "CudaDriverHelper has not been initialized."),
        (UNREADABLE + NO_CAUSE, "Poll failed for model directory 'x'"),
        (WARNING_AS_ERROR + FATAL, "Invalid argument - load failed for model 'x': no config"),
        (
            LOADING + LOAD_FAILURE + FATAL,
            "model 'bad' version 1 does not load: Internal: InvalidProtobuf: [ONNXRuntimeError] : 7 : Parsing failed.",
        ),
    ],
)
def test_cause_is_the_most_telling_line(tmp_path: Path, text: str, cause: str) -> None:
    log = tmp_path / "log"
    log.write_text(text)
    seen = ServerLog(tmp_path / "none")
    seen.path = log
    assert seen.cause() == cause


def test_lines_of_earlier_starts_do_not_count(tmp_path: Path) -> None:
    log = tmp_path / "log"
    log.write_text(LOAD_FAILURE)
    seen = ServerLog(log)
    with log.open("a") as stream:
        stream.write(LOADING)
    assert seen.load_failure() is None
    assert seen.text() == LOADING


def test_log_that_was_removed_is_told(tmp_path: Path) -> None:
    log = tmp_path / "log"
    log.write_text(LOAD_FAILURE)
    seen = ServerLog(log)
    log.unlink()
    assert seen.text() == ""
    assert seen.cause() == "its log was removed"


def test_nothing_listening_is_not_ready() -> None:
    assert not is_ready("127.0.0.1", 1, ("ranker",))


@pytest.mark.parametrize("port", [-1, 65_536])
def test_port_out_of_range_is_refused(port: int) -> None:
    with pytest.raises(ConfigError, match=rf"grpc_port must be an integer in \[0, 65535\], got {port}"):
        ServerConfig(grpc_port=port)


def test_equal_ports_are_refused() -> None:
    with pytest.raises(ConfigError, match="the three ports must differ, got 9 for http, 9 for grpc, 0 for metrics"):
        ServerConfig(http_port=9, grpc_port=9)


@pytest.mark.parametrize("timeout_s", [0.0, -1.0, float("nan")])
def test_timeout_that_is_not_positive_is_refused(timeout_s: float) -> None:
    with pytest.raises(ConfigError, match=r"ready_timeout_s must be in \(0, 86400\] seconds, got"):
        ServerConfig(ready_timeout_s=timeout_s)
