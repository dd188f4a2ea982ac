"""How many requests of 100 rows a second a server answers with a p99 of 10 ms: Polyrank's, and others."""

import asyncio
import base64
import contextlib
import dataclasses
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path

import msgspec
import numpy as np
import onnxruntime
from numpy.typing import NDArray
from training.environments import Environment, clean_environment

from polyrank.encoder import Encoder
from polyrank.serving import ClientOptions, serve
from polyrank.serving.addresses import Address
from polyrank.serving.calls import Call, Question, Reply
from polyrank.serving.failures import Failure, Kind
from polyrank.serving.load_target import LoadOptions, LoadTarget, load_target
from polyrank.serving.loadtest import Load, highest_rate
from polyrank.serving.runtime import PINS
from polyrank.serving.served import Served
from polyrank.serving.transports.http import HttpTransport

from . import model

PEERS = Path(__file__).parent / "peers"
ROWS, P99_MS = 100, 10.0
FIRST_TIMEOUT_S, TOLERANCE = 30.0, 1e-5
_JSON = {"Content-Type": "application/json"}
_LISTS: dict[int, bytes] = {}
RUNTIME = (f"onnxruntime=={PINS['cpu']['onnxruntime']}", f"numpy=={version('numpy')}")
"""The ONNX Runtime of our server, and the numpy of this process."""


@dataclasses.dataclass(frozen=True)
class Peer:
    """Another server: its script, its packages, and whether it takes JSON.

    Attributes:
        key: of the JSON field that it takes rows in as base64; None takes bytes.
        takes_lists: whether it takes JSON of numbers, and answers with such.
    """

    name: str
    script: str
    packages: tuple[str, ...]
    path: str = "/infer"
    key: str | None = None
    takes_lists: bool = False

    def python(self) -> Path:
        """Return its interpreter, made first when it is absent."""
        return Environment(self.name.removesuffix("-json"), (*self.packages, *RUNTIME), needs_torch=False).python()


_FASTAPI = ("fastapi==0.165.0", "uvicorn[standard]==0.54.0")
PEERS_BY_NAME = {
    peer.name: peer
    for peer in (
        Peer("fastapi", "fastapi_app.py", _FASTAPI),
        Peer("fastapi-json", "fastapi_app.py", _FASTAPI, path="/json", takes_lists=True),
        Peer("litserve", "litserve_app.py", ("litserve==0.2.19",), path="/predict", key="rows"),
        Peer("bentoml", "bentoml_app.py", ("bentoml==1.4.40",), key="rows"),
        Peer("ray-serve", "ray_app.py", ("ray[serve]==2.60.0",)),
    )
}


@dataclasses.dataclass(frozen=True)
class Found:
    """The highest rate of a server, requests per second, and what was measured at it; of 0 at its lowest p99."""

    name: str
    rate: float
    load: Load


def measure(folder: Path, names: list[str], seconds: float) -> list[Found]:
    """Search the highest rate of each server, one after another on the same machine."""
    bundle = model.make_bundle(folder / "model")
    model.publish_bundle(bundle, folder / "models")
    model.publish_naive(bundle, folder / "models")
    options = LoadOptions(rows=ROWS, seconds=seconds, warm_up_s=2.0, timeout_s=2.0)
    rows = model.rows(20_000, 1)
    found = []
    with serve(folder / "models") as server:
        for title, url, name in (
            ("polyrank, HTTP", server.url, model.NAME),
            ("polyrank, gRPC", f"grpc://{server.grpc_url}", model.NAME),
            ("Triton with a naive backend", server.url, model.NAIVE),
        ):
            found.append(_search(title, load_target(url, name, rows, options), options))
    batch = Encoder(model.schema()).encode(rows)
    parts = [batch[start : start + ROWS] for start in range(0, len(batch), ROWS)]
    calls = [Call(model.NAME, part.named(), ()) for part in parts]
    served = Served(model.NAME, "1", bundle.signature, 4096)
    for name in names:
        peer = PEERS_BY_NAME[name]
        with _running(peer, bundle.model_file) as port:
            target = PeerTarget(f"http://127.0.0.1:{port}", served, calls, peer)
            _compare(target, options, bundle.model_file)
            found.append(_search(name, target, options))
    return found


def _compare(target: "PeerTarget", options: LoadOptions, graph: Path) -> None:
    """See to it that a peer answers as the graph does in this process: a wrong answer has no speed.

    Raises:
        SystemExit: it answers otherwise, or not at all.
    """
    session = onnxruntime.InferenceSession(graph, providers=["CPUExecutionProvider"])
    expected = np.hstack(session.run(None, dict(target.calls[0].tensors)))
    try:
        answers = asyncio.run(_first_answer(target, options)).reshape(expected.shape)
    except Failure as failure:
        raise SystemExit(f"{target.peer.name} does not answer: {failure.text}") from failure
    if not (gap := np.abs(answers - expected).max()) <= TOLERANCE:
        raise SystemExit(f"{target.peer.name} answers otherwise than ONNX Runtime here, by {gap:.1e}")


async def _first_answer(target: "PeerTarget", options: LoadOptions) -> NDArray[np.float32]:
    transport = await target.connect(options)
    try:
        return (await transport.infer(target.calls[0], FIRST_TIMEOUT_S)).tensors["all"]
    finally:
        await transport.close()


def _search(name: str, target: LoadTarget, options: LoadOptions) -> Found:
    def told(load: Load) -> None:
        print(f"{name}: {load.rate:,.0f}/s p99 {load.p99_ms:.2f} ms {load.errors or ''}", file=sys.stderr, flush=True)

    rate, loads = highest_rate(target, P99_MS, options, told)
    return Found(name, rate, min(loads, key=lambda load: (load.rate != rate, load.p99_ms)))


@dataclasses.dataclass(frozen=True)
class PeerTarget(LoadTarget):
    """A peer to put load on."""

    peer: Peer

    async def connect(self, options: LoadOptions) -> "PeerTransport":
        """Return a transport to it."""
        host, port = self.url.removeprefix("http://").split(":")
        own = ClientOptions(parallel=options.connections)
        return PeerTransport(Address("http", host, int(port)), own, self.peer)


class PeerTransport(HttpTransport):
    """Ids and numbers to a peer, as bytes or JSON, over the connections of Polyrank's client."""

    def __init__(self, address: Address, options: ClientOptions, peer: Peer) -> None:
        super().__init__(address, options, is_async=True)
        self._peer = peer

    async def infer(self, call: Call, timeout_s: float) -> Reply:
        """Send rows and read the answers, float32 [B, T]."""
        tensors = [tensor.data.cast("B") for tensor in call.tensors.values()]
        if self._peer.takes_lists:
            answer = await self.exchange("POST", self._peer.path, [_as_lists(call)], timeout_s, _JSON)
            data = np.array(msgspec.json.decode(answer.body).get("answers", []), np.float32).tobytes()
        elif self._peer.key is None:
            answer = await self.exchange("POST", self._peer.path, tensors, timeout_s)
            data = bytes(answer.body)
        else:
            text = base64.b64encode(b"".join(tensors)).decode()
            body = msgspec.json.encode({self._peer.key: [text] if self._peer.name == "bentoml" else text})
            answer = await self.exchange("POST", self._peer.path, [body], timeout_s, _JSON)
            found = msgspec.json.decode(answer.body) if answer.head.status == 200 else None  # noqa: PLR2004
            data = b"" if found is None else base64.b64decode(found[0] if isinstance(found, list) else found["answers"])
        if answer.head.status != 200 or len(data) != 8 * ROWS:  # noqa: PLR2004
            raise Failure(Kind.REFUSED, f"status {answer.head.status}, {len(data)} bytes: {bytes(answer.body[:100])!r}")
        return Reply("1", {"all": np.frombuffer(data, np.float32)})

    async def ask(self, question: Question, timeout_s: float, **values: str) -> dict[str, object]:
        """Peers are asked nothing else."""
        raise NotImplementedError


def _as_lists(call: Call) -> bytes:
    """Return a call as JSON; made once, since the measured time is that of servers."""
    found = _LISTS.get(id(call))
    if found is None:
        found = msgspec.json.encode({name: tensor.tolist() for name, tensor in call.tensors.items()})
        _LISTS[id(call)] = found
    return found


@contextlib.contextmanager
def _running(peer: Peer, graph: Path) -> Iterator[int]:
    """Give the port of a peer that answers."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    environment = clean_environment() | {"MODEL": str(graph), "PATH": f"{peer.python().parent}:{os.environ['PATH']}"}
    command = [str(peer.python()), peer.script, str(graph), str(port)]
    with subprocess.Popen(
        command, cwd=PEERS, env=environment, stdout=subprocess.DEVNULL, start_new_session=True
    ) as child:
        try:
            _wait(port, child)
            time.sleep(3.0)  # its workers start after its port
            yield port
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(child.pid, 15)
            try:
                child.wait(10)
            except subprocess.TimeoutExpired:
                os.killpg(child.pid, 9)


def _wait(port: int, child: "subprocess.Popen[bytes]") -> None:
    deadline = time.monotonic() + 90
    while time.monotonic() < deadline and child.poll() is None:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1.0):
            return
        time.sleep(0.2)
    raise RuntimeError(f"{child.args} does not answer at port {port}")
