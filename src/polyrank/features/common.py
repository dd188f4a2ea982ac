"""What features of every kind have."""

from typing import Literal

Side = Literal["user", "item", "context"]

DEFAULT_EMBEDDING_DIM = 16
MAX_EMBEDDING_DIM = 4096
