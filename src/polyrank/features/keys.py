"""What features of every kind have."""

from typing import Literal

Side = Literal["user", "item", "context"]
