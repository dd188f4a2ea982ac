"""Encryption: who is trusted, who is not, and that the latter is told at once."""

import asyncio
import shutil
import ssl
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import grpc
import numpy as np
import pytest
from artefacts.asking import ROWS, Score, both_ways
from artefacts.certificates import Authority, make_authority
from artefacts.fake_triton import FakeTriton
from artefacts.scripted_http import Answer, ScriptedHttp, scores

from polyrank.errors import ConfigError, DeadlineExceededError, ServerUnavailableError
from polyrank.serving import ClientOptions, Ranker, TlsFiles
from polyrank.serving.addresses import address_of
from polyrank.serving.calls import Call
from polyrank.serving.transports.http import HttpTransport
from polyrank.serving.waiting import finish

pytestmark = pytest.mark.skipif(shutil.which("openssl") is None, reason="certificates are made with openssl")


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return make_authority(tmp_path_factory.mktemp("tls") / "right")


@pytest.fixture(scope="module")
def stranger(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return make_authority(tmp_path_factory.mktemp("tls") / "wrong")


@pytest.fixture(scope="module")
def server_files(authority: Authority) -> tuple[Path, Path]:
    return authority.certificate("server")


@pytest.fixture(scope="module")
def client_files(authority: Authority) -> tuple[Path, Path]:
    return authority.certificate("client")


@pytest.fixture
def context(server_files: tuple[Path, Path]) -> ssl.SSLContext:
    """The server's part of TLS."""
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    made.load_cert_chain(*server_files)
    return made


def credentials(server_files: tuple[Path, Path], ca: Path | None = None) -> grpc.ServerCredentials:
    certificate, key = (path.read_bytes() for path in server_files)
    roots = None if ca is None else ca.read_bytes()
    return grpc.ssl_server_credentials([(key, certificate)], roots, require_client_auth=ca is not None)


@pytest.fixture(params=["https", "grpcs"])
def url(request: pytest.FixtureRequest, context: ssl.SSLContext, server_files: tuple[Path, Path]) -> Iterator[str]:
    """A server of either protocol under TLS."""
    if request.param == "https":
        with ScriptedHttp(context=context).listening() as place:
            yield f"https://{place}"
    else:
        with FakeTriton().listening(credentials(server_files)) as place:
            yield f"grpcs://{place}"


@pytest.fixture(params=["https", "grpcs"])
def careful_url(
    request: pytest.FixtureRequest, context: ssl.SSLContext, server_files: tuple[Path, Path], authority: Authority
) -> Iterator[str]:
    """A server of either protocol that asks for a certificate."""
    if request.param == "https":
        context.verify_mode = ssl.CERT_REQUIRED
        context.load_verify_locations(authority.ca)
        with ScriptedHttp(context=context).listening() as place:
            yield f"https://{place}"
    else:
        with FakeTriton().listening(credentials(server_files, authority.ca)) as place:
            yield f"grpcs://{place}"


@both_ways
def test_server_with_a_trusted_certificate_is_asked(score: Score, url: str, authority: Authority) -> None:
    assert len(score([url], ClientOptions(tls=TlsFiles(ca=authority.ca)), calls=3)) == 3


@both_ways
def test_server_of_another_authority_is_refused_at_once(score: Score, url: str, stranger: Authority) -> None:
    start = time.monotonic()
    with pytest.raises(ConfigError) as caught:
        score([url], ClientOptions(tls=TlsFiles(ca=stranger.ca), backoff_s=1.0))
    assert time.monotonic() - start < 1.0
    message = str(caught.value)
    assert message.startswith("fake at 127.0.0.1:")
    assert "no TLS with the server (" in message
    assert "see that it speaks TLS, that tls.ca vouches for it, and that it takes tls.certificate" in message
    assert "\n" not in message


@both_ways
def test_client_shows_its_certificate(
    score: Score, careful_url: str, authority: Authority, client_files: tuple[Path, Path]
) -> None:
    files = TlsFiles(ca=authority.ca, certificate=client_files[0], key=client_files[1])
    assert len(score([careful_url], ClientOptions(tls=files))) == 3


@both_ways
def test_client_without_a_certificate_is_told(score: Score, careful_url: str, authority: Authority) -> None:
    start = time.monotonic()
    with pytest.raises((ConfigError, ServerUnavailableError), match=r"^fake at 127\.0\.0\.1:\d+: no "):
        score([careful_url], ClientOptions(tls=TlsFiles(ca=authority.ca)))
    assert time.monotonic() - start < 4.0


@both_ways
def test_server_without_tls_is_told(score: Score, authority: Authority) -> None:
    with (
        ScriptedHttp().listening() as place,
        pytest.raises(ConfigError, match=r"^fake at 127\.0\.0\.1:\d+: no TLS with the server \(.*WRONG_VERSION"),
    ):
        score([f"https://{place}"], ClientOptions(attempts=2, tls=TlsFiles(ca=authority.ca)), timeout_s=2.0)


def test_certificate_of_another_host_is_refused(context: ssl.SSLContext, authority: Authority) -> None:
    with ScriptedHttp(context=context).listening() as place:
        other = place.replace("127.0.0.1", "127.0.0.2")
        with pytest.raises((ConfigError, ServerUnavailableError), match=r"no TLS with the server|no server answers"):
            Ranker(f"https://{other}", "fake", options=ClientOptions(attempts=1, tls=TlsFiles(ca=authority.ca)))


def infer_blocking(transport: HttpTransport, call: Call, timeout_s: float) -> None:
    try:
        finish(transport.infer(call, timeout_s))
    finally:
        finish(transport.close())


def infer_async(transport: HttpTransport, call: Call, timeout_s: float) -> None:
    async def ask() -> None:
        try:
            await transport.infer(call, timeout_s)
        finally:
            await transport.close()

    asyncio.run(ask())


@pytest.mark.parametrize(("infer", "is_async"), [(infer_blocking, False), (infer_async, True)])
def test_large_body_arrives_whole_under_tls(
    context: ssl.SSLContext,
    authority: Authority,
    infer: Callable[..., None],
    is_async: bool,  # noqa: FBT001
) -> None:
    big = np.arange(1_000_000, dtype=np.int64)[None]
    server = ScriptedHttp(infer=lambda _request: Answer([scores(1)]), context=context)
    with server.listening() as place:
        options = ClientOptions(tls=TlsFiles(ca=authority.ca))
        transport = HttpTransport(address_of(f"https://{place}"), options, is_async=is_async)
        infer(transport, Call("fake", {"ids": big}), 20.0)
    assert server.inferences[0].body[-big.nbytes :] == big.tobytes()


@both_ways
def test_slow_answer_under_tls_ends_at_the_deadline(
    score: Score, context: ssl.SSLContext, authority: Authority
) -> None:
    server = ScriptedHttp(infer=lambda _request: Answer(delay_s=1.0), context=context)
    with server.listening() as place, pytest.raises(DeadlineExceededError, match=r"deadline of 0\.3 s passed"):
        score([f"https://{place}"], ClientOptions(tls=TlsFiles(ca=authority.ca)), timeout_s=0.3)


def test_connection_under_tls_is_kept_and_opened_anew(context: ssl.SSLContext, authority: Authority) -> None:
    server = ScriptedHttp(context=context)
    options = ClientOptions(attempts=1, tls=TlsFiles(ca=authority.ca))
    with server.listening() as place, Ranker(f"https://{place}", "fake", options=options) as ranker:
        for _ in range(5):
            ranker.score(ROWS)
        assert server.connections == 1
        server.drop()
        ranker.score(ROWS)
    assert server.connections == 2
