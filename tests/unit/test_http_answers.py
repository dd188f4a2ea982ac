"""What the client makes of answers that are cut, packed or broken in every way, blocking and for asyncio."""

import asyncio
import gzip
import json
import zlib
from collections.abc import Callable
from typing import Literal

import numpy as np
import pyarrow as pa
import pytest
from artefacts.scripted_http import Answer, Request, ScriptedHttp, http, outputs, refusal, scores

from polyrank.errors import DeadlineExceededError, ModelNotReadyError, RequestError, ServerUnavailableError
from polyrank.serving import AsyncRanker, ClientOptions, Ranker
from polyrank.serving.transports import http_messages

ROWS = [{"item": number} for number in range(3)]
ONCE = ClientOptions(attempts=1)


def score_blocking(url: str, options: ClientOptions, timeout_s: float) -> pa.Table:
    with Ranker(f"http://{url}", "fake", options=options, timeout_s=timeout_s) as ranker:
        return ranker.score(ROWS)


def score_async(url: str, options: ClientOptions, timeout_s: float) -> pa.Table:
    async def ask() -> pa.Table:
        async with AsyncRanker(f"http://{url}", "fake", options=options, timeout_s=timeout_s) as ranker:
            return await ranker.score(ROWS)

    return asyncio.run(ask())


@pytest.fixture(params=[score_blocking, score_async], ids=["blocking", "asyncio"])
def score(request: pytest.FixtureRequest) -> Callable[..., pa.Table]:
    """Score three rows through a server whose answer is given."""

    def ask(answer: Answer | Callable[[Request], Answer | None], timeout_s: float = 5.0) -> pa.Table:
        server = ScriptedHttp(infer=(lambda _request: answer) if isinstance(answer, Answer) else answer)
        with server.listening() as url:
            found: pa.Table = request.param(url, ONCE, timeout_s)
            return found

    return ask


def chunked(data: bytes, size: int, end: bytes = b"0\r\n\r\n") -> bytes:
    parts = [data[start : start + size] for start in range(0, len(data), size)]
    return b"".join(b"%x;name=value\r\n%b\r\n" % (len(part), part) for part in parts) + end


def head_of(lines: str, header: bytes) -> bytes:
    return f"HTTP/1.1 200 OK\r\n{lines}Inference-Header-Content-Length: {len(header)}\r\n\r\n".encode()


HEADER, DATA = outputs(3)
WHOLE = scores(3)
CHUNKED = head_of("Transfer-Encoding: chunked\r\n", HEADER)
INT64 = np.full(3, 1, "<i8").tobytes()

GOOD = {
    "one piece": Answer([WHOLE]),
    "one byte at a time": Answer([bytes([byte]) for byte in WHOLE]),
    "chunks": Answer([CHUNKED + chunked(HEADER + DATA, 7)]),
    "chunks, one byte at a time": Answer([bytes([byte]) for byte in CHUNKED + chunked(HEADER + DATA, 50)]),
    "chunks with a trailer": Answer([CHUNKED + chunked(HEADER + DATA, 99, b"0\r\nExpires: never\r\nX: y\r\n\r\n")]),
    "no length, until it closes": Answer([head_of("", HEADER), HEADER, DATA], closes=True),
    "a connection that closes": Answer([scores(3, Connection="close")], closes=True),
    "capitals in names of headers": Answer([WHOLE.replace(b"Content-Length", b"CONTENT-LENGTH")]),
    "numbers as JSON": Answer([http(outputs(3, data=[0.5, 0.5, 0.5], parameters={})[0])]),
    "numbers as JSON, without parameters": Answer([http(outputs(3, data=[0.5, 0.5, 0.5])[0].replace(b"12", b"null"))]),
    "a proxy's early hint": Answer([b"HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n" + WHOLE]),
}


@pytest.mark.parametrize("case", GOOD)
def test_answer_is_read_however_it_arrives(score: Callable[..., pa.Table], case: str) -> None:
    assert score(GOOD[case])["click"].to_pylist() == [0.5] * 3


def broken(header: bytes, data: bytes = DATA, length: int | str | None = None) -> Answer:
    return Answer([http(header + data, Inference_Header_Content_Length=len(header) if length is None else length)])


BROKEN: dict[str, tuple[Answer, str]] = {
    "garbage": (Answer([b"SSH-2.0-OpenSSH_9.2\r\n"], closes=True), "the answer is not HTTP: b'SSH-2.0"),
    "zeros": (Answer([bytes(100)], closes=True), "the answer is not HTTP"),
    "HTTP of another version": (Answer([WHOLE.replace(b"/1.1", b"/3.0")]), "the answer is not HTTP: b'HTTP/3.0"),
    "a status that is no number": (Answer([WHOLE.replace(b"200", b"2x0")]), "the answer is not HTTP: b'HTTP/1.1 2x0"),
    "nothing": (Answer(closes=True), "the server closed the connection"),
    "half a head": (Answer([WHOLE[:20]], closes=True), "the server closed the connection"),
    "half a body": (Answer([WHOLE[:-1]], closes=True), "the server closed the connection"),
    "half of the chunks": (Answer([CHUNKED + chunked(HEADER + DATA, 9)[:-9]], closes=True), "the server closed the c"),
    "a chunk that is no number": (Answer([CHUNKED + b"x\r\n"]), "the answer is not HTTP: a chunk of b'x'"),
    "a chunk below zero": (Answer([CHUNKED + b"-5\r\n"]), "the answer is not HTTP: a chunk of b'-5'"),
    "a chunk with an underscore": (Answer([CHUNKED + b"1_0\r\n"]), "the answer is not HTTP: a chunk of b'1_0'"),
    "a chunk that never begins": (Answer([CHUNKED + b"1" * 100_000]), "the answer is not HTTP: a chunk of b'11111"),
    "a chunk without its end": (
        Answer([CHUNKED + b"5\r\nhelloXX0\r\n\r\n"]),
        "the answer is not HTTP: a chunk of 5 by",
    ),
    "a length below zero": (Answer([WHOLE.replace(b"Content-Length: ", b"Content-Length: -", 1)]), "a length of b'-"),
    "a length that is no number": (Answer([http(HEADER, Content_Length="many")]), "a length of b'many'"),
    "a length of 5,000 digits": (Answer([http(HEADER, Content_Length="9" * 5000)]), "a length of b'9999"),
    "a length of the header below zero": (broken(HEADER, length=-1), "a length of b'-1'"),
    "a huge head": (Answer([b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 20_000]), "a head above 65536 bytes"),
    "a header that is cut": (broken(HEADER, length=len(HEADER) - 1), "the answer cannot be read: "),
    "a header that is too long": (broken(HEADER, length=len(HEADER) + 4), "the answer cannot be read: "),
    "a header beyond the body": (broken(HEADER, length=10_000), "the answer cannot be read: "),
    "no JSON": (broken(b"<html>"), "the answer cannot be read: "),
    "JSON that nests for ever": (broken(b'{"x":' + b"[" * 100_000), "the answer cannot be read: "),
    "JSON of another form": (broken(b"[]"), "the answer cannot be read: "),
    "a size beyond the body": (broken(HEADER, DATA[:8]), "the answer cannot be read: "),
    "a size below zero": (broken(HEADER.replace(b"12}", b"-4}")), "the answer cannot be read: a size of -4 bytes"),
    "a size of half a number": (broken(HEADER.replace(b"12}", b"13}"), DATA + b"x"), "a size of 13 bytes for shape"),
    "a size of fewer numbers": (broken(HEADER.replace(b"12}", b"8}")), "a size of 8 bytes for shape [3, 1]"),
    "bytes left over": (broken(HEADER, DATA + bytes(4)), "4 bytes are left over"),
    "an unknown type": (broken(outputs(3, datatype="BF16")[0]), "the answer cannot be read: datatype 'BF16'"),
    "a shape below zero": (broken(outputs(3, shape=[-1, 1])[0]), "the answer cannot be read: "),
    "a shape beyond all numbers": (broken(outputs(3, shape=[2**70, 1])[0]), "the answer cannot be read: "),
    "a shape that hides nothing": (broken(outputs(3, shape=[0, 2**62])[0]), "the answer cannot be read: "),
    "no numbers": (broken(outputs(3, parameters={})[0], b""), "the answer cannot be read: output 'click' has no data"),
    "too few JSON numbers": (broken(outputs(3, parameters={}, data=[0.5])[0], b""), "the answer cannot be read: "),
    "JSON numbers beyond int64": (
        broken(outputs(3, parameters={}, datatype="INT64", data=[1e30, 1e30, 1e30])[0], b""),
        "the answer cannot be read: ",
    ),
    "damaged gzip": (
        Answer([http(gzip.compress(HEADER)[:-9], Content_Encoding="gzip")]),
        "the answer cannot be read: its gzip ends too early",
    ),
    "no gzip": (Answer([http(b"plain text", Content_Encoding="gzip")]), "the answer cannot be read: Error -3 "),
}


@pytest.mark.parametrize("case", BROKEN)
def test_answer_that_cannot_be_read_is_told_in_one_line(score: Callable[..., pa.Table], case: str) -> None:
    answer, reason = BROKEN[case]
    with pytest.raises(ServerUnavailableError) as caught:
        score(answer)
    message = str(caught.value)
    assert message.startswith("fake version 1 at 127.0.0.1:")
    assert reason in message
    assert "\n" not in message
    assert len(message) < 300


LARGE = {
    "a bomb in gzip": Answer([http(gzip.compress(bytes(1_000_000)), Content_Encoding="gzip")]),
    "a bomb in deflate": Answer([http(zlib.compress(bytes(1_000_000)), Content_Encoding="deflate")]),
    "a length": Answer([http(HEADER, Content_Length=10_001)]),
    "a chunk": Answer([CHUNKED + b"2711\r\n"]),
    "many chunks": Answer([CHUNKED + chunked(bytes(10_001), 100)]),
    "no end": Answer([head_of("", HEADER) + bytes(10_001)]),
}


@pytest.mark.parametrize("case", LARGE)
def test_answer_above_the_limit_is_refused(
    score: Callable[..., pa.Table], case: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(http_messages, "LARGEST_BYTES", 10_000)
    with pytest.raises(ServerUnavailableError, match=r"\(the answer is larger than 10,000 bytes\)$"):
        score(LARGE[case])


def test_answer_at_the_limit_is_unpacked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http_messages, "LARGEST_BYTES", 10_000)
    assert http_messages.unpacked(gzip.compress(bytes(10_000)), b"gzip") == bytes(10_000)


STATUSES: dict[str, tuple[Answer, type[Exception], str]] = {
    "404 of Triton": (refusal("404 Not Found", "unknown model"), ModelNotReadyError, "does not serve this model"),
    "404 of a proxy": (refusal("404 Not Found"), ModelNotReadyError, "does not serve this model: status 404"),
    "400": (refusal("400 Bad Request", "wrong\n shape"), RequestError, "request refused: wrong shape"),
    "413 with a page": (Answer([http(b"<html>large", "413 Too Large")]), RequestError, "request refused: <html>large"),
    "429": (refusal("429 Too Many Requests"), ServerUnavailableError, "overloaded (status 429)"),
    "500 of Triton": (refusal("500 Internal Server Error", "onnx"), RequestError, "request refused: onnx"),
    "500 without a reason": (refusal("500 Internal Server Error"), RequestError, "request refused: status 500"),
    "502": (refusal("502 Bad Gateway"), ServerUnavailableError, "no server answers; "),
    "503 of Triton": (refusal("503 Service Unavailable", "Exceeds maximum queue size"), ServerUnavailableError, "ove"),
    "503 without a reason": (refusal("503 Service Unavailable"), ServerUnavailableError, "overloaded (status 503)"),
    "504": (refusal("504 Gateway Timeout"), ServerUnavailableError, "no server answers; "),
    "an error of another form": (Answer([http(b'{"error": {"code": 3}}', "400 Bad")]), RequestError, "{'code': 3}"),
    "a reason that nests for ever": (Answer([http(b"[" * 100_000, "400 Bad")]), RequestError, "request refused: [[["),
}


@pytest.mark.parametrize("case", STATUSES)
def test_status_becomes_an_error_of_ours(score: Callable[..., pa.Table], case: str) -> None:
    answer, error, reason = STATUSES[case]
    with pytest.raises(error) as caught:
        score(answer)
    assert reason in str(caught.value)


@pytest.mark.parametrize("pieces", [[], [WHOLE[:30]], [bytes([byte]) for byte in WHOLE]])
def test_slow_answer_ends_at_the_deadline(score: Callable[..., pa.Table], pieces: list[bytes]) -> None:
    with pytest.raises(DeadlineExceededError, match=r"deadline of 0\.3 s passed; raise timeout_s"):
        score(Answer(pieces, pause_s=0.1), timeout_s=0.3)


def packed(encoding: str) -> bytes:
    return zlib.compress(HEADER + DATA, wbits=31 if encoding == "gzip" else 15)


@pytest.mark.parametrize("encoding", ["gzip", "deflate"])
@pytest.mark.parametrize("ask", [score_blocking, score_async])
def test_compression_goes_both_ways(ask: Callable[..., pa.Table], encoding: Literal["gzip", "deflate"]) -> None:
    answer = http(packed(encoding), Content_Encoding=encoding, Inference_Header_Content_Length=len(HEADER))
    server = ScriptedHttp(infer=lambda _request: Answer([answer]))
    with server.listening() as url:
        found = ask(url, ClientOptions(compression=encoding, attempts=1), 5.0)
    (request,) = server.inferences
    assert found["click"].to_pylist() == [0.5] * 3
    assert (request.headers["content-encoding"], request.headers["accept-encoding"]) == (encoding, encoding)
    body, length = zlib.decompress(request.body, wbits=47), int(request.headers["inference-header-content-length"])
    assert json.loads(body[:length])["inputs"][0]["parameters"] == {"binary_data_size": 24}
    assert len(body) - length == 24


def test_scores_are_aligned_in_memory(score: Callable[..., pa.Table]) -> None:
    """Readers of Arrow in other languages refuse numbers at odd addresses."""
    for spaces in range(4):
        header = HEADER + b" " * spaces
        column = score(broken(header))["click"].chunk(0)
        assert column.buffers()[1].address % 4 == 0
