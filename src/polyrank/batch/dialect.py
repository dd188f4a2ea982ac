"""What the SQL of one warehouse must say, for all of them to say the same."""

from collections.abc import Sequence
from typing import Protocol

MASK = 2**63 - 1


class Dialect(Protocol):
    """How one warehouse writes the steps of docs/fingerprint.md."""

    preamble: str

    def name(self, name: str) -> str:
        """Quote a column's name."""

    def literal(self, text: str) -> str:
        """Quote text, where the warehouse reads backslashes as escapes."""
        return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"

    def text(self, value: str) -> str:
        """Cast to text."""

    def integer(self, value: str) -> str:
        """Cast to a 64-bit integer."""

    def is_null(self, value: str, dtype: str) -> str:
        """Test for null."""

    def fingerprint(self, keys: Sequence[tuple[str, str]]) -> str:
        """Hash values, each with its dtype, none of them missing, as a chain; clear the sign bit."""

    def each(self, values: str, body: str) -> str:
        """Apply `body`, in terms of `value`, to each element of an array."""

    def cut(self, text: str, separator: str) -> str | None:  # noqa: ARG002 (what most take)
        """Cut text at a separator into an array, empty text into an empty one; None where the warehouse cannot."""
        return None
