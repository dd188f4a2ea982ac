"""One client that waits for each answer: what a call takes, and how much of it is the client's own work."""

import contextlib
import dataclasses
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import pyarrow as pa

from polyrank.encoder import Encoder
from polyrank.export import Bundle, ServingOptions
from polyrank.halves import item_features
from polyrank.serving import ClientOptions, Ranker, Server, serve
from polyrank.serving.addresses import address_of
from polyrank.serving.calls import Call, Transport
from polyrank.serving.transports import open_transport
from polyrank.serving.transports.streams import BlockingStream
from polyrank.serving.waiting import finish

from . import model

ROWS, ITEMS = 100, 1000
ONE_THREAD = "one_thread"
AS_REQUEST, AS_ROWS = "{}: rank(user, 1000 items)", "{}: score(1000 rows that repeat the user)"
TARGETS_MS = {"ids of 100 rows over HTTP": 0.45, AS_REQUEST.format("served"): 2.0, AS_REQUEST.format("kuairand"): 2.0}
SCORE = "score(100 rows) over HTTP"
ALONE = f"{SCORE}, its answer at hand: nobody asks the server"
OWN_TARGETS_MS = {SCORE: 0.06, ALONE: 0.06}


@dataclasses.dataclass(frozen=True)
class Timed:
    """Medians in ms: of calls, and of the part of each that was not the network."""

    what: str
    p50_ms: float
    own_ms: float | None = None
    target_ms: float | None = None
    own_target_ms: float | None = None


class Network:
    """Sums the time that calls wait for the network, or stands for it.

    Attributes:
        seconds: of waiting.
        answer: what is received in place of answers, where nothing is sent; empty while the network is there.
        heard: the last that was received.
    """

    def __init__(self) -> None:
        self.seconds = 0.0
        self.answer = self.heard = b""
        for name in ("send", "receive"):
            setattr(BlockingStream, name, self._timed(getattr(BlockingStream, name)))

    def _timed(self, method: Callable[..., Any]) -> Callable[..., Any]:
        async def timed(*arguments: Any) -> Any:
            if self.answer:
                return self.answer
            start = time.perf_counter()
            try:
                self.heard = await method(*arguments)
            finally:
                self.seconds += time.perf_counter() - start
            return self.heard

        return timed


def measure(folder: Path, calls: int) -> tuple[list[Timed], dict[str, float]]:
    """Serve both models and time so many calls of each kind in turns.

    Returns:
        The calls, and by model how many times faster a request of items is than rows that repeat the user.
    """
    bundle = model.make_bundle(folder / "model")
    model.publish_bundle(bundle, folder / "models")
    model.publish_naive(bundle, folder / "models")
    model.publish_bundle(bundle, folder / "models", ONE_THREAD, ServingOptions(threads=1))
    history, logs = model.kuairand_bundle(folder / "kuairand")
    model.publish_bundle(history, folder / "models", "kuairand")
    rows = model.rows(10_000, 1)
    network = Network()
    with serve(folder / "models") as server, contextlib.ExitStack() as stack:
        works = _calls(server, rows, stack) | _in_process(bundle, rows)
        for name, table in ((model.NAME, rows), ("kuairand", logs)):
            works |= _ranks(server, name, table, stack)
        times = _in_turns(works, network, calls)
        works[ALONE] = works[SCORE]
        times[ALONE] = _alone(works[SCORE], network, calls)
    found = [
        Timed(what, *times[what], target_ms=TARGETS_MS.get(what), own_target_ms=OWN_TARGETS_MS.get(what))
        for what in works
    ]
    p50 = {each.what: each.p50_ms for each in found}
    ratios = {name: p50[AS_ROWS.format(name)] / p50[AS_REQUEST.format(name)] for name in (model.NAME, "kuairand")}
    return found, ratios


def _calls(server: Server, rows: pa.Table, stack: contextlib.ExitStack) -> dict[str, Callable[[int], object]]:
    """Return calls of the model, each by the number of its turn."""
    http = stack.enter_context(Ranker(server.url, model.NAME))
    grpc = stack.enter_context(Ranker(f"grpc://{server.grpc_url}", model.NAME))
    names = [feature.name for feature in model.schema().features]
    tables = [rows.select(names).slice(start, ROWS) for start in range(0, 5_000, ROWS)]
    encoded = [http.served.encoder.encode(table).named() for table in tables]
    large = [http.served.encoder.encode(rows.slice(start, ITEMS)).named() for start in range(0, 5_000, ITEMS)]
    outputs = tuple(http.served.widths)
    by_http, by_grpc, shared = (
        finish(open_transport(address_of(url), ClientOptions(shared_memory=is_shared), 10.0))
        for url, is_shared in ((server.url, False), (f"grpc://{server.grpc_url}", False), (server.url, True))
    )
    return {
        "ids of 100 rows over HTTP": lambda turn: _infer(by_http, encoded[turn % len(encoded)], outputs),
        "ids of 100 rows over HTTP, one thread": lambda turn: _infer(
            by_http, encoded[turn % len(encoded)], outputs, ONE_THREAD
        ),
        "ids of 100 rows over HTTP, naive backend": lambda turn: _infer(
            by_http, encoded[turn % len(encoded)], outputs, model.NAIVE
        ),
        "ids of 100 rows over gRPC": lambda turn: _infer(by_grpc, encoded[turn % len(encoded)], outputs),
        "ids of 100 rows, tritonclient over gRPC": _tritonclient(server.grpc_url, encoded, outputs),
        "ids of 1000 rows over HTTP": lambda turn: _infer(by_http, large[turn % len(large)], outputs),
        "ids of 1000 rows in shared memory": lambda turn: _infer(shared, large[turn % len(large)], outputs),
        SCORE: lambda turn: http.score(tables[turn % len(tables)]),
        "score(100 rows) over gRPC": lambda turn: grpc.score(tables[turn % len(tables)]),
    }


def _in_process(bundle: Bundle, rows: pa.Table) -> dict[str, Callable[[int], object]]:
    """Return runs of the graph without a server, by one thread: what no call can be quicker than."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(bundle.model_file, options)
    batch = Encoder(bundle.signature.schema).encode(rows)
    parts = [batch[start : start + ROWS].named() for start in range(0, 5_000, ROWS)]
    return {"ids of 100 rows, ONNX Runtime in this process": lambda turn: session.run(None, parts[turn % len(parts)])}


def _ranks(
    server: Server, name: str, rows: pa.Table, stack: contextlib.ExitStack
) -> dict[str, Callable[[int], object]]:
    """Return the ranking of 1,000 items for a user, as a request and as rows."""
    ranker = stack.enter_context(Ranker(server.url, name))
    schema = ranker.signature.schema
    items = item_features(schema)
    of_user = [column for column in schema.feature_columns if column not in items]
    catalog = ranker.items(rows.slice(0, ITEMS).select([each for each in schema.feature_columns if each in items]))
    users = rows.select(of_user).slice(ITEMS, 100).to_pylist()
    whole = [
        _repeated(rows.select(schema.feature_columns).slice(start, ITEMS), of_user) for start in range(0, 5_000, ITEMS)
    ]
    return {
        AS_REQUEST.format(name): lambda turn: ranker.rank(users[turn % len(users)], catalog, top_k=10),
        AS_ROWS.format(name): lambda turn: ranker.score(whole[turn % len(whole)]),
    }


def _repeated(rows: pa.Table, columns: Sequence[str]) -> pa.Table:
    """Give every row the user of the first."""
    for name in columns:
        rows = rows.set_column(rows.column_names.index(name), name, pa.repeat(rows[name][0], len(rows)))
    return rows


def _infer(transport: Transport, tensors: dict[str, Any], outputs: tuple[str, ...], name: str = model.NAME) -> object:
    return finish(transport.infer(Call(name, tensors, outputs), 10.0))


def _tritonclient(url: str, encoded: Sequence[dict[str, Any]], outputs: tuple[str, ...]) -> Callable[[int], object]:
    """Return a call as Triton's own client makes it."""
    from tritonclient import grpc

    client = grpc.InferenceServerClient(url)
    types = {np.dtype(np.int64): "INT64", np.dtype(np.float32): "FP32"}

    def ask(turn: int) -> object:
        inputs = []
        for name, tensor in encoded[turn % len(encoded)].items():
            inputs.append(grpc.InferInput(name, list(tensor.shape), types[tensor.dtype]))
            inputs[-1].set_data_from_numpy(tensor)
        answer = client.infer(model.NAME, inputs, outputs=[grpc.InferRequestedOutput(name) for name in outputs])
        return [answer.as_numpy(name) for name in outputs]

    return ask


def _alone(work: Callable[[int], object], network: Network, calls: int) -> tuple[float, float]:
    """Time calls that get the answer to the first one at once."""
    work(0)
    network.answer = network.heard
    took = []
    for turn in range(calls):
        start = time.perf_counter()
        work(turn)
        took.append(time.perf_counter() - start)
    network.answer = b""
    median = 1e3 * float(np.median(took))
    return median, median


def _in_turns(
    works: dict[str, Callable[[int], object]], network: Network, calls: int
) -> dict[str, tuple[float, float | None]]:
    """Time calls, 50 of each in turn, so that all see the same machine; return medians of all and of what is own."""
    spent: dict[str, list[tuple[float, float]]] = {what: [] for what in works}
    for start in range(-50, calls, 50):
        for what, work in works.items():
            for turn in range(50):
                network.seconds = 0.0
                begin = time.perf_counter()
                work(turn)
                took = time.perf_counter() - begin
                if start >= 0:  # the first turn warms up
                    spent[what].append((took, took - network.seconds))
    found = {}
    for what, pairs in spent.items():
        all_of, own = 1e3 * np.median(np.array(pairs), axis=0)
        is_http = "gRPC" not in what and "this process" not in what
        found[what] = float(all_of), float(own) if is_http else None
    return found
