"""Numbers and names as a report writes them."""

import math
from collections.abc import Iterable

MISSING = "\N{EN DASH}"
"""Where there is no value."""

_THOUSAND = 1_000
_SMALL = 1e-3
_LEAST = 5e-5
"""The least that is not 0 with four decimals."""

_LONGEST = 60
_NO_KEY = "__proto__"


def numeral(value: float | None, *, signed: bool = False) -> str:
    """Write a number with four significant digits, or whole above a thousand."""
    if value is None or not math.isfinite(value):
        return MISSING
    sign = "+" if signed else ""
    if abs(value) >= _THOUSAND:
        return _minus(f"{value:{sign},.0f}")
    if 0 < abs(value) < _SMALL:
        return _minus(f"{value:{sign}.1e}")
    return _minus(f"{value:{sign}.{_decimals(value)}f}")


def _decimals(value: float) -> int:
    """Return how many decimals give four digits; of numbers below 1 four decimals are enough to compare them."""
    return 4 if abs(value) < 1 else 3 - int(math.log10(abs(value)))


def rounded(value: float | None) -> str:
    """Write a number with three significant digits at most, such as a time, where more would say nothing."""
    if value is None or not math.isfinite(value):
        return MISSING
    return _minus(f"{value:,.0f}" if abs(value) >= _THOUSAND else f"{value:.3g}")


def change(value: float | None) -> str:
    """Write a difference with its sign and four decimals, so that differences stand below one another."""
    if value is None or not _LEAST <= abs(value) < 1:
        return numeral(value, signed=True)
    return _minus(f"{value:+.4f}")


def percent(share: float | None, decimals: int = 1) -> str:
    """Write a share as per cent."""
    return MISSING if share is None or not math.isfinite(share) else f"{100 * share:.{decimals}f}%"


def span(interval: "tuple[float | None, float | None] | None", *, signed: bool = False) -> str:
    """Write an interval."""
    if interval is None or interval[0] is None or interval[1] is None:
        return ""
    return f"{numeral(interval[0], signed=signed)} to {numeral(interval[1], signed=signed)}"


def tiny(value: float | None) -> str:
    """Write a number whose order of magnitude counts."""
    return MISSING if value is None else _minus(f"{value:.1e}")


def moment(time: str | None) -> str:
    """Write a time of ISO 8601 to the minute."""
    return "" if time is None else brief(time[:16].replace("T", " "))


def count(number: int, what: str) -> str:
    """Write how many there are of something, such as `1 row` or `2,000 rows`."""
    return f"{number:,} {what}" if number == 1 else f"{number:,} {what}s"


def brief(text: str) -> str:
    """Return text on one line, and short: of long text both ends. What cannot be shown is marked."""
    line = "".join(each if each.isprintable() else "\N{REPLACEMENT CHARACTER}" for each in " ".join(text.split()))
    half = _LONGEST // 2
    return line if len(line) <= _LONGEST else f"{line[:half]}…{line[1 - half :]}"


def distinct(texts: Iterable[str]) -> list[str]:
    """Return short forms of texts, all different: pictures tell things apart by them."""
    found: dict[str, None] = {}
    for text in texts:
        short, number = brief(text) or "(empty)", 1
        # Vega keeps what it draws in plain JavaScript objects by name, where this one would be no key.
        short = f"{short}\N{NO-BREAK SPACE}" if short == _NO_KEY else short
        name = short
        while name in found:
            number += 1
            name = f"{short} ({number})"
        found[name] = None
    return list(found)


def joined(parts: Iterable[str]) -> str:
    """Join words as a sentence does: `a, b and c`."""
    *first, last = parts
    return f"{', '.join(first)} and {last}" if first else last


def _minus(text: str) -> str:
    """Write a minus sign, which is as wide as a plus, for the hyphen."""
    return text.replace("-", "\N{MINUS SIGN}")
