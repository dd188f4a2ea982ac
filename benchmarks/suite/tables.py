"""Tables as benchmarks print them and pages hold them: Markdown, a list of cells for each line, the heading first."""

import re

Lines = list[list[str]]
_RULE = re.compile(r"\|(\s*:?-+:?\s*\|)+")
_BAR = re.compile(r"(?<!\\)\|")


def tables_of(text: str) -> list[Lines]:
    """Return the tables of a text in order; those with one heading are one, as those of several data sets are."""
    found: list[Lines] = []
    lines = text.splitlines()
    for number, line in enumerate(lines):
        if _RULE.fullmatch(line.strip()) and number:
            heading = _cells(lines[number - 1])
            table = next((each for each in found if each[0] == heading), None)
            if table is None:
                table = [heading]
                found.append(table)
            table += _rows(lines[number + 1 :])
    return found


def _rows(lines: list[str]) -> Lines:
    rows = []
    for line in lines:
        if not line.startswith("|"):
            break
        rows.append(_cells(line))
    return rows


def _cells(line: str) -> list[str]:
    return [cell.strip() for cell in _BAR.split(line.strip())[1:-1]]
