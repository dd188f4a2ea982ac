"""What a tensor for each feature costs: `python benchmarks/raw.py [--features 26] [--rows 1 100 1000] [--calls 2000]`.

The same rows go to `<name>`, encoded, and to `<name>_raw`, as one tensor of texts for each feature, in the embedded
server: ready-made binary requests on one socket, so that no client is in the figures, the two in turns. `encode` is
what the encoder takes of it, in this process. The weights are of a moment's training.
"""

import argparse
import json
import socket
import statistics
import tempfile
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Self

import numpy as np
import pyarrow as pa
from contests import report
from numpy.typing import NDArray

from polyrank.encoder import Encoder
from polyrank.export import ExportOptions, ServingOptions, export_onnx, publish
from polyrank.raw_inputs import RawEncoder, SerializedTexts, serialized
from polyrank.schema import Schema
from polyrank.serving.server import serve
from polyrank.train import TrainConfig, fit

FIRST = '{{ name = "text0", kind = "categorical", dtype = "text", num_buckets = {buckets}, embedding_dim = 16 }}'
NEXT = '{{ name = "text{index}", kind = "categorical", shares = "text0" }}'
TASK = '{ name = "click", kind = "binary", label = "is_click" }'
ROUND = 40
TIMEOUT_S = 30.0
Tensors = Mapping[str, NDArray[Any]]


def main() -> None:
    """Print milliseconds by endpoint and rows."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--features", type=int, default=26, help="categorical features of text (default 26)")
    parser.add_argument("--buckets", type=int, default=1_000_000, help="rows of their table (default 1,000,000)")
    parser.add_argument("--rows", type=int, nargs="+", default=[1, 100, 1000], help="of a request")
    parser.add_argument("--calls", type=int, default=2000, help="of each kind (default 2000)")
    args = parser.parse_args()
    features = [FIRST.format(buckets=args.buckets)]
    features += [NEXT.format(index=index) for index in range(1, args.features)]
    schema = Schema.from_toml(f'name = "model"\nfeatures = [{", ".join(features)}]\ntasks = [{TASK}]')
    with tempfile.TemporaryDirectory() as scratch:
        models = published(Path(scratch), schema)
        with serve(models) as server:
            lines = [["rows", "`<name>`, encoded before", "`<name>_raw`", "ratio", "of which encoding"]]
            lines += [measure(server.url, schema, rows, args.calls) for rows in args.rows]
    print(report.markdown(lines))


def published(folder: Path, schema: Schema) -> Path:
    """Train on a few rows, export and publish both models."""
    table = texts(schema, 1000)
    labels = np.arange(1000) % 3 == 0
    rows = pa.table({**table, "is_click": labels.astype(np.int64)})
    run = fit(schema, rows, out=folder / "run", config=TrainConfig(epochs=1), progress=False)
    bundle = export_onnx(run.path, out=folder / "bundle", options=ExportOptions(requests=None))
    publish(bundle, folder / "models", options=ServingOptions(raw=True, threads=1, warm_up=(1, 100, 1000)))
    return folder / "models"


def texts(schema: Schema, rows: int) -> dict[str, list[str]]:
    """Make rows of short texts."""
    return {
        name: [f"value{(7 * place + 13 * row) % 100_000}" for row in range(rows)]
        for place, name in enumerate(schema.feature_columns)
    }


def measure(url: str, schema: Schema, rows: int, calls: int) -> list[str]:
    """Return the line of the table for one number of rows."""
    table = texts(schema, rows)
    batch = Encoder(schema).encode(pa.table(table)).named()
    columns = {name: np.array([[each.encode()] for each in values], np.object_) for name, values in table.items()}
    raw = {name: serialized(column) for name, column in columns.items()}
    requests = {"ids": request("model", batch), "raw": request("model_raw", raw)}
    seconds: dict[str, list[float]] = {name: [] for name in requests}
    with Connection(url) as connection:
        answers = {name: connection.ask(each)[-4 * rows :] for name, each in requests.items()}
        np.testing.assert_allclose(*(np.frombuffer(each, np.float32) for each in answers.values()), atol=1e-6)
        for _ in range(calls // ROUND):
            for name, each in requests.items():
                seconds[name] += [seconds_of(lambda each=each: connection.ask(each)) for _ in range(ROUND)]
    encoder = RawEncoder(schema)
    encode = statistics.median(seconds_of(lambda: encoder.encode(raw)) for _ in range(calls))
    ids, named = (statistics.median(seconds[name]) for name in requests)
    ids_ms, named_ms, encode_ms = (f"{1e3 * each:.2f} ms" for each in (ids, named, encode))
    return [f"{rows:,}", ids_ms, named_ms, f"{named / ids:.2f}", encode_ms]


def request(model: str, tensors: Tensors) -> bytes:
    """Write a request with its tensors in binary form."""
    inputs = [
        {
            "name": name,
            "datatype": "BYTES" if isinstance(tensor, SerializedTexts) else "INT64",
            "shape": list(getattr(tensor, "texts_shape", tensor.shape)),
            "parameters": {"binary_data_size": tensor.nbytes},
        }
        for name, tensor in tensors.items()
    ]
    header = json.dumps({"inputs": inputs, "parameters": {"binary_data_output": True}}).encode()
    body = header + b"".join(tensor.tobytes() for tensor in tensors.values())
    head = f"POST /v2/models/{model}/infer HTTP/1.1\r\nHost: localhost\r\nContent-Length: {len(body)}\r\n"
    return f"{head}Inference-Header-Content-Length: {len(header)}\r\n\r\n".encode() + body


class Connection:
    """One socket that stays open."""

    def __init__(self, url: str) -> None:
        host, _, port = url.removeprefix("http://").partition(":")
        self._socket = socket.create_connection((host, int(port)), TIMEOUT_S)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def __enter__(self) -> Self:
        """Return itself."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close the socket."""
        self._socket.close()

    def ask(self, request: bytes) -> bytes:
        """Send a request, and return the body of the answer.

        Raises:
            SystemExit: the server refuses, or hangs up.
        """
        self._socket.sendall(request)
        got = b""
        while b"\r\n\r\n" not in got:
            got += self._more()
        head, _, body = got.partition(b"\r\n\r\n")
        if not head.startswith(b"HTTP/1.1 200"):
            raise SystemExit(f"the server refuses: {body.decode(errors='replace')}")
        length = next(line for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:"))
        while len(body) < int(length.partition(b":")[2]):
            body += self._more()
        return body

    def _more(self) -> bytes:
        found = self._socket.recv(1 << 20)
        if not found:
            raise SystemExit("the server hung up within an answer")
        return found


def seconds_of(call: Callable[[], object]) -> float:
    """Return how long a call takes."""
    start = time.perf_counter()
    call()
    return time.perf_counter() - start


if __name__ == "__main__":
    main()
