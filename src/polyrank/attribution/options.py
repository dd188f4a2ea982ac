"""How outcomes are joined to impressions."""

from collections.abc import Mapping
from datetime import datetime
from pathlib import Path

import msgspec

from polyrank.arguments import shown
from polyrank.errors import ConfigError

from .instants import seconds


class JoinOptions(msgspec.Struct, frozen=True, kw_only=True):
    """How outcomes are joined to impressions.

    Attributes:
        windows_s: by task: seconds after an impression within which an outcome counts, or text such as `30m`.
        window_s: of the other tasks.
        until: what is shown or happens then or later is left out, as if it were not there yet: a datetime, ISO 8601
            text, or an integer in the schema's time unit. When None all is taken in, but what is more than a day after
            now.
        since: what was shown before is left out.
        user: column of users; by default the schema's `group`, or its first categorical feature of users.
        item: column of items; by default the schema's first categorical feature of items.
        time: column of the outcomes' times.
        items: a table of items, whose columns go to impressions that lack them, by the column of items.
        position: the name of a column for the place in the shown list.
        positions: what `polyrank positions` wrote: weights go to the schema's `sample_weight` column.
    """

    windows_s: Mapping[str, float | str] = {}
    window_s: float | str = 3_600.0
    until: datetime | int | str | None = None
    since: datetime | int | str | None = None
    user: str | None = None
    item: str | None = None
    time: str = "time"
    items: Path | str | None = None
    position: str | None = None
    positions: Path | None = None

    def __post_init__(self) -> None:
        """Check ranges.

        Raises:
            ConfigError: a window is no duration, or the name of a column is empty.
        """
        seconds("window_s", self.window_s)
        for task, window in self.windows_s.items():
            seconds(f"windows_s[{task!r}]", window)
        for name in ("user", "item", "time", "position"):
            if getattr(self, name) == "":
                raise ConfigError(f"{name} must be the name of a column, got {shown('')}")
