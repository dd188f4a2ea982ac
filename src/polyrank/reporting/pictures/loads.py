"""How fast a server answers: latency against load."""

from collections.abc import Iterator

import altair as alt

from polyrank.reporting.blocks import Picture, Table
from polyrank.reporting.numerals import brief, count, rounded
from polyrank.reporting.records import Load, LoadTest

from .canvas import WARNING, Row, Spec, across, coloured, data, dots, spec_of, told, upwards

_QUANTILES = {"p50": "p50_ms", "p90": "p90_ms", "p99": "p99_ms", "p99.9": "p999_ms"}
_MARKED = "p99"
_HEIGHT = 300


def load_picture(test: LoadTest) -> Picture | None:
    """Draw latency against load; None where nothing was answered."""
    loads = sorted((load for load in test.loads if load.p50_ms is not None), key=lambda load: load.rate)
    if not loads:
        return None
    first, last, failed = loads[0], loads[-1], sum(not load.holds for load in loads)
    return Picture(
        title=f"{brief(test.model)}: latency against load",
        caption=f"{test.request}, {rounded(test.seconds)} s of each rate; both scales are of "
        "powers. Requests arrive at random, and latency counts from arrival to answer."
        + (" A cross marks a rate that was not held." if failed else ""),
        alt=f"Lines over {count(len(loads), 'rate')}. At {first.rate:,.0f} requests a second p99 is "
        f"{rounded(first.p99_ms)} ms, at {last.rate:,.0f} it is {rounded(last.p99_ms)} ms; "
        f"{count(failed, 'rate')} not held.",
        spec=_drawn(list(_rows(loads)), [load.rate for load in loads]),
        table=loads_table(test),
    )


def _rows(loads: list[Load]) -> Iterator[Row]:
    for name, field in _QUANTILES.items():
        for load in loads:
            value = getattr(load, field)
            texts = {"series": name, "told": rounded(value), "asked": f"{load.rate:,.0f}"}
            yield {**texts, "rate": load.rate, "value": value, "held": "yes" if load.holds else "no"}


def _drawn(rows: list[Row], rates: list[float]) -> Spec:
    x = across("rate", "requests per second", log=True, axis=alt.Axis(values=rates, format=",.4~g", labelOverlap=True))
    y = upwards("value", "latency from arrival, ms", log=True)
    colour = coloured("series", list(_QUANTILES))
    tooltip = told(("asked", "requests per second"), ("series", "quantile"), ("told", "ms"), ("held", "held"))
    lines = alt.Chart(data(rows)).mark_line().encode(x, y, color=colour)
    failed = [row for row in rows if row["series"] == _MARKED and row["held"] == "no"]
    crosses = alt.Chart(data(failed)).mark_point(
        shape="cross", angle=45, size=220, filled=True, opacity=1, color=WARNING
    )
    marks = [crosses.encode(x, y, tooltip=tooltip)] if failed else []
    return spec_of(lines, dots(rows, x=x, y=y, color=colour, tooltip=tooltip), *marks, height=_HEIGHT)


def loads_table(test: LoadTest) -> Table:
    """Lay out all that a load test measured."""
    head = ("requests/s", "answered/s", *(f"{name}, ms" for name in _QUANTILES), "max, ms", "errors", "held")
    rows = tuple(_table_row(load) for load in sorted(test.loads, key=lambda load: load.rate))
    return Table(f"{brief(test.model)}: latency by rate", head, rows)


def _table_row(load: Load) -> tuple[str, ...]:
    latencies = (rounded(getattr(load, field)) for field in (*_QUANTILES.values(), "max_ms"))
    ending = (f"{sum(load.errors.values()):,}", "yes" if load.holds else "no")
    return (f"{load.rate:,.0f}", f"{load.answered:,.0f}", *latencies, *ending)
