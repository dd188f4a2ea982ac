"""What options are refused, and that those which are taken arrive at the server in both protocols."""

import math
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from artefacts.fake_triton import FakeTriton
from artefacts.scripted_http import ScriptedHttp

from polyrank.errors import ConfigError
from polyrank.serving import ClientOptions, Ranker, TlsFiles

NO_HEADER = r"headers must be ASCII without line ends, and that of '%s' is not$"
REFUSED: dict[str, tuple[dict[str, Any], str]] = {
    "no attempt": ({"attempts": 0}, r"attempts must be an integer in \[1, 1000\], got 0"),
    "too many attempts": ({"attempts": 1001}, r"attempts must be an integer in \[1, 1000\], got 1001"),
    "half an attempt": ({"attempts": 2.5}, r"attempts must be an integer in \[1, 1000\], got 2\.5"),
    "attempts as text": ({"attempts": "3"}, r"attempts must be an integer in \[1, 1000\], got '3'"),
    "nothing in parallel": ({"parallel": 0}, r"parallel must be an integer in \[1, 1000\], got 0"),
    "a wait below zero": ({"backoff_s": -1.0}, r"backoff_s must be above 0 and below 3600, got -1\.0"),
    "a wait that is no number": (
        {"backoff_limit_s": math.nan},
        "backoff_limit_s must be above 0 and below 3600, got nan",
    ),
    "no wait": ({"backoff_s": None}, "backoff_s must be above 0 and below 3600, got None"),
    "a wait as text": ({"hedge_after_s": "1"}, "hedge_after_s must be above 0 and below 3600, got '1'"),
    "an endless attempt": ({"attempt_timeout_s": 3600}, "attempt_timeout_s must be above 0 and below 3600, got 3600"),
    "an unknown packer": ({"compression": "br"}, "compression must be one of none, gzip, deflate, got 'br'"),
    "headers as text": ({"headers": "key: x"}, "headers must be a dict of text by name, got 'key: x'"),
    "a header that ends its line": ({"headers": {"key": "a\r\nb"}}, NO_HEADER % "key"),
    "a header that is no text": (
        {"headers": {"key": 1}},
        NO_HEADER % "key",
    ),
    "a header without a name": (
        {"headers": {"": "x"}},
        NO_HEADER % "",
    ),
    "a name with a colon": (
        {"headers": {"a:b": "x"}},
        NO_HEADER % "a:b",
    ),
    "a header of the protocol": ({"headers": {"Content-Length": "3"}}, "headers must not hold 'Content-Length', which"),
    "a header of gRPC": ({"headers": {"grpc-timeout": "3"}}, "headers must not hold 'grpc-timeout', which belongs"),
    "a binary header": ({"headers": {"key-bin": "3"}}, "headers must not hold 'key-bin', which belongs"),
    "TLS that is a path": ({"tls": "ca.pem"}, r"tls must be TlsFiles\(ca=..., certificate=..., key=...\), got 'ca"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_wrong_option_is_refused_in_one_line(case: str) -> None:
    wrong, message = REFUSED[case]
    with pytest.raises(ConfigError, match=f"^{message}"):
        ClientOptions(**wrong)


def test_certificate_and_key_come_together() -> None:
    with pytest.raises(ConfigError, match=r"^tls\.certificate and tls\.key go together; give both or neither$"):
        TlsFiles(certificate=Path("client.pem"))


@pytest.mark.parametrize("scheme", ["https", "grpcs"])
def test_file_that_is_missing_is_told(scheme: str, tmp_path: Path) -> None:
    options = ClientOptions(tls=TlsFiles(ca=tmp_path / "none.pem"))
    with pytest.raises(ConfigError, match=r"^tls files cannot be used: no such file or directory; give PEM files"):
        Ranker(f"{scheme}://localhost:1", "fake", options=options)


@pytest.mark.parametrize("scheme", ["https", "grpcs"])
def test_file_without_a_certificate_is_told(scheme: str, tmp_path: Path) -> None:
    (tmp_path / "ca.pem").write_text("nothing")
    options = ClientOptions(tls=TlsFiles(ca=tmp_path / "ca.pem"))
    with pytest.raises(ConfigError, match=r"^tls files cannot be used: .*; give PEM files"):
        Ranker(f"{scheme}://localhost:1", "fake", options=options)


def test_file_that_cannot_be_read_is_told(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"^tls file .*none\.pem cannot be read: no such file or directory$"):
        TlsFiles().read(tmp_path / "none.pem")


def test_numbers_of_numpy_are_taken() -> None:
    options = ClientOptions(attempts=np.int64(2), backoff_s=np.float32(0.5))  # type: ignore[arg-type]
    assert (options.attempts, options.backoff_s) == (2, 0.5)


def test_headers_arrive_over_http() -> None:
    server = ScriptedHttp()
    with server.listening() as url, Ranker(url, options=ClientOptions(headers={"X-Key": "secret"})) as ranker:
        ranker.score([{"item": 1}])
    assert {request.headers.get("x-key") for request in server.requests} == {"secret"}


def test_headers_arrive_over_grpc() -> None:
    fake = FakeTriton()
    options = ClientOptions(headers={"X-Key": "secret"})
    with fake.listening() as url, Ranker(f"grpc://{url}", options=options) as ranker:
        ranker.score([{"item": 1}])
    assert [metadata["x-key"] for metadata in fake.metadata] == ["secret"] * 4  # index, metadata, configuration, scores


@pytest.mark.parametrize("compression", ["gzip", "deflate"])
def test_compressed_requests_are_answered_over_grpc(compression: Any) -> None:
    options = ClientOptions(compression=compression)
    with FakeTriton().listening() as url, Ranker(f"grpc://{url}", "fake", options=options) as ranker:
        assert ranker.score([{"item": 1}])["click"].to_pylist() == [0.5]


def test_file_holds_the_same_options(tmp_path: Path) -> None:
    (tmp_path / "client.toml").write_text(
        'attempts = 3\nhedge_after_s = 0.05\n[headers]\nx-api-key = "secret"\n'
        '[tls]\nca = "ca.pem"\nkey = "/k"\ncertificate = "c"'
    )
    tls = TlsFiles(ca=tmp_path / "ca.pem", key=Path("/k"), certificate=tmp_path / "c")
    wanted = ClientOptions(attempts=3, hedge_after_s=0.05, headers={"x-api-key": "secret"}, tls=tls)
    assert ClientOptions.load(tmp_path / "client.toml") == wanted


WRONG_FILES = {
    "another key": ("retries = 3", r"\$: object contains unknown field retries; there are attempt_timeout_s, .*"),
    "a path that is a number": ("[tls]\nca = 3", r"\$\.tls\.ca: expected Path, got int"),
    "a key that ends its line": ('[headers]\nkey = "a\\nb"', NO_HEADER % "key"),
    "half of a pair": ('[tls]\nkey = "k"', r"tls\.certificate and tls\.key go together; give both or neither"),
}


@pytest.mark.parametrize("case", WRONG_FILES)
def test_wrong_file_is_refused_in_one_line(case: str, tmp_path: Path) -> None:
    text, message = WRONG_FILES[case]
    file = tmp_path / "client.toml"
    file.write_text(text)
    with pytest.raises(ConfigError, match=f"^{re.escape(str(file))}: {message.removesuffix('$')}$"):
        ClientOptions.load(file)


def test_file_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"^cannot read client options .*client\.toml: no such file or directory$"):
        ClientOptions.load(tmp_path / "client.toml")
