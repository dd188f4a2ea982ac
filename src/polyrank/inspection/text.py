"""A report as text: a table of features, then tasks, the split and the findings."""

from collections.abc import Iterator, Sequence

from .findings import LEVELS, FeatureFacts, Finding, Report

HEADER = ("feature", "kind", "missing", "distinct", "buckets", "expected", "collide", "length", "cut", "alone")
TEXT_COLUMNS = 2


def report_text(report: Report) -> str:
    """Return the lines that a terminal shows."""
    return "\n".join(
        [*_table([HEADER, *map(_row, report.features)]), "", *_tasks(report), *_split(report), "", *_end(report)]
    )


def _row(facts: FeatureFacts) -> tuple[str, ...]:
    table, strongest = facts.table, max(facts.alone.items(), key=lambda item: item[1], default=None)
    sizes = (f"{table.distinct:,}", f"{table.num_buckets:,}") if table else ("", "")
    shares = (_share(table.expected_collisions), _share(table.collisions)) if table else ("", "")
    alone = "" if strongest is None else f"{strongest[1]:.3f} {strongest[0]}"
    length = "" if facts.mean_length is None else f"{facts.mean_length:.1f}"
    return (facts.name, facts.kind, _share(facts.missing), *sizes, *shares, length, _share(facts.truncated), alone)


def _share(value: float | None) -> str:
    return "" if value is None else f"{value:.1%}"


def _table(rows: Sequence[Sequence[str]]) -> Iterator[str]:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    last = len(widths) - 1
    for row in rows:
        cells = (
            cell.ljust(width) if index < TEXT_COLUMNS or index == last else cell.rjust(width)
            for index, (cell, width) in enumerate(zip(row, widths, strict=True))
        )
        yield "  ".join(cells).rstrip()


def _tasks(report: Report) -> Iterator[str]:
    for task in report.tasks:
        mean = "" if task.mean is None else f", mean label {task.mean:.4g}"
        yield f"task {task.name}: {task.kind}, {task.observed:.1%} of rows count{mean}"


def _split(report: Report) -> Iterator[str]:
    for name, side in report.split.items():
        times = "at random" if side.first is None else f"{side.first} to {side.last}"
        yield f"{name}: {side.rows:,} rows, {times}"


def _end(report: Report) -> Iterator[str]:
    for finding in report.findings:
        yield _finding(finding)
    counts = ", ".join(
        f"{count} {level}{'' if count == 1 else 's'}" for level in LEVELS for count in [report.count(level)]
    )
    sample = "" if report.sample_rows == report.rows else f" ({report.sample_rows:,} of them against labels)"
    yield f"{report.rows:,} rows{sample}: {counts}"


def _finding(finding: Finding) -> str:
    about = "" if finding.column is None else f" {finding.column}:"
    return f"{finding.level}: {finding.check}:{about} {finding.message}"
