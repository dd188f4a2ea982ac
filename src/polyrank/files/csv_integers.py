"""Integers of a CSV file, each read by itself: what one value means does not depend on those beside it."""

from typing import Any

_WHOLE = r"\A(-?[0-9]+)\.0+\z"


def integer_text(column: Any) -> Any:
    """Return a column of text with null for what Arrow takes as null, such as NA, and 46 for 46.0; the rest stays.

    A float would keep 53 bits only, and whatever made 46.0 of one id wrote its neighbours the same way.
    """
    import pyarrow as pa
    import pyarrow.compute as pc
    from pyarrow import csv

    is_null = pc.is_in(column, pa.array(csv.ConvertOptions().null_values))
    present = pc.if_else(is_null, pa.scalar(None, column.type), column)
    has_point = pc.any(pc.match_substring(present, ".")).as_py()
    return pc.replace_substring_regex(present, pattern=_WHOLE, replacement=r"\1") if has_point else present


def integers(column: Any) -> Any:
    """Return a column of text as int64; as `integer_text` where a value is none, so that who reads it can name it."""
    import pyarrow as pa
    import pyarrow.compute as pc

    text = integer_text(column)
    is_decimal = pc.all(pc.match_substring_regex(text, r"\A-?[0-9]+\z")).as_py() is not False
    try:
        return text.cast(pa.int64()) if is_decimal else text
    except pa.ArrowInvalid:  # beyond 64 bits
        return text
