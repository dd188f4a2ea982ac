"""Fingerprints to pooled embedding vectors, in operators that export to ONNX as Mod, Gather, Mul and ReduceSum."""

import dataclasses
from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

from polyrank.embedding_rows import PooledColumns, empty_table, find_rows
from polyrank.encoder import Slots, slot_layout
from polyrank.errors import SchemaError
from polyrank.features import HashedFeature, PooledFeature, Pooling, SequenceFeature, SharingFeature
from polyrank.schema import Schema

from .attention import TargetAttention
from .lookup import pooled_lookup
from .neighbors import NeighborTable
from .pooling import pool

INITIAL_STD = 0.01
"""Small on purpose: ids that training never touches keep their initial vector, and N(0, 1) there costs 0.03 AUC
(measured on MovieLens-1M)."""


@dataclasses.dataclass(frozen=True)
class TableRange:
    """Rows `start` up to `start + num_buckets + 1` of a fused table; the first of them is "missing"."""

    start: int
    num_buckets: int


class FusedTable(nn.Module):
    """All embedding tables of one width, stacked into a single parameter so that a batch is one gather.

    `row = 0 if fingerprint < 0 else 1 + fingerprint mod num_buckets`, shifted by where the feature's table starts. Of
    a feature with `identity`, `row = 1 + id if 0 <= id < num_buckets else 0`.
    """

    weight: nn.Parameter  # (R, D)
    num_buckets: Tensor  # (S',)
    starts: Tensor  # (S',)
    columns: Tensor  # (S',)
    lasts: Tensor  # (S',), the last id that has a row
    stand_ins: Tensor | None = None  # (R,), the row that each is looked up at while rare ones train as "missing"

    def __init__(self, schema: Schema, embedding_dim: int) -> None:
        super().__init__()
        self.layout = [slots for slots in slot_layout(schema) if slots.feature.embedding_dim == embedding_dim]
        ranges, num_rows = _table_ranges(self.layout)
        widths = [slots.stop - slots.start for slots in self.layout]
        self.widths = tuple(widths)
        self.ranges = [(owner.start, owner.num_buckets + 1) for owner in ranges.values()]
        repeats = torch.tensor(widths)
        owners = [ranges[slots.feature.table] for slots in self.layout]
        # Layout, not weights: rebuilt from the schema, so left out of the checkpoint.
        buckets = torch.tensor([owner.num_buckets for owner in owners])
        starts = torch.tensor([owner.start for owner in owners])
        columns = torch.cat([torch.arange(slots.start, slots.stop) for slots in self.layout])
        self.register_buffer("num_buckets", buckets.repeat_interleave(repeats), persistent=False)
        self.register_buffer("starts", starts.repeat_interleave(repeats), persistent=False)
        self.register_buffer("columns", columns, persistent=False)
        identity = [isinstance(slots.feature, SharingFeature) and slots.feature.identity for slots in self.layout]
        lasts = torch.where(torch.tensor(identity), buckets - 1, torch.iinfo(torch.int64).max)
        self.register_buffer("lasts", lasts.repeat_interleave(repeats), persistent=False)
        self.has_identity = any(identity)
        self.takes_all_columns = len(columns) == sum(slots.stop - slots.start for slots in slot_layout(schema))
        self.weight = nn.Parameter(_empty_table(num_rows, embedding_dim).normal_(std=INITIAL_STD))
        places = torch.tensor(widths).cumsum(0).tolist()
        self.places = {
            slots.feature.name: stop - width for slots, stop, width in zip(self.layout, places, widths, strict=True)
        }
        sequences = (slots.feature for slots in self.layout if isinstance(slots.feature, SequenceFeature))
        self.attended = [feature for feature in sequences if feature.target is not None]
        self.attending = [feature.name for feature in self.attended]
        self.attention = nn.ModuleList(TargetAttention(embedding_dim) for _ in self.attending)
        tables = {slots.feature.name: owner for slots, owner in zip(self.layout, owners, strict=True)}
        self.neighbors = nn.ModuleList(
            NeighborTable(feature, self.places[feature.of], **dataclasses.asdict(tables[feature.of]))
            for feature in schema.neighbors_features
            if feature.of in tables
        )
        self.runs = feature_runs(self.layout)
        of_many = [slots.feature for _, _, slots in self.runs if slots is not None]
        self.adds_up = not self.attending and all(_pooling(feature) != "max" for feature in of_many)
        self.pools = [
            PooledColumns(start, stop - start, _pooling(slots.feature), slots.first_weight)
            for start, stop, slots in self.runs
            if slots is not None
        ]
        self.num_vectors = len(self.layout) + len(self.neighbors)
        self.output_dim = embedding_dim * self.num_vectors

    def forward(self, ids: Tensor, weights: Tensor | None = None) -> Tensor:
        """Look up and pool.

        Args:
            ids: int64 (B, S) fingerprints.
            weights: float32 (B, W) of the values of weighted bags, if there are any.

        Returns:
            float32 (B, F * D), one vector for each feature, those of neighbours last.
        """
        if self.training and self.adds_up and _is_native(self.weight):
            rows, factors = self._found(ids, weights)  # (B, S')
            parts = [pooled_lookup(self.weight, self._looked_up(rows), factors, self.widths)]
        else:
            rows, present = self.rows_of(ids)
            vectors = functional.embedding(self._looked_up(rows), self.weight, sparse=self.training)  # (B, S', D)
            parts = self._pooled(vectors, present, weights)
        parts += [table(rows[:, table.place], self.weight, self.stand_ins) for table in self.near_tables()]
        return torch.cat(parts, dim=1) if len(parts) > 1 else parts[0]

    def rows_of(self, ids: Tensor) -> tuple[Tensor, Tensor]:
        """Return the row of each id, int64 (B, S'), and whether it is one, bool; int64 (B, S) fingerprints."""
        if not self.takes_all_columns:
            ids = ids.index_select(1, self.columns)  # (B, S')
        return table_rows(ids, self.num_buckets, self.starts, self.lasts if self.has_identity else None)

    def near_tables(self) -> list[NeighborTable]:
        """Return the neighbours of features of this table."""
        return [table for table in self.neighbors if isinstance(table, NeighborTable)]

    def first_rows(self) -> Tensor:
        """Return the row of "missing" of the table that each row belongs to, int64 (R,)."""
        return torch.cat([torch.full((size,), start) for start, size in self.ranges])

    def _found(self, ids: Tensor, weights: Tensor | None) -> tuple[Tensor, Tensor | None]:
        """Return rows as `rows_of` does, and what each is multiplied with before those of a feature are added up."""
        if not self.takes_all_columns:
            ids = ids.index_select(1, self.columns)
        rows, factors = find_rows(
            ids.contiguous().numpy(),
            self.num_buckets.numpy(),
            self.starts.numpy(),
            self.lasts.numpy(),
            self.pools,
            None if weights is None else weights.contiguous().numpy(),
            threads=torch.get_num_threads(),
        )
        return torch.from_numpy(rows), None if factors is None else torch.from_numpy(factors)

    def _looked_up(self, rows: Tensor) -> Tensor:
        return rows if self.stand_ins is None else self.stand_ins[rows]

    def _pooled(self, vectors: Tensor, present: Tensor, weights: Tensor | None) -> list[Tensor]:
        """Pool features of many values; runs of single-slot features pass through together."""
        # One split, since the gradient of a slice is a tensor as large as all vectors.
        parts = torch.split(vectors, [stop - start for start, stop, _ in self.runs], dim=1)
        return [
            part.flatten(1)
            if slots is None
            else self._one_vector(slots, part, present[:, start:stop], vectors, weights)
            for part, (start, stop, slots) in zip(parts, self.runs, strict=True)
        ]

    def _one_vector(
        self, slots: Slots, own: Tensor, present: Tensor, vectors: Tensor, weights: Tensor | None
    ) -> Tensor:
        """Pool the values of one feature: (B, L, D) to (B, D)."""
        feature = slots.feature
        if not isinstance(feature, SequenceFeature) or feature.target is None:
            return pooled(slots, own, present, weights)
        target = vectors[:, self.places[feature.target]]
        attended: Tensor = self.attention[self.attending.index(feature.name)](own, present, target)
        return attended


def table_rows(
    ids: Tensor, num_buckets: Tensor | int, starts: Tensor | int, lasts: Tensor | int | None = None
) -> tuple[Tensor, Tensor]:
    """Return the row of each id, int64 (B, S), and whether it is one, bool (B, S).

    Args:
        ids: int64 (B, S) fingerprints, or values that are rows themselves.
        num_buckets: int64 (S,): each id takes the row of its remainder, after that of "missing".
        starts: int64 (S,): the rows of "missing", where those of a feature begin.
        lasts: int64 (S,): the highest ids; those above have no row.
    """
    present = ids >= 0 if lasts is None else (ids >= 0) & (ids <= lasts)
    return torch.where(present, ids % num_buckets + (starts + 1), starts), present


def pooled(slots: Slots, vectors: Tensor, present: Tensor, weights: Tensor | None) -> Tensor:
    """Pool the vectors (B, L, D) of one feature, of which those are there that `present` (B, L) says: (B, D)."""
    return pool(vectors, present, _pooling(slots.feature), _own_weights(slots, weights))


def feature_runs(layout: Sequence[Slots]) -> list[tuple[int, int, Slots | None]]:
    """Return where vectors that pass through together, or are pooled, begin and end, with what is pooled."""
    runs: list[tuple[int, int, Slots | None]] = []
    start = 0
    for slots in layout:
        stop = start + slots.stop - slots.start
        if isinstance(slots.feature, PooledFeature):
            runs.append((start, stop, slots))
        elif runs and runs[-1][2] is None:
            runs[-1] = (runs[-1][0], stop, None)
        else:
            runs.append((start, stop, None))
        start = stop
    return runs


class Embeddings(nn.Module):
    """One `FusedTable` for each embedding width of the schema."""

    def __init__(self, schema: Schema) -> None:
        super().__init__()
        dims = dict.fromkeys(feature.embedding_dim for feature in schema.hashed_features)
        tables = {f"dim_{dim}": FusedTable(schema, dim) for dim in dims if dim is not None}
        self.output_dim = sum(table.output_dim for table in tables.values())
        self.fields = [(table.num_vectors, dim) for dim, table in zip(dims, tables.values(), strict=True) if dim]
        self.tables = nn.ModuleDict(tables)

    def forward(self, ids: Tensor, weights: Tensor | None = None) -> Tensor:
        """Look up and pool: int64 (B, S), with float32 (B, W) if bags are weighted, to float32 (B, output_dim)."""
        parts = [table(ids, weights) for table in self.tables.values()]
        return torch.cat(parts, dim=1) if len(parts) > 1 else parts[0]


def _pooling(feature: HashedFeature) -> Pooling:
    if isinstance(feature, SequenceFeature):
        return "mean"
    assert isinstance(feature, PooledFeature)  # noqa: S101 (no other is pooled; this tells the type checker)
    return feature.pooling


def _is_native(table: Tensor) -> bool:
    return table.dtype == torch.float32 and table.device.type == "cpu"


def _own_weights(slots: Slots, weights: Tensor | None) -> Tensor | None:
    if slots.first_weight is None or weights is None:
        return None
    return weights[:, slots.first_weight : slots.first_weight + slots.feature.num_weights]


def _empty_table(num_rows: int, embedding_dim: int) -> Tensor:
    try:
        return torch.from_numpy(empty_table(num_rows, embedding_dim))
    except MemoryError as err:
        size = num_rows * embedding_dim * torch.float32.itemsize / 2**30
        raise SchemaError(
            f"embedding tables of width {embedding_dim} take {size:,.0f} GiB, more than this machine gives; "
            f"lower num_buckets or embedding_dim"
        ) from err


def _table_ranges(layout: list[Slots]) -> tuple[dict[str, TableRange], int]:
    """Stack the tables that own themselves; return where each lies and how many rows there are in all."""
    ranges: dict[str, TableRange] = {}
    num_rows = 0
    for slots in layout:
        if slots.feature.table == slots.feature.name and slots.feature.num_buckets is not None:
            ranges[slots.feature.name] = TableRange(num_rows, slots.feature.num_buckets)
            num_rows += slots.feature.num_buckets + 1
    return ranges, num_rows
