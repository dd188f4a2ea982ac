"""The SQL of Spark."""

import re
from collections.abc import Sequence

from .dialect import MASK, Dialect


class Spark(Dialect):
    """Spark SQL: its `xxhash64` is the format's chain, for string and bigint."""

    preamble = (
        "-- Spark. A text column must hold strings, integers or booleans; an int64 column integers,\n"
        "-- booleans or decimal text. Cast floats to BIGINT first: their text would be 46.0 where Polyrank hashes 46.\n"
    )

    def name(self, name: str) -> str:  # noqa: D102 (see Dialect)
        return "`" + name.replace("`", "``") + "`"

    def text(self, value: str) -> str:  # noqa: D102
        return f"CAST({value} AS STRING)"

    def integer(self, value: str) -> str:  # noqa: D102
        return f"CAST({value} AS BIGINT)"

    def is_null(self, value: str, dtype: str) -> str:  # noqa: D102
        # Outside ANSI mode, text that is no integer becomes null; xxhash64 would skip it and return its seed.
        return f"{value if dtype == 'text' else self.integer(value)} IS NULL"

    def fingerprint(self, keys: Sequence[tuple[str, str]]) -> str:  # noqa: D102
        casts = [self.text(value) if dtype == "text" else self.integer(value) for value, dtype in keys]
        return f"xxhash64({', '.join(casts)}) & {MASK}"

    def each(self, values: str, body: str) -> str:  # noqa: D102
        return f"transform({values}, value -> {body})"

    def cut(self, text: str, separator: str) -> str:  # noqa: D102
        pattern = self.literal(re.escape(separator))
        return f"CASE {text} WHEN '' THEN array() ELSE split({text}, {pattern}, -1) END"
