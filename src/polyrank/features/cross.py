"""Several values as one."""

import msgspec

from .common import Side


class CrossFeature(
    msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="kind", tag="cross"
):
    """Categorical features hashed together, in order: one slot of `ids`. Missing if one of them is."""

    name: str
    features: tuple[str, ...]
    side: Side = "context"
    num_buckets: int | None = None
    embedding_dim: int | None = None

    @property
    def num_slots(self) -> int:
        """How many columns of `ids` it fills."""
        return 1

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns that a row needs for it: those of its parts."""
        return self.features

    @property
    def table(self) -> str:
        """The feature whose embedding table it uses: itself."""
        return self.name
