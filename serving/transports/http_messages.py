"""Requests and answers as HTTP carries them: Triton's binary tensor extension of the KServe protocol.

A body is a JSON header, whose length a header of HTTP gives, and then the bytes of each tensor, in its order.
"""

import functools
import math
import zlib
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple
from urllib.parse import quote

import msgspec
import numpy as np
from numpy.typing import NDArray

from polyrank.decoding import decode_json
from polyrank.serving.calls import DTYPES, Call, Reply, wire_type
from polyrank.serving.failures import Failure, Kind, failure_of
from polyrank.serving.shared_memory import Place

Buffers = list[bytes | memoryview]

_LENGTH = b"inference-header-content-length"
_MAX_DIGITS = 15
LARGEST_BYTES = 2**31
"""Of an answer, packed and unpacked: gRPC carries no more, and scores of the largest request are far from it."""

_encode = msgspec.json.Encoder().encode


class _Parameters(msgspec.Struct, frozen=True):
    binary_data_size: int | None = None


class _Output(msgspec.Struct):
    name: str
    datatype: str
    shape: list[int]
    parameters: _Parameters = _Parameters()
    data: list[float] | None = None


class _Answer(msgspec.Struct):
    model_version: str = ""
    outputs: list[_Output] = []


_decode = msgspec.json.Decoder(_Answer).decode
_UNREADABLE = (msgspec.MsgspecError, ValueError, TypeError, ArithmeticError, MemoryError, RecursionError)


class Head(NamedTuple):
    """What the head of an answer says: its status, and how to read the body."""

    status: int
    length: int | None
    json_length: int | None
    encoding: bytes
    is_chunked: bool
    keeps_open: bool


@functools.lru_cache(maxsize=64)
def infer_path(model: str, version: str) -> str:
    """Return the path of an inference request."""
    of_version = f"/versions/{quote(version, safe='')}" if version else ""
    return f"/v2/models/{quote(model, safe='')}{of_version}/infer"


class Shared(NamedTuple):
    """Where the tensors of a request lie in shared memory, in place of its body."""

    region: str
    places: Mapping[str, Place]


def infer_body(call: Call, shared: Shared | None = None) -> tuple[bytes, Buffers]:
    """Return the JSON header of a request, and its tensors as they lie in memory; none that are shared."""
    described = ((name, tensor, *wire_type(tensor)) for name, tensor in call.tensors.items())
    inputs = [
        {
            "name": name,
            "datatype": datatype,
            "shape": shape,
            "parameters": {"binary_data_size": tensor.nbytes} if shared is None else _shared(shared, name),
        }
        for name, tensor, datatype, shape in described
    ]
    header: dict[str, Any] = {"inputs": inputs}
    if call.request_id:
        header["id"] = call.request_id
    if call.outputs:
        header["outputs"] = [{"name": name, "parameters": {"binary_data": True}} for name in call.outputs]
    else:
        header["parameters"] = {"binary_data_output": True}
    return _encode(header), [] if shared else [tensor.data.cast("B") for tensor in call.tensors.values()]


def _shared(shared: Shared, name: str) -> dict[str, str | int]:
    place = shared.places[name]
    return {
        "shared_memory_region": shared.region,
        "shared_memory_byte_size": place.size,
        "shared_memory_offset": place.offset,
    }


def request_head(verb: str, path: str, length: int, headers: Mapping[str, str]) -> bytes:
    """Return the head of a request."""
    lines = "".join([f"{name}: {value}\r\n" for name, value in headers.items()])
    return f"{verb} {path} HTTP/1.1\r\n{lines}Content-Length: {length}\r\n\r\n".encode()


@functools.lru_cache(maxsize=64)
def read_head(data: bytes) -> Head:
    """Read the head of an answer, without the empty line at its end; those of like answers are equal byte for byte.

    Raises:
        Failure: it is not HTTP.
    """
    first, *lines = data.split(b"\r\n")
    parts = first.split(b" ", 2)
    if not first.startswith(b"HTTP/1.") or len(parts) < 2 or not parts[1].isdigit():  # noqa: PLR2004
        raise foreign(first)
    found = {}
    for line in lines:
        name, _, value = line.partition(b":")
        found[name.strip().lower()] = value.strip()
    return Head(
        status=int(parts[1]),
        length=_number(found.get(b"content-length")),
        json_length=_number(found.get(_LENGTH)),
        encoding=found.get(b"content-encoding", b"").lower(),
        is_chunked=found.get(b"transfer-encoding", b"").lower() == b"chunked",
        keeps_open=first.startswith(b"HTTP/1.1") and found.get(b"connection", b"").lower() != b"close",
    )


def foreign(data: bytes) -> Failure:
    """Return what it means that a server speaks something else than HTTP."""
    return Failure(Kind.FOREIGN, f"the answer is not HTTP: {data[:24]!r}")


def _number(text: bytes | None) -> int | None:
    if text is None:
        return None
    if not text.isdigit() or len(text) > _MAX_DIGITS:
        raise Failure(Kind.BROKEN, f"the answer is not HTTP: a length of {text[:40]!r}")
    return int(text)


def require_bounded(size: int) -> None:
    """Refuse an answer of so many bytes, if that is more than any honest one has.

    Raises:
        Failure: it is above `LARGEST_BYTES`.
    """
    if size > LARGEST_BYTES:
        raise Failure(Kind.BROKEN, f"the answer is larger than {LARGEST_BYTES:,} bytes")


def read_reply(head: Head, body: bytes | bytearray) -> Reply:
    """Read the answer to an inference request.

    Raises:
        Failure: it is an error, or not what the protocol says.
    """
    if head.status != 200:  # noqa: PLR2004
        raise refusal(head, body)
    length = len(body) if head.json_length is None else head.json_length
    try:
        answer = _decode(memoryview(body)[:length])
        tensors, start = {}, length
        for output in answer.outputs:
            tensors[output.name] = _tensor(output, body, start)
            start += output.parameters.binary_data_size or 0
        if start != len(body):
            raise ValueError(f"{len(body) - start} bytes are left over")
    except _UNREADABLE as err:
        raise Failure(Kind.BROKEN, f"the answer cannot be read: {err}") from err
    return Reply(answer.model_version, tensors)


def _tensor(output: _Output, body: bytes | bytearray, start: int) -> NDArray[Any]:
    """Return the values of an output whose bytes, if it has any, are at `start`."""
    if output.datatype not in DTYPES:
        raise ValueError(f"datatype {output.datatype!r} of output {output.name!r}")
    dtype, size = DTYPES[output.datatype], output.parameters.binary_data_size
    if any(length < 0 for length in output.shape):
        raise ValueError(f"shape {output.shape} of output {output.name!r}")
    if size is None:
        if output.data is None:
            raise ValueError(f"output {output.name!r} has no data")
        return np.array(output.data, dtype).reshape(output.shape)
    if size != dtype.itemsize * math.prod(output.shape):
        raise ValueError(f"a size of {size} bytes for shape {output.shape} of output {output.name!r}")
    return np.ndarray(output.shape, dtype, buffer=body, offset=start)


def refusal(head: Head, body: bytes | bytearray) -> Failure:
    """Return what an answer with another status than 200 means."""
    try:
        text = str(decode_json(body, dict[str, Any])["error"])
    except (msgspec.DecodeError, KeyError, TypeError):
        text = bytes(body[:200]).decode(errors="replace") or f"status {head.status}"
    if head.status == 405:  # noqa: PLR2004
        text += "; where this port gives metrics, take that for HTTP or gRPC"
    statuses = {404: Kind.NOT_READY, 429: Kind.BUSY, 502: Kind.BROKEN, 503: Kind.BUSY, 504: Kind.BROKEN}
    return failure_of(statuses.get(head.status, Kind.REFUSED), text)


def compressed(buffers: Sequence[bytes | memoryview], encoding: str) -> bytes:
    """Compress a body as `gzip` or `deflate`."""
    packer = zlib.compressobj(1, wbits=31 if encoding == "gzip" else 15)
    return b"".join([*(packer.compress(each) for each in buffers), packer.flush()])


def unpacked(body: bytes | bytearray, encoding: bytes) -> bytes | bytearray:
    """Undo the compression of a body.

    Raises:
        Failure: it is damaged, or too large.
    """
    if not body or encoding not in (b"gzip", b"deflate"):
        return body
    unpacker = zlib.decompressobj(wbits=47)  # either, by its own header
    try:
        found = unpacker.decompress(body, LARGEST_BYTES + 1)
    except zlib.error as err:
        raise Failure(Kind.BROKEN, f"the answer cannot be read: {err}") from err
    require_bounded(len(found))
    if not unpacker.eof:
        raise Failure(Kind.BROKEN, f"the answer cannot be read: its {encoding.decode()} ends too early")
    return found
