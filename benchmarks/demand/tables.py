"""The tables of docs/scale.md."""

import msgspec

from .assumptions import SAID, Assumptions
from .demand import REPLICA_CORES, Demand
from .limits import limits
from .measured import Measured

Lines = list[list[str]]
SCALES = {"1 M": 1e6, "10 M": 1e7, "100 M": 1e8, "1 B": 1e9}


def measured_table(found: Measured) -> Lines:
    """Return what was measured, and where it stands."""
    two = f"{found.served_cores} cores"
    return [
        ["what", "measured", "on", "where"],
        [
            f"requests of {found.served_rows} rows with a p99 of at most 10 ms",
            f"{found.served_requests_s:,.0f}/s, p50 {found.served_p50}, p99 {found.served_p99}",
            f"{two}, client included",
            "[served](benchmarks.md#many-requests)",
        ],
        ["a further item of a request", f"{1e6 * found.item_s:.2f} µs", "1 core", _link("one-user-many-items")],
        [
            "reading, encoding and one pass of training",
            _rate(found.trained_rows_s),
            two,
            _link("rows-that-do-not-fit-into-memory"),
        ],
        ["steps alone, tables of 20,000,000 rows", _rate(found.stepped_rows_s), "1 thread", _link("large-tables")],
        ["Parquet to a model's arrays", _rate(found.encoded_rows_s), "1 core", _link("rows-of-a-file")],
        ["`polyrank score BUNDLE`", _rate(found.scored_rows_s), two, _link("rows-that-are-scored")],
        [
            "`polyrank evaluate`",
            _rate(found.evaluated_rows_s),
            two,
            "[evaluation](evaluation.md#what-it-costs)",
        ],
        ["a row of an impression log", f"{found.log_row_bytes:.0f} bytes", "disk", _link("an-impression-log")],
    ]


def assumed_table(assumed: Assumptions) -> Lines:
    """Return what is assumed, and the option that changes it."""
    lines = [["assumption", "value", "option"]]
    for field in msgspec.structs.fields(assumed):
        said, unit = SAID[field.name]
        value = getattr(assumed, field.name)
        shown = f"{value:.0%}" if 0 < value < 1 else f"{value:,g}" if value < 1e5 else f"{value:,.0f}"  # noqa: PLR2004
        lines.append([said, shown + unit, f"`--{field.name.replace('_', '-')}`"])
    return lines


def demand_table(found: Measured, assumed: Assumptions) -> Lines:
    """Return what each scale needs."""
    scales = [Demand(requests, found, assumed) for requests in SCALES.values()]
    rows = {
        "requests/s, mean": [f"{each.mean_requests_s:,.0f}" for each in scales],
        "requests/s, peak": [f"{each.peak_requests_s:,.0f}" for each in scales],
        "cores that serve": [_few(each.cores) for each in scales],
        f"replicas of {REPLICA_CORES} cores": [f"{each.replicas:,}" for each in scales],
        "network at the peak, Gbit/s": [_few(each.network_gbit_s) for each in scales],
        "rows of a day's log": [_large(each.log_rows) for each in scales],
        "a day's log, GB": [_few(each.log_gb) for each in scales],
        f"logs of {assumed.log_days} days, TB": [_few(each.kept_tb) for each in scales],
        "training on a day, one machine, h": [_few(each.training_h) for each in scales],
        f"the same, {assumed.ranks} machines, h": [_few(each.ranks_h) for each in scales],
        f"machines that train in {assumed.night_hours:g} h": [f"{each.machines:,}" for each in scales],
        "scoring a day's rows, one machine, h": [_few(each.scoring_h) for each in scales],
        "users of a day": [_large(each.users) for each in scales],
        "embedding tables in training, GB": [_few(each.table_gb) for each in scales],
    }
    return [["requests a day", *SCALES], *([name, *cells] for name, cells in rows.items())]


def limits_table(found: Measured, assumed: Assumptions) -> Lines:
    """Return what ends where, the first first."""
    lines = [[_large(limit.requests), limit.what, limit.then] for limit in limits(found, assumed)]
    return [["up to requests a day", "what is at its limit", "what comes then"], *lines]


def _link(anchor: str) -> str:
    return f"[{anchor.replace('-', ' ')}](benchmarks.md#{anchor})"


def _rate(rows_s: float) -> str:
    return f"{rows_s:,.0f} rows/s"


def _few(value: float) -> str:
    return f"{value:,.0f}" if value >= 10 else f"{value:.2g}"  # noqa: PLR2004


def _large(value: float) -> str:
    for size, name in ((1e9, "B"), (1e6, "M"), (1e3, "k")):
        if value >= size:
            return f"{value / size:.3g} {name}"
    return f"{value:.0f}"
