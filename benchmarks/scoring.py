"""How near `polyrank score BUNDLE` comes to bare ONNX Runtime on rows that are encoded: docs/benchmarks.md.

python benchmarks/scoring.py                                    # a million rows of two data sets: five minutes, 3 GB
python benchmarks/scoring.py --only kuairand --rows 5_000_000   # more rows, of which the start of a process is less
python benchmarks/scoring.py --rows 50_000 --rounds 1           # that it runs, not how fast it is
"""

import argparse
import dataclasses
import os
import statistics
import sys
import tempfile
from pathlib import Path

from contests import report
from contests.processes import Finished
from scores.bare import Setting, best_setting
from scores.bundles import NAMES, Prepared, prepared
from scores.process import scored
from scores.stages import stages

PACKAGES = ("polyrank", "onnxruntime", "pyarrow", "numpy")
FEW_ROWS = 1_000
LEAST_SHARE = 0.8
MOST_TRIES = 3
WHOLE = (
    "data",
    "what",
    "rows/s",
    "by processor time",
    "of bare",
    "by processor time",
    "resident, at most",
    "target",
    "outcome",
)


def main() -> None:
    """Measure each data set, and print its tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", choices=NAMES, nargs="+", default=NAMES, help="of the data sets")
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--folder", type=Path, help="keep bundles and rows here, and take those that are there")
    parser.add_argument("--rounds", type=int, default=5, help="turns that each takes (default 5)")
    args = parser.parse_args()
    packages = ", ".join(f"{name} {number}" for name, number in report.machine(PACKAGES)["packages"].items())
    cores = len(os.sched_getaffinity(0))
    print(f"{report.cpu_model()}, {cores} cores, load {os.getloadavg()[0]:.1f}; {packages}")
    with tempfile.TemporaryDirectory() as temporary:
        for name in args.only:
            print(f"{name} ...", file=sys.stderr, flush=True)
            data = prepared(name, (args.folder or Path(temporary)) / name, args.rows)
            best, tried = best_setting(data, min(args.rounds, MOST_TRIES))
            tables = [
                [("data", "runs", "rows of a run", "rows/s", "by processor time"), *([name, *line] for line in tried)],
                [WHOLE, *_contest(name, data, best, args.rounds)],
                [("data", "part", "seconds", "seconds of all processors"), *([name, *line] for line in stages(data))],
            ]
            print("", *map(report.markdown, tables), sep="\n\n", flush=True)


def _contest(name: str, data: Prepared, best: Setting, rounds: int) -> list[list[str]]:
    """Let bare ONNX Runtime and the command take turns, and the command on a few rows, for its start."""
    bare: list[Finished] = []
    whole: list[Finished] = []
    start: list[Finished] = []
    few = data.head(FEW_ROWS)
    with best.opened(data) as run:
        for _ in range(rounds):
            bare.append(run())
            whole.append(scored(data.bundle, data.file))
            start.append(scored(data.bundle, few))
    bare_s, whole_s, start_s = (_median(found, "seconds") for found in (bare, whole, start))
    bare_used = _median(bare, "processor_s")
    later_s, start_used = whole_s - start_s, _median(start, "processor_s")
    later = [dataclasses.replace(each, processor_s=each.processor_s - start_used) for each in whole]
    rows, cores = data.num_rows, len(os.sched_getaffinity(0))

    def line(what: str, seconds: float, found: list[Finished], *verdict: str) -> list[str]:
        used = _median(found, "processor_s")
        speeds = [f"{rows / seconds:,.0f}", f"{rows * cores / used:,.0f}"]
        return [name, what, *speeds, f"{bare_s / seconds:.0%}", f"{bare_used / used:.0%}", _memory(found), *verdict]

    def verdict(seconds: float) -> tuple[str, str]:
        share = bare_s / seconds
        return f"≥ {LEAST_SHARE:.0%}", "reached" if share >= LEAST_SHARE else "missed"

    return [
        line(f"bare ONNX Runtime, {best}", bare_s, bare, "-", "-"),
        line("polyrank score", whole_s, whole, *verdict(whole_s)),
        line(f"the same without its start of {start_s:.2f} s", later_s, later, *verdict(later_s)),
    ]


def _memory(found: list[Finished]) -> str:
    """Return the most that a process held; nothing of runs in this one, which has encoded all rows and more."""
    peaks = [each.peak_bytes for each in found if each.peak_bytes is not None]
    return f"{statistics.median(peaks) / 2**30:.2f} GiB" if peaks else "-"


def _median(found: list[Finished], field: str) -> float:
    return statistics.median(getattr(each, field) for each in found)


if __name__ == "__main__":
    main()
