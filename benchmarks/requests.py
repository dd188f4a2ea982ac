"""What a graph over requests saves: `python benchmarks/requests.py [BUNDLE]`, of the demo's bundle when left out.

One user with many items, in ONNX Runtime with one thread: as a request, and as rows that repeat the user. Both answer
the bundle's golden rows, the items over and over; medians of turns, by the time of the thread.
"""

import argparse
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import onnxruntime
from contests import report

from polyrank.export import Bundle
from polyrank.halves import halves_of

if TYPE_CHECKING:
    from numpy.typing import NDArray

DEMO = Path("build/demo/bundle")
NUM_ITEMS = (10, 100, 1000, 4000)
TARGET = {1000: 3.0}
TURNS = 200
PACKAGES = ("polyrank", "onnxruntime", "numpy")

Tensors = dict[str, "NDArray[Any]"]


def main() -> None:
    """Print a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("bundle", type=Path, nargs="?", default=DEMO, help=f"with a graph of each (default {DEMO})")
    bundle = Bundle.load(parser.parse_args().bundle)
    if bundle.requests is None:
        raise SystemExit(f"{bundle.path} has no graph over requests; export it without --rows-only")
    print(report.describe(report.machine(PACKAGES), TURNS), end="\n\n")
    lines = [["items", "as rows", "as a request", "ratio", "target", "outcome"]]
    lines += [compare(bundle, bundle.requests, count) for count in NUM_ITEMS]
    print(report.markdown(lines))


def compare(rows: Bundle, requests: Bundle, count: int) -> list[str]:
    """Return a line of the table."""
    tiled, request = answerer(rows, rows_of(rows, count)), answerer(requests, request_of(requests, count))
    seconds: tuple[list[float], list[float]] = ([], [])
    for _ in range(TURNS):
        for own, answer in zip(seconds, (tiled, request), strict=True):
            start = time.thread_time()
            answer()
            own.append(time.thread_time() - start)
    slow, fast = map(statistics.median, seconds)
    target = TARGET.get(count)
    outcome = "-" if target is None else "reached" if slow / fast >= target else "missed"
    times = [f"{1e6 * slow:,.0f} µs", f"{1e6 * fast:,.0f} µs", f"{slow / fast:.1f}"]
    return [f"{count:,}", *times, "-" if target is None else f"≥ {target:.0f}", outcome]


def answerer(bundle: Bundle, tensors: Tensors) -> Callable[[], object]:
    """Return what answers these tensors with a session of one thread."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(bundle.model_file, options, providers=["CPUExecutionProvider"])
    return lambda: session.run(None, tensors)


def rows_of(bundle: Bundle, count: int) -> Tensors:
    """Return golden rows, over and over, with the user's half of the first."""
    golden, user = bundle.golden().inputs, halves_of(bundle.signature.schema)[0]
    own = {"ids": user.id_columns, "dense": user.dense_columns, "weights": user.weight_columns}
    tensors = {name: values[np.arange(count) % len(values)] for name, values in golden.items()}
    for name, values in tensors.items():
        values[:, own[name]] = values[:1, own[name]]
    return tensors


def request_of(bundle: Bundle, count: int) -> Tensors:
    """Return the golden request with its items over and over."""
    golden = bundle.golden().inputs
    return {
        name: values[np.arange(count) % len(values)] if name.startswith("item_") else values
        for name, values in golden.items()
    }


if __name__ == "__main__":
    main()
