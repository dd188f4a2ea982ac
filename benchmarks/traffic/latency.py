"""One client that waits for each answer: what a call takes, and how much of it is the client's own work."""

import dataclasses
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from polyrank.serving import ClientOptions, Ranker, serve
from polyrank.serving.addresses import address_of
from polyrank.serving.calls import Call, Transport
from polyrank.serving.transports import open_transport
from polyrank.serving.transports.streams import BlockingStream
from polyrank.serving.waiting import finish

from . import model

ROWS, ITEMS = 100, 1000
CALLS = 2_000


@dataclasses.dataclass(frozen=True)
class Timed:
    """Medians in ms: of calls, and of the part of each that was not the network."""

    what: str
    p50_ms: float
    own_ms: float | None = None
    target_ms: float | None = None
    own_target_ms: float | None = None


class Network:
    """Sums the time that calls wait for the network."""

    def __init__(self) -> None:
        self.seconds = 0.0
        for name in ("send", "receive"):
            setattr(BlockingStream, name, self._timed(getattr(BlockingStream, name)))

    def _timed(self, method: Callable[..., Any]) -> Callable[..., Any]:
        async def timed(*arguments: Any) -> Any:
            start = time.perf_counter()
            try:
                return await method(*arguments)
            finally:
                self.seconds += time.perf_counter() - start

        return timed


def measure(folder: Path) -> tuple[list[Timed], float]:
    """Serve the model and time calls in turns; return them, and how many times faster a request of items is."""
    bundle = model.make_bundle(folder / "model")
    model.publish_bundle(bundle, folder / "models")
    rows = model.rows(10_000, 1)
    schema = model.schema()
    names = [feature.name for feature in schema.features]
    of_user = [f"c{place}" for place in range(model.USER_CATEGORICAL)]
    of_user += [f"n{place}" for place in range(model.USER_NUMERIC)]
    network = Network()
    with (
        serve(folder / "models") as server,
        Ranker(server.http_url, model.NAME) as http,
        Ranker(f"grpc://{server.grpc_url}", model.NAME) as grpc,
    ):
        encoder = http.served.encoder
        items = http.items(rows.slice(0, ITEMS).drop_columns([*of_user, "is_click", "is_like"]))
        users = rows.select(of_user).slice(ITEMS, 100).to_pylist()
        tables = [rows.select(names).slice(start, ROWS) for start in range(0, 5_000, ROWS)]
        encoded = [encoder.encode(table).named() for table in tables]
        whole = [_repeated(rows.select(names).slice(start, ITEMS), of_user) for start in range(0, 5_000, ITEMS)]
        outputs = tuple(http.served.widths)
        options = ClientOptions()
        by_http, by_grpc = (
            finish(open_transport(address_of(url), options, 10.0)) for url in (server.url, f"grpc://{server.grpc_url}")
        )
        works: dict[str, Callable[[int], object]] = {
            "ids of 100 rows over HTTP": lambda turn: _infer(by_http, encoded[turn % len(encoded)], outputs),
            "ids of 100 rows over gRPC": lambda turn: _infer(by_grpc, encoded[turn % len(encoded)], outputs),
            "ids of 100 rows, tritonclient over gRPC": _tritonclient(server.grpc_url, encoded, outputs),
            "score(100 rows) over HTTP": lambda turn: http.score(tables[turn % len(tables)]),
            "score(100 rows) over gRPC": lambda turn: grpc.score(tables[turn % len(tables)]),
            "rank(user, 1000 items)": lambda turn: http.rank(users[turn % len(users)], items, top_k=10),
            "score(1000 rows that repeat the user)": lambda turn: http.score(whole[turn % len(whole)]),
        }
        times = _in_turns(works, network)
    found = [Timed(what, *times[what]) for what in works]
    targets = {"ids of 100 rows over HTTP": 0.45, "rank(user, 1000 items)": 2.0}
    own = {"score(100 rows) over HTTP": 0.06}
    found = [
        dataclasses.replace(each, target_ms=targets.get(each.what), own_target_ms=own.get(each.what)) for each in found
    ]
    by_name = {each.what: each.p50_ms for each in found}
    return found, by_name["score(1000 rows that repeat the user)"] / by_name["rank(user, 1000 items)"]


def _repeated(rows: pa.Table, columns: Sequence[str]) -> pa.Table:
    """Give every row the user of the first."""
    for name in columns:
        rows = rows.set_column(rows.column_names.index(name), name, pa.repeat(rows[name][0], len(rows)))
    return rows


def _infer(transport: Transport, tensors: dict[str, Any], outputs: tuple[str, ...]) -> object:
    return finish(transport.infer(Call(model.NAME, tensors, outputs), 10.0))


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


def _in_turns(works: dict[str, Callable[[int], object]], network: Network) -> dict[str, tuple[float, float | None]]:
    """Time calls, 50 of each in turn, so that all see the same machine; return medians of all and of what is own."""
    spent: dict[str, list[tuple[float, float]]] = {what: [] for what in works}
    for start in range(-50, CALLS, 50):
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
        is_http = "gRPC" not in what
        found[what] = float(all_of), float(own) if is_http else None
    return found
