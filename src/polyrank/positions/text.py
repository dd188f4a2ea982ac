"""The examination of ranks as text."""

from .results import Positions, RankExamination

HEADER = ("rank", "impressions", "clicks", "examination", "interval", "weight")

METHODS = {"pairs": "pairs of ranks at which an item was shown to one user", "em": "regression by scores"}


def position_rows(found: Positions) -> list[tuple[str, ...]]:
    """Return the rows of a table, its header first."""
    return [HEADER, *(_row(each, found.limit) for each in found.ranks)]


def position_line(found: Positions) -> str:
    """Return one line: of what, and how."""
    rows = f"{found.rows:,} rows of {found.users:,} users"
    return f"task {found.task!r}, by {METHODS[found.method]}: {rows}; intervals of {found.confidence:.0%}"


def _row(each: RankExamination, limit: float) -> tuple[str, ...]:
    interval = "" if each.interval is None else f"{each.interval[0]:.3f} to {each.interval[1]:.3f}"
    counts = (f"{each.rank}", f"{each.impressions:,}", f"{each.clicks:,}")
    return (*counts, f"{each.examination:.3f}", interval, f"{min(limit, 1 / each.examination):.2f}")
