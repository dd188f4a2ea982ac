"""Several values as one."""

from .hashed import Hashed
from .keys import Side


class CrossFeature(Hashed, frozen=True, kw_only=True, tag_field="kind", tag="cross"):
    """Categorical features hashed together, in order: one slot of `ids`. Missing if one of them is."""

    features: tuple[str, ...]
    side: Side = "context"
    num_buckets: int | None = None
    embedding_dim: int | None = None

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns that a row needs for it: those of its parts."""
        return self.features
