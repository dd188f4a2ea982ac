"""The outcome as text, as a Markdown table and as JSON, with the machine that it comes from."""

import os
import platform
import subprocess
from collections.abc import Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from .measure import FEW_KEYS, Row

PACKAGES = (
    "polyrank",
    "numpy",
    "pyarrow",
    "polars",
    "pandas",
    "scikit-learn",
    "mmh3",
    "xxhash",
    "polars-hash",
    "duckdb",
    "torch",
    "fbgemm-gpu-cpu",
)
MILLION = 1_000_000
HEADINGS = ("workload", "polyrank", "against", "its speed", "ratio", "target", "outcome")


def machine(packages: Sequence[str] = PACKAGES) -> dict[str, object]:
    """Describe what the numbers depend on."""
    return {
        "cpu": cpu_model(),
        "cores": os.cpu_count(),
        "system": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
        "compiler": _compiler(),
        "load": round(os.getloadavg()[0], 1),
        "packages": {name: _version(name) for name in packages},
    }


def cpu_model() -> str:
    """Name the CPU; family and model tell generations apart that share one name."""
    fields = dict.fromkeys(("model name", "cpu family", "model"), "?")
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        key, _, value = line.partition(":")
        if key.strip() in fields:
            fields[key.strip()] = value.strip()
    return f"{fields['model name']} (family {fields['cpu family']}, model {fields['model']})"


def describe(facts: dict[str, object], how: str) -> str:
    """Say in a few lines what `machine` found, and how it was measured."""
    packages = ", ".join(f"{name} {number}" for name, number in facts["packages"].items())
    return (
        f"{facts['cpu']}, {facts['cores']} cores, {facts['system']}, load {facts['load']} at the start\n"
        f"Python {facts['python']}, {facts['compiler']}\n{packages}\n{how}"
    )


def as_markdown(rows: Sequence[Row]) -> str:
    """Return the table as Markdown."""
    return markdown([HEADINGS, *map(cells, rows)])


def markdown(lines: Sequence[Sequence[str]]) -> str:
    """Return a table as Markdown; its first line is the heading."""
    ruled = [lines[0], ["---"] * len(lines[0]), *lines[1:]]
    return "\n".join(f"| {' | '.join(line)} |" for line in ruled)


def aligned(lines: Sequence[Sequence[str]]) -> str:
    """Return a table in aligned columns."""
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip() for line in lines
    )


def as_text(rows: Sequence[Row]) -> str:
    """Return the table in aligned columns, followed by how many targets are reached."""
    return "\n".join([aligned([HEADINGS, *map(cells, rows)]), "", reached(rows)])


def reached(rows: Sequence[Row]) -> str:
    """Say how many targets are reached."""
    verdicts = [row.verdict for row in rows if row.target.least is not None]
    return f"{verdicts.count('reached')} of {len(verdicts)} targets reached"


def as_json(rows: Sequence[Row], facts: dict[str, object]) -> dict[str, object]:
    """Return everything, times in seconds for a call."""
    return {
        "machine": facts,
        "rows": [
            {
                "workload": row.target.workload,
                row.unit: row.keys,
                "ours_s": row.ours_s,
                "spread": row.spread,
                "against": row.target.against,
                "theirs_s": row.theirs_s,
                "ratio": row.ratio,
                "target": row.target.text,
                "least": row.target.least,
                "outcome": row.verdict,
            }
            for row in rows
        ],
    }


def cells(row: Row) -> list[str]:
    """Return the line of a table."""
    target = row.target
    ratio = "-" if row.ratio is None else f"{row.ratio:.3g}"
    ours, theirs = _speed(row, row.ours_s), _speed(row, row.theirs_s)
    return [target.workload, ours, target.against, theirs, ratio, target.text, row.verdict]


def _speed(row: Row, seconds: float | None) -> str:
    if seconds is None:
        return "-"
    if row.keys < FEW_KEYS:
        return f"{seconds * 1e6:.1f} µs"
    speed = row.keys / seconds
    return f"{speed / 1e6:.1f} M {row.unit}/s" if speed >= MILLION else f"{speed / 1e3:.0f} k {row.unit}/s"


def _compiler() -> str:
    command = [os.environ.get("CXX", "c++"), "--version"]
    try:
        said = subprocess.run(command, capture_output=True, text=True, check=False).stdout
    except OSError:
        return "no C++ compiler"
    return said.partition("\n")[0]


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "not installed"
