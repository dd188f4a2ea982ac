"""Numbers as the tables show them."""

import statistics
from collections.abc import Sequence

Lines = list[list[str]]
"""A table; its first line is the heading."""


def spread(values: Sequence[float]) -> str:
    """Return the mean and the standard deviation over seeds."""
    deviation = f" ± {statistics.stdev(values):.4f}" if len(values) > 1 else ""
    return f"{statistics.fmean(values):.4f}{deviation}"


def deviation(values: Sequence[float]) -> float:
    """Return the standard deviation over seeds, 0 of one."""
    return statistics.stdev(values) if len(values) > 1 else 0.0


def verdict(values: Sequence[float], least: float, room: float = 0.0) -> str:
    """Say whether the mean reaches `least`, given some room for chance."""
    short = least - statistics.fmean(values)
    if short <= 0:
        return "reached"
    return "reached within the spread" if short <= room else f"missed by {short:.4f}"
