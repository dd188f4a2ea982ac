"""How to check a schema."""

import msgspec

from polyrank.files import UTF8


class CheckConfig(msgspec.Struct, frozen=True, kw_only=True):
    """How to check.

    Attributes:
        sample_rows: rows to set single features against labels on.
        seed: of the sample, and of its halves.
        validation_hours: as in the training configuration.
        validation_share: as in the training configuration.
        validation_column: as in the training configuration.
        known: columns whose warnings somebody has looked at: they become notes.
        encoding: of CSV and JSON Lines files.
    """

    sample_rows: int = 100_000
    seed: int = 0
    validation_hours: float | None = None
    validation_share: float = 0.1
    validation_column: str | None = None
    known: tuple[str, ...] = ()
    encoding: str = UTF8
