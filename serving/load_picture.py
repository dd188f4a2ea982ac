"""The picture of a load test: latency against load."""

import math
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from polyrank.errors import ConfigError, DataError, MissingExtraError
from polyrank.staging import real_file, staged_file

if TYPE_CHECKING:
    from .loadtest import Load

_SUFFIXES = (".svg", ".png", ".pdf")
_LINES = (("p50_ms", "p50"), ("p90_ms", "p90"), ("p99_ms", "p99"), ("p999_ms", "p99.9"))


def check_picture(file: Path) -> None:
    """Refuse a picture that cannot be drawn, before a load test runs for minutes.

    Raises:
        ConfigError: its name says no known format.
        OutputError: it cannot be written.
        MissingExtraError: matplotlib is not installed.
    """
    if file.suffix.lower() not in _SUFFIXES:
        raise ConfigError(f"picture must end in {', '.join(_SUFFIXES)}, got {file}")
    real_file(file)
    try:
        import matplotlib as mpl  # noqa: F401 (only to say which extra brings it)
    except ImportError as err:
        raise MissingExtraError("pictures need matplotlib; pip install 'polyrank[report]'") from err


def draw_loads(loads: Sequence["Load"], file: Path, title: str) -> None:
    """Draw latency in ms against requests a second, both on scales of powers; a rate that was not held is marked.

    Raises:
        DataError: nothing was answered at any rate.
        ConfigError, OutputError, MissingExtraError: as `check_picture`.
    """
    check_picture(file)
    loads = sorted((load for load in loads if not math.isnan(load.p50_ms)), key=lambda load: load.rate)
    if not loads:
        raise DataError("nothing was answered at any rate, so there is nothing to draw")
    from matplotlib.figure import Figure

    figure = Figure(figsize=(8, 5), layout="constrained")
    axes = figure.subplots()
    rates = [load.rate for load in loads]
    for name, label in _LINES:
        axes.plot(rates, [getattr(load, name) for load in loads], marker="o", markersize=4, label=label)
    failed = [load for load in loads if not load.holds]
    if failed:
        values = [load.p99_ms for load in failed]
        axes.scatter(
            [load.rate for load in failed], values, marker="x", s=80, color="black", label="not held", zorder=3
        )
    axes.set(xscale="log", yscale="log", xlabel="requests per second", ylabel="latency from arrival, ms", title=title)
    axes.grid(visible=True, which="both", alpha=0.3)
    axes.legend()
    with staged_file(file) as partial:
        figure.savefig(partial, format=file.suffix.lower().removeprefix("."))
