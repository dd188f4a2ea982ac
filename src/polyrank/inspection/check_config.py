"""How to check a schema."""

import math

import msgspec

from polyrank.arguments import inner_share, integer, is_number, shown
from polyrank.errors import ConfigError
from polyrank.files import UTF8


class CheckConfig(msgspec.Struct, frozen=True, kw_only=True):
    """How to check.

    Attributes:
        sample_rows: rows to set single features against labels on, 1 or more.
        seed: of the sample, and of its halves, 0 or more.
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

    def __post_init__(self) -> None:
        """Check ranges.

        Raises:
            ConfigError: a value is out of range.
        """
        check_draw(self.sample_rows, self.seed)
        hours = self.validation_hours
        if hours is not None and not (is_number(hours) and 0 < hours < math.inf):
            raise ConfigError(f"validation_hours must be a number above 0 and finite, got {shown(hours)}")
        inner_share("validation_share", self.validation_share)


def check_draw(sample_rows: object, seed: object) -> None:
    """Refuse a size of a sample, or a seed, that nothing can be drawn with.

    Raises:
        ConfigError: it is none.
    """
    integer("sample_rows", sample_rows, range(1, 2**63), "[1, 2**63)")
    integer("seed", seed, range(2**63), "[0, 2**63)")
