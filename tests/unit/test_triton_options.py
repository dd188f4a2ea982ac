"""Options that go to Triton, and those that do not."""

import subprocess
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from polyrank.__main__ import main
from polyrank.errors import ConfigError
from polyrank.serving.devices import devices, devices_line
from polyrank.serving.server import serve
from polyrank.serving.server_config import ServerConfig
from polyrank.serving.triton_options import ServerTls, check_options, option_words, tls_words

LOG = """
I1129 16:36:30.065968 1 python.cc:1] "ranker version 2: onnxruntime CPUExecutionProvider"
I1129 16:36:30.065969 1 python.cc:1] "ranker version 2: onnxruntime CUDAExecutionProvider"
I1129 16:36:30.065970 1 python.cc:1] "bids version 1: onnxruntime CPUExecutionProvider"
I1129 16:36:30.065970 1 python.cc:1] "successfully loaded 'bids'"
"""


@pytest.fixture(scope="module")
def pems(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give a folder with two certificates, `a.pem` and `b.pem`, and their keys."""
    folder = tmp_path_factory.mktemp("pems")
    for name in ("a", "b"):
        files = ["-out", str(folder / f"{name}.pem"), "-keyout", str(folder / f"{name}-key.pem")]
        request = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", f"/CN={name}", *files]
        subprocess.run(request, check=True, capture_output=True)
    return folder


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("http-port", r"^triton option http-port is set by the server itself; use --http-port$"),
        ("grpc-use-ssl", r"^triton option grpc-use-ssl is set by the server itself; use --tls-certificate$"),
        ("load-model", r"; use --model$"),
        (
            "model-control-mode",
            r"^triton option model-control-mode is set by the server itself, which rests on it",
        ),
        ("--http-thread-count", r"^triton option '--http-thread-count' must be a name such as http-thread-count, with"),
        ("", r"^triton option '' must be a name"),
    ],
)
def test_option_that_is_ours_or_none_is_refused(name: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        ServerConfig(triton_options={name: "1"})


def test_prefix_of_shared_memory_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"^triton option backend-config is set by the server itself, which rests"):
        check_options({"backend-config": "python,shm-region-prefix-name=mine"})


def test_other_options_become_words() -> None:
    options = {"http-thread-count": "16", "backend-config": "python,shm-default-byte-size=1048576"}
    check_options(options)
    assert option_words(options) == ["--http-thread-count=16", "--backend-config=python,shm-default-byte-size=1048576"]


def test_certificate_and_key_become_words(pems: Path) -> None:
    tls = ServerTls(certificate=pems / "a.pem", key=pems / "a-key.pem")
    files = [f"--grpc-server-cert={pems}/a.pem", f"--grpc-server-key={pems}/a-key.pem"]
    assert tls_words(tls.files) == ["--grpc-use-ssl=true", *files]


def test_authorities_of_clients_make_it_mutual(pems: Path) -> None:
    tls = ServerTls(certificate=pems / "a.pem", key=pems / "a-key.pem", ca=pems / "b.pem")
    assert {"--grpc-use-ssl-mutual=true", f"--grpc-root-cert={pems}/b.pem"} <= set(tls_words(tls.files))


@pytest.mark.parametrize(
    ("certificate", "key", "ca", "reason"),
    [
        ("absent.pem", "a-key.pem", None, "no such file or directory"),
        ("a.pem", "b-key.pem", None, r"\[x509: key_values_mismatch\] key values mismatch .*"),
        ("a-key.pem", "a-key.pem", None, r"\[ssl\] pem lib .*"),
        ("a.pem", "a-key.pem", "a-key.pem", r"\[x509: no_certificate_or_crl_found\] no certificate or crl found .*"),
    ],
)
def test_files_that_do_not_fit_are_refused(pems: Path, certificate: str, key: str, ca: str | None, reason: str) -> None:
    with pytest.raises(ConfigError, match=rf"^tls files .*{certificate}, .* cannot be used: {reason}; give PEM files"):
        ServerTls(certificate=pems / certificate, key=pems / key, ca=pems / ca if ca else None)


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("restarts", -1, r"^restarts must be an integer in \[0, 1000\], got -1$"),
        ("restarts", 99_999_999_999_999_999_999, r"^restarts must be an integer in \[0, 1000\], got 9+$"),
        ("restarts", 1.5, r"^restarts must be an integer in \[0, 1000\], got 1\.5$"),
        ("log_verbose", -1, r"^log_verbose must be an integer in \[0, 100\], got -1$"),
        ("log_verbose", 99_999_999_999, r"^log_verbose must be an integer in \[0, 100\], got 9+$"),
        ("http_port", "x", r"^http_port must be an integer in \[0, 65535\], got 'x'$"),
        ("grpc_port", True, r"^grpc_port must be an integer in \[0, 65535\], got True$"),
        ("grace_s", -0.5, r"^grace_s must be in \[0, 86400\] seconds, got -0\.5$"),
        ("grace_s", float("inf"), r"^grace_s must be in \[0, 86400\] seconds, got inf$"),
        ("grace_s", float("nan"), r"^grace_s must be in \[0, 86400\] seconds, got nan$"),
        ("grace_s", None, r"^grace_s must be in \[0, 86400\] seconds, got None$"),
        ("hang_s", 0.0, r"^hang_s must be in \(0, 86400\] seconds, got 0\.0$"),
        ("hang_s", 1e99, r"^hang_s must be in \(0, 86400\] seconds, got 1e\+99$"),
        ("ready_timeout_s", 10**400, r"^ready_timeout_s must be in \(0, 86400\] seconds, got 1000"),
        ("ready_timeout_s", "60", r"^ready_timeout_s must be in \(0, 86400\] seconds, got '60'$"),
        ("host", 5, r"^host must be text, "),
        ("host", "", r"^host must be an IPv4 address of this machine, got ''; "),
        ("accelerator", "tpu", r"^accelerator must be 'cpu' or 'gpu', got 'tpu'$"),
        ("log_file", "x.log", r"^log_file must be a pathlib\.Path or None, got 'x\.log'$"),
        ("tls", "cert.pem", r"^tls must be a ServerTls or None, got 'cert\.pem'$"),
        ("triton_options", ["a=1"], r"^triton_options must be a dict of texts by name, got list$"),
        ("triton_options", {"http-thread-count": 16}, r"^triton option http-thread-count must be text, .*, got 16$"),
        ("triton_options", {5: "16"}, r"^the name of a triton option must be text, .*, got 5$"),
    ],
)
def test_wrong_value_is_refused(name: str, value: object, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        ServerConfig(**{name: value})  # type: ignore[arg-type]


def test_numbers_of_numpy_are_taken() -> None:
    config = ServerConfig(restarts=np.int64(3), grace_s=np.float32(0.5))  # type: ignore[arg-type]
    assert (type(config.restarts), type(config.grace_s)) == (int, float)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: serve(None), r"^repository must be a path, got None$"),  # type: ignore[arg-type]
        (lambda: serve(""), r"^repository must be a path, got ''$"),
        (lambda: serve("models", config=5), r"^config must be a ServerConfig, got 5$"),  # type: ignore[arg-type]
        (
            lambda: serve("models", models="ranker"),
            r"^models must be a list of names, as in \['ranker'\], got 'ranker'$",
        ),
        (lambda: serve("models", models=[5]), r"^a name in models must be text, .*, got 5$"),  # type: ignore[list-item]
        (lambda: ServerTls(certificate="c.pem", key=Path("k.pem")), r"^certificate must be a pathlib\.Path, got 'c\."),  # type: ignore[arg-type]
    ],
)
def test_argument_of_a_wrong_type_is_refused(call: Callable[[], object], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        call()


def test_devices_are_read_from_the_log() -> None:
    assert devices(LOG) == {"bids": "CPU", "ranker": "CPU and CUDA"}


def test_line_of_devices_says_why_not_a_gpu(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("polyrank.serving.devices.GPU", tmp_path / "absent")
    assert devices_line({"a": "CPU"}, "gpu") == "devices: a on CPU (this machine has no GPU)"
    monkeypatch.setattr("polyrank.serving.devices.GPU", tmp_path)
    assert devices_line({"a": "CUDA"}, "gpu") == "devices: a on CUDA"
    assert devices_line({"a": "CPU"}, "cpu").endswith("--accelerator gpu takes that for GPUs)")
    assert devices_line({"a": "CPU"}, "gpu").endswith("the log has details)")


def test_line_without_devices_says_so() -> None:
    assert devices_line({}, "cpu") == "devices: no model with ONNX Runtime"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--triton-option", "http-thread-count"], "--triton-option must be NAME=VALUE, got 'http-thread-count'"),
        (
            ["--triton-option=http-thread-count=8", "--triton-option=--http-thread-count=9"],
            "--triton-option names 'http-thread-count' twice; name it once",
        ),
        (["--triton-option", "http-port=1"], "triton option http-port is set by the server itself; use --http-port"),
        (["--tls-key", "key.pem"], "TLS needs --tls-certificate and --tls-key, both"),
        (["--tls-ca", "ca.pem"], "TLS needs --tls-certificate and --tls-key, both"),
        (["--restarts", "-1"], "--restarts must be an integer in [0, 1000], got -1"),
        (["--grace-s", "inf"], "--grace-s must be in [0, 86400] seconds, got inf"),
        (["--http-port", "-1"], "--http-port must be an integer in [0, 65535], got -1"),
        (["--http-port", "8001"], "the three ports must differ, got 8001 for http, 8001 for grpc, 8002 for metrics"),
    ],
)
def test_command_refuses_wrong_options_in_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], message: str
) -> None:
    assert main(["serve", str(tmp_path), *arguments]) == 1
    assert capsys.readouterr().err == f"polyrank: {message}\n"
