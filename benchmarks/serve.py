"""How a served model answers, by Polyrank and by others: docs/benchmarks.md.

python benchmarks/serve.py latency                  # one client that waits, a minute
python benchmarks/serve.py throughput               # installs the peers, a minute each; then a minute for each server
python benchmarks/serve.py throughput --peers       # Polyrank alone
python benchmarks/serve.py soak                     # five minutes of load, swaps, a kill and a damaged version
python benchmarks/serve.py memory                   # a million requests, some ten minutes
"""

import argparse
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from contests import report
from traffic import latency, memory, soak, throughput

PACKAGES = ("polyrank", "onnxruntime", "numpy", "pyarrow", "tritonclient", "grpcio")
Lines = list[list[str]]


def main() -> None:
    """Run one job and print its table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    jobs = parser.add_subparsers(dest="job", required=True, metavar="JOB")
    waiting = jobs.add_parser("latency")
    waiting.add_argument("--calls", type=int, default=1_000, help="of each kind (default 1,000)")
    peers = jobs.add_parser("throughput")
    peers.add_argument("--peers", nargs="*", choices=throughput.PEERS_BY_NAME, default=list(throughput.PEERS_BY_NAME))
    peers.add_argument("--seconds", type=float, default=5.0, help="of each rate (default 5)")
    soaked = jobs.add_parser("soak")
    soaked.add_argument("--seconds", type=float, default=300.0, help="in all (default 300)")
    soaked.add_argument("--rate", type=float, help="requests per second; if left out 70 %% of the capacity")
    jobs.add_parser("memory").add_argument("--requests", type=int, default=1_000_000, help="in all (default 1,000,000)")
    arguments = parser.parse_args()
    facts = report.machine(PACKAGES)
    print(
        f"{facts['cpu']}, {facts['cores']} cores, load {facts['load']} at the start; Python {facts['python']}, ", end=""
    )
    print(", ".join(f"{name} {number}" for name, number in facts["packages"].items()), end="\n\n")  # type: ignore[attr-defined]
    start = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        print(report.markdown(JOBS[arguments.job](Path(folder), arguments)))
    print(f"\n{arguments.job} took {time.monotonic() - start:,.0f} s", file=sys.stderr)


def _latency(folder: Path, arguments: argparse.Namespace) -> Lines:
    found, ratios = latency.measure(folder, arguments.calls)
    lines = [["call", "p50", "of it the client's own", "target", "outcome"]]
    for each in found:
        limit, own = each.target_ms, each.own_target_ms
        if own is not None:
            target, reached = f"own ≤ {1e3 * own:.0f} µs", (each.own_ms or np.inf) <= own
        else:
            target, reached = f"≤ {limit} ms" if limit else "-", limit is not None and each.p50_ms <= limit
        outcome = "-" if target == "-" else "reached" if reached else "missed"
        own_us = "-" if each.own_ms is None else f"{1e3 * each.own_ms:.0f} µs"
        lines.append([each.what, f"{each.p50_ms:.3f} ms", own_us, target, outcome])
    for name, ratio in ratios.items():
        outcome = "reached" if ratio >= 3 else "missed"  # noqa: PLR2004
        lines.append([f"{name}: 1000 items as rows / as a request", f"{ratio:.1f}", "-", "≥ 3", outcome])
    return lines


def _throughput(folder: Path, arguments: argparse.Namespace) -> Lines:
    found = throughput.measure(folder, arguments.peers, arguments.seconds)
    own = max(each.rate for each in found if each.name.startswith("polyrank"))
    lines = [["server", "requests/s with p99 ≤ 10 ms", "p50", "p99", "Polyrank's rate against it", "target 1.5"]]
    for each in found:
        is_own = each.name.startswith("polyrank")
        rate = f"{each.rate:,.0f}" if each.rate else f"none; at {each.load.rate:,.0f}:"
        ratio = "-" if is_own or not each.rate else f"{own / each.rate:.2f}"
        outcome = "-" if is_own or not own else "reached" if own >= 1.5 * each.rate else "missed"
        lines.append([each.name, rate, f"{each.load.p50_ms:.2f} ms", f"{each.load.p99_ms:.2f} ms", ratio, outcome])
    return lines


def _soak(folder: Path, arguments: argparse.Namespace) -> Lines:
    found = soak.measure(folder, arguments.seconds, arguments.rate)
    for reason, count in found.lost.items():
        print(f"lost: {count} times {reason}", file=sys.stderr)
    if not found.latencies:
        raise SystemExit(f"none of {found.requests:,} requests was answered")
    if found.wrong:
        raise SystemExit(f"{found.wrong:,} of {found.requests:,} answers were wrong; {'; '.join(found.events)}")
    p50, p99 = (1e3 * float(np.percentile(found.latencies, share)) for share in (50, 99))
    versions = ", ".join(f"{version}: {count:,}" for version, count in sorted(found.versions.items()))
    return [
        ["requests", "rate", "wrong", "lost", "p50", "p99", "longest", "answers by version", "what happened"],
        [
            f"{found.requests:,}",
            f"{found.rate:,.0f}/s",
            str(found.wrong),
            str(sum(found.lost.values())),
            f"{p50:.1f} ms",
            f"{p99:.1f} ms",
            f"{max(found.latencies):.2f} s",
            versions,
            "; ".join(found.events),
        ],
    ]


def _memory(folder: Path, arguments: argparse.Namespace) -> Lines:
    def told(each: memory.Memory) -> None:
        print(f"{each.requests:,}: server {each.server_mb:.1f} MB, client {each.client_mb:.1f} MB", file=sys.stderr)

    found = memory.measure(folder, arguments.requests, told)
    first, last = found[0], found[-1]
    lines = [["process", f"after {first.requests:,}", f"after {last.requests:,}", "growth", "target 2 %"]]
    for name, before, after in (
        ("server", first.server_mb, last.server_mb),
        ("client", first.client_mb, last.client_mb),
    ):
        growth = after / before - 1
        outcome = "reached" if growth <= 0.02 else "missed"  # noqa: PLR2004
        lines.append([name, f"{before:.1f} MB", f"{after:.1f} MB", f"{growth:+.1%}", outcome])
    return lines


JOBS = {"latency": _latency, "throughput": _throughput, "soak": _soak, "memory": _memory}


if __name__ == "__main__":
    main()
