"""Keys of a server: their form, Triton's options for them, and what a lock-down refuses."""

from pathlib import Path

import pytest

from polyrank.__main__ import main
from polyrank.errors import ConfigError
from polyrank.serving import ClientOptions, Lockdown, ServerConfig
from polyrank.serving.container import docker_command
from polyrank.serving.server_config import triton_words

CONTROL, INFERENCE = "control-0123456789", "inference-0123456789"
CONTROLLED = "model-repository,shared-memory,statistics,trace,logging"


def test_control_takes_the_key_on_both_protocols() -> None:
    assert Lockdown(control_key=CONTROL).triton_words == (
        f"--http-restricted-api={CONTROLLED}:triton-grpc-protocol-control-key={CONTROL}",
        f"--grpc-restricted-protocol={CONTROLLED}:control-key={CONTROL}",
    )


def test_inference_takes_a_key_where_there_is_one() -> None:
    words = triton_words(ServerConfig(lockdown=Lockdown(inference_key=INFERENCE)), {})
    assert f"--grpc-restricted-protocol=inference,metadata,model-config:inference-key={INFERENCE}" in words


def test_headers_are_those_that_clients_send() -> None:
    lockdown = Lockdown(control_key=CONTROL, inference_key=INFERENCE)
    assert lockdown.inference_headers == {"triton-grpc-protocol-inference-key": INFERENCE}
    assert lockdown.control_headers == {"triton-grpc-protocol-control-key": CONTROL} | lockdown.inference_headers
    assert ClientOptions(headers=lockdown.control_headers).headers == lockdown.control_headers


def test_key_that_nobody_gave_is_a_fresh_one() -> None:
    assert Lockdown().control_key != Lockdown().control_key


def test_key_does_not_come_into_logs() -> None:
    config = ServerConfig(lockdown=Lockdown(control_key=CONTROL, inference_key=INFERENCE))
    assert CONTROL not in repr(config)
    assert INFERENCE not in repr(config)


@pytest.mark.parametrize(("key", "got"), [("short", "5 characters"), ("with:colon=and/more", "19"), (5, "int")])
@pytest.mark.parametrize("name", ["control_key", "inference_key"])
def test_wrong_key_is_refused_without_being_told(name: str, key: object, got: str) -> None:
    with pytest.raises(ConfigError, match=rf"^{name} must be 16 to 200 letters, digits, .*, got {got}") as caught:
        Lockdown(**{name: key})  # type: ignore[arg-type]
    assert str(key) not in str(caught.value).partition("got ")[2] or got == "5 characters"


@pytest.mark.parametrize("host", ["0.0.0.0", "192.0.2.1", "example.org"])  # noqa: S104 (what is tested)
def test_keys_do_not_cross_a_network_in_the_clear(host: str) -> None:
    message = rf"^host must be 127\.0\.0\.1 in a lock-down without TLS, got '{host}'; give a certificate and key$"
    with pytest.raises(ConfigError, match=message):
        ServerConfig(host=host, lockdown=Lockdown())


@pytest.mark.parametrize("host", ["127.0.0.1", "127.0.0.2", "localhost"])
def test_keys_stay_on_this_machine(host: str) -> None:
    assert ServerConfig(host=host, lockdown=Lockdown()).is_http_local


@pytest.mark.parametrize("name", ["http-restricted-api", "grpc-restricted-protocol"])
def test_two_restrictions_are_refused(name: str) -> None:
    with pytest.raises(ConfigError, match=rf"^triton option {name} is set by the lock-down; leave out one of the two$"):
        ServerConfig(lockdown=Lockdown(), triton_options={name: "trace:a=b"})


def test_lockdown_of_another_type_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"^lockdown must be a Lockdown or None, got True$"):
        ServerConfig(lockdown=True)  # type: ignore[arg-type]


def test_container_is_locked_down_too(served: Path) -> None:
    config = ServerConfig(lockdown=Lockdown(control_key=CONTROL))
    command = docker_command(served / "repository", ["toy"], config, "26.07")
    assert "--http-address=127.0.0.1" in command
    assert f"control-key={CONTROL}" in command
    assert ":8000" not in command


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--control-key-file", "absent"], "--control-key-file needs --locked-down"),
        (["--inference-key-file", "absent"], "--inference-key-file needs --locked-down"),
        (
            ["--locked-down", "--control-key-file", "absent"],
            "--control-key-file absent cannot be read: no such file or directory",
        ),
        (
            ["--locked-down", "--inference-key-file", "other"],
            "--inference-key-file other cannot be read: not ASCII text",
        ),
        (
            ["--locked-down", "--inference-key-file", "short"],
            "the key in short must be 16 to 200 letters, digits, '.', '_', '~' and '-', got 3 characters",
        ),
        (
            ["--locked-down", "--host", "192.0.2.1"],
            "--host must be 127.0.0.1 in a lock-down without TLS, got '192.0.2.1'; give a certificate and key",
        ),
    ],
)
def test_command_refuses_wrong_keys_in_one_line(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    arguments: list[str],
    message: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("short").write_text("abc\n")
    Path("other").write_bytes(b"\xff\xfe")
    assert main(["serve", str(tmp_path), *arguments]) == 1
    assert capsys.readouterr().err == f"polyrank: {message}\n"
