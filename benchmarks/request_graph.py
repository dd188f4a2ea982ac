"""What a graph over requests saves: `python benchmarks/request_graph.py [BUNDLE]`, of the demo's bundle when left out.

One user with many items, in ONNX Runtime with one thread: as a request, and as rows that repeat the user. Both answer
the bundle's golden rows, the items over and over; medians of turns, by the time of the thread.
"""

import argparse
from pathlib import Path

from contests import report

from polyrank.export import Bundle
from polyrank.export.request_speed import request_speed

DEMO = Path(__file__).parents[1] / "build" / "demo" / "bundle"
NUM_ITEMS = (10, 100, 1000, 4000)
TARGET = {1000: 3.0}
TURNS = 200
PACKAGES = ("polyrank", "onnxruntime", "numpy")


def main() -> None:
    """Print a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("bundle", type=Path, nargs="?", default=DEMO, help="with a graph of each (default: the demo's)")
    bundle = Bundle.load(parser.parse_args().bundle)
    print(report.describe(report.machine(PACKAGES), f"medians of {TURNS} turns, of the thread's time"), end="\n\n")
    lines = [["items", "as rows", "as a request", "ratio", "target", "outcome"]]
    print(report.markdown(lines + [compare(bundle, count) for count in NUM_ITEMS]))


def compare(bundle: Bundle, count: int) -> list[str]:
    """Return a line of the table."""
    found = request_speed(bundle, count, turns=TURNS)
    target = TARGET.get(count)
    outcome = "-" if target is None else "reached" if found.ratio >= target else "missed"
    times = [f"{1e6 * found.rows_s:,.0f} µs", f"{1e6 * found.request_s:,.0f} µs", f"{found.ratio:.1f}"]
    return [f"{count:,}", *times, "-" if target is None else f"≥ {target:.0f}", outcome]


if __name__ == "__main__":
    main()
