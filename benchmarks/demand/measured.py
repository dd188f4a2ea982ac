"""What was measured, as docs/benchmarks.md and docs/evaluation.md say it."""

import dataclasses
import re
from pathlib import Path

DOCS = Path(__file__).parents[2] / "docs"
_NUMBER = re.compile(r"([0-9][0-9,]*(?:\.[0-9]+)?) ?([kMG]\b|µs)?")
_FACTORS = {"": 1.0, "k": 1e3, "M": 1e6, "G": 1e9, "µs": 1e-6}


@dataclasses.dataclass(frozen=True, kw_only=True)
class Measured:
    """Figures of this repository, in seconds, bytes and rows.

    Attributes:
        served_requests_s: requests of `served_rows` rows that two cores hold, client included, with a p99 of 10 ms.
        served_rows: of such a request.
        served_cores: of that machine.
        served_p50: of such a request, as it stands in the table.
        served_p99: likewise.
        item_s: what a further item of a request takes, seconds of a core.
        trained_rows_s: read, encoded and trained on once, on two cores.
        stepped_rows_s: trained on alone, tables of 20,000,000 rows.
        encoded_rows_s: from Parquet to the arrays of a model, on a core.
        scored_rows_s: by `polyrank score`, on two cores, by processor time.
        evaluated_rows_s: by `polyrank evaluate`, on two cores.
        log_row_bytes: of an impression log, on disk.
    """

    served_requests_s: float
    served_rows: int = 100
    served_cores: int = 2
    served_p50: str
    served_p99: str
    item_s: float
    trained_rows_s: float
    stepped_rows_s: float
    encoded_rows_s: float
    scored_rows_s: float
    evaluated_rows_s: float
    log_row_bytes: float


def measured() -> Measured:
    """Read all figures."""
    page = (DOCS / "benchmarks.md").read_text()
    served = _cells(page, "Many requests", "polyrank, HTTP")
    few, many = (_number(_cells(page, "One user, many items", count)[2]) for count in ("1,000", "4,000"))
    logs = page.partition("| 2,000,000 rows | seconds |")[2]
    if not logs:
        raise SystemExit("docs/benchmarks.md has no table of '2,000,000 rows'")
    return Measured(
        served_requests_s=_number(served[1]),
        served_p50=served[2],
        served_p99=served[3],
        item_s=(many - few) / 3_000,
        trained_rows_s=2_000_000 / _number(_row(logs, "first run, which encodes")[1]),
        stepped_rows_s=_number(_cells(page, "Large tables", "20,000,000")[1]),
        encoded_rows_s=_number(
            _cells(page, "Rows of a file", "1,000,000 rows of Parquet to ids and numbers, polyrank train's reader")[1]
        ),
        scored_rows_s=_number(_row(_section(page, "Rows that are scored"), "kuairand", "polyrank score")[3]),
        evaluated_rows_s=1e6 / _number(_row((DOCS / "evaluation.md").read_text(), "1,000,000")[1]),
        log_row_bytes=_number(_cells(page, "An impression log", "the simulated shop")[1]),
    )


def _section(page: str, heading: str) -> str:
    found = re.search(rf"^#+ {re.escape(heading)}$(.*?)(?=^#)", page + "\n#", re.DOTALL | re.MULTILINE)
    if found is None:
        raise SystemExit(f"docs/benchmarks.md has no section {heading!r}")
    return found[1]


def _cells(page: str, heading: str, first: str) -> list[str]:
    return _row(_section(page, heading), first)


def _row(text: str, *first: str) -> list[str]:
    """Return the cells of the first line of a table that begins with these."""
    for line in text.splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if line.startswith("|") and cells[: len(first)] == [*first]:
            return cells
    raise SystemExit(f"a page of measurements has no row of {', '.join(first)!r} where it should be")


def _number(cell: str) -> float:
    found = _NUMBER.match(cell)
    if found is None:
        raise SystemExit(f"a page of measurements has {cell!r} where a number should be")
    return float(found[1].replace(",", "")) * _FACTORS[found[2] or ""]
