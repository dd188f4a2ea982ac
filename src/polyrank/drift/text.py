"""A comparison as text: a table, the furthest beyond its limits first, and a line that sums it up."""

from collections.abc import Iterator

from .results import Drift, Part, Result

HEADER = ("name", "part", "kind", "psi", "missing", "new", "mean", "length", "ks")

PARTS: tuple[Part, ...] = ("feature", "label", "score")

FAR = 10.0
"""Beyond so many times itself, the change of a mean is no longer told in percent."""

WORDS = {
    "psi": "psi {value:.3g} (limit {limit:.2g})",
    "missing": "missing moved by {value:.1%} (limit {limit:.1%})",
    "new": "{value:.1%} more new values than expected (limit {limit:.1%})",
    "lengths": "psi of lengths {value:.3g} (limit {limit:.2g})",
    "weights": "psi of weights {value:.3g} (limit {limit:.2g})",
    "mean": "mean moved by {value:.1%} of it (limit {limit:.1%})",
    "far mean": "mean moved by {value:.3g} times it (limit {limit:.1%})",
}


def drift_rows(result: Result) -> list[tuple[str, ...]]:
    """Return the rows of a table, its header first."""
    return [HEADER, *map(_row, result.drifts)]


def drift_lines(result: Result) -> list[str]:
    """Return a line for all that drifted: beyond which limits, and which values moved most."""
    return [f"{drift.part} {drift.name}: {'; '.join(_reasons(drift))}" for drift in result.drifted]


def drift_summary(result: Result) -> str:
    """Return one line: how many of which drifted, and their names."""
    parts = (_part(result, part) for part in PARTS)
    said = "; ".join(text for text in parts if text)
    said = f"{result.current.rows:,} rows beside {result.reference.rows:,}: {said}"
    lacking = ", ".join(result.not_compared)
    return said + (f"; labels not compared: {lacking}" if lacking else "")


def _part(result: Result, part: Part) -> str:
    those = [drift for drift in result.drifts if drift.part == part]
    names = [drift.name for drift in those if drift.drifted]
    if not those:
        return ""
    return f"{len(names)} of {len(those)} {part}s drifted" + (f": {', '.join(names)}" if names else "")


def _row(drift: Drift) -> tuple[str, ...]:
    reference, current = drift.reference, drift.current
    psi = next((measure.value for measure in drift.measures if measure.name == "psi"), None)
    return (
        drift.name if drift.column is None else f"{drift.name}[{drift.column}]",
        drift.part,
        drift.kind,
        "" if psi is None else f"{psi:.3f}",
        _both(f"{reference.missing:.1%}", f"{current.missing:.1%}"),
        "" if drift.new is None else f"{drift.new:.1%}",
        _both(_number(reference.mean), _number(current.mean)),
        _both(_number(reference.length), _number(current.length)),
        "" if drift.ks is None else f"{drift.ks:.3f}",
    )


def _reasons(drift: Drift) -> Iterator[str]:
    for measure in sorted(drift.measures, key=lambda measure: -measure.excess):
        if measure.value > measure.limit:
            is_far = measure.name == "mean" and measure.value > FAR
            yield WORDS["far mean" if is_far else measure.name].format(value=measure.value, limit=measure.limit)
    for move in drift.moves:
        yield f"{move.value!r} {move.reference:.1%} to {move.current:.1%}"


def _both(reference: str, current: str) -> str:
    return reference if reference == current else f"{reference} to {current}"


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.4g}"
