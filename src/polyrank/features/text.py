"""Text as the n-grams that it is made of."""

from .hashed import Hashed, Pooling
from .keys import Side


class TextFeature(Hashed, frozen=True, kw_only=True, tag_field="kind", tag="text"):
    """The n-grams of a text, each hashed: `max_length` slots of `ids`, pooled into one vector.

    They come by size as `sizes` lists them, then by place in the text; the first `max_length` count.
    """

    max_length: int
    sizes: tuple[int, ...] = (1,)
    side: Side = "context"
    num_buckets: int | None = None
    embedding_dim: int | None = None
    missing: tuple[str, ...] = ()
    pooling: Pooling = "mean"

    @property
    def num_slots(self) -> int:
        """How many columns of `ids` the feature fills."""
        return self.max_length
