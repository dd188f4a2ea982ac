"""Everything that is a number: the columns of `dense` to inputs of the trunk."""

import torch
from torch import Tensor, nn

from polyrank.encoder import dense_layout
from polyrank.features import BucketizedFeature, NumericFeature, VectorFeature
from polyrank.schema import Schema

from .buckets import BucketTable
from .numeric import NumericBlock
from .vectors import VectorBlock


class DenseBlock(nn.Module):
    """Numeric features side by side, then the bucketized ones, then the vectors."""

    numeric_columns: Tensor  # (N,)

    def __init__(self, schema: Schema) -> None:
        super().__init__()
        layout = dense_layout(schema)
        columns = [place.start for place in layout if isinstance(place.feature, NumericFeature)]
        self.register_buffer("numeric_columns", torch.tensor(columns, dtype=torch.int64), persistent=False)
        self.is_numeric_only = len(columns) == len(layout)
        self.numeric = NumericBlock(schema.numeric_features) if columns else None
        buckets = [(place.start, place.feature) for place in layout if isinstance(place.feature, BucketizedFeature)]
        self.bucket_columns = [column for column, _ in buckets]
        self.buckets = nn.ModuleList(BucketTable(feature) for _, feature in buckets)
        vectors = [(place, VectorBlock(place.feature)) for place in layout if isinstance(place.feature, VectorFeature)]
        self.vector_columns = [slice(place.start, place.stop) for place, _ in vectors]
        self.vectors = nn.ModuleList(block for _, block in vectors)
        self.output_dim = 0 if self.numeric is None else self.numeric.output_dim
        self.output_dim += sum(feature.embedding_dim or 0 for _, feature in buckets)
        self.output_dim += sum(block.output_dim for _, block in vectors)

    def forward(self, dense: Tensor) -> Tensor:
        """Transform and look up: float32 (B, D), NaN where missing, to float32 (B, output_dim)."""
        parts = []
        if self.numeric is not None:
            parts.append(self.numeric(dense if self.is_numeric_only else dense.index_select(1, self.numeric_columns)))
        for column, table in zip(self.bucket_columns, self.buckets, strict=True):
            parts.append(table(dense[:, column]))
        for columns, vector in zip(self.vector_columns, self.vectors, strict=True):
            parts.append(vector(dense[:, columns]))
        return torch.cat(parts, dim=1)
