"""What is looked up and transformed of the user once, and of each item, in place of whole rows."""

from collections.abc import Iterable, Iterator
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from polyrank.encoder import DenseColumns
from polyrank.features import BucketizedFeature, NumericFeature, VectorFeature
from polyrank.halves import Half, halves_of, item_features
from polyrank.schema import Schema

from .attention import TargetAttention
from .buckets import BucketTable
from .dense import DenseBlock
from .embedding import Embeddings, FusedTable, feature_runs, pooled, table_rows
from .halves import Halves
from .numeric import NumericBlock
from .ranker import Inputs
from .vectors import VectorBlock

Columns = tuple[int, ...]
Block = tuple[Columns, Tensor]
"""Which inputs of the layers, and their values (B, ·)."""


class Rows(NamedTuple):
    """Rows of a half: ids int64 (B, S'), dense float32 (B, D') and weights float32 (B, W'), if there are any."""

    ids: Tensor | None
    dense: Tensor | None
    weights: Tensor | None


class LookedUp(NamedTuple):
    """Vectors of a half: by slot (B, S', D), whether there is a value (B, S'), and those of features, pooled."""

    vectors: Tensor
    present: Tensor
    blocks: list[Block]


class HalfInputs(nn.Module):
    """`Inputs`, of rows that come as halves."""

    def __init__(self, inputs: Inputs, schema: Schema) -> None:
        super().__init__()
        columns = input_columns(inputs, schema)
        self.columns, self.item_features = columns, item_features(schema)
        halves = halves_of(schema)
        tables = [] if inputs.embeddings is None else fused_tables(inputs.embeddings)
        self.tables = nn.ModuleList(tables)
        self.users, self.items = (nn.ModuleList(HalfTable(table, half, columns) for table in tables) for half in halves)
        self.dense = inputs.dense
        self.user_dense, self.item_dense = (
            HalfDense(inputs.dense, schema, half.dense, columns) if inputs.dense is not None and half.dense else None
            for half in halves
        )

    def forward(self, user: Rows, item: Rows) -> Halves:
        """Look up and transform one user (1, ·) and items (N, ·)."""
        of_user: list[Block] = []
        of_item: list[Block] = []
        for table, users, items in zip(self.tables, self.users, self.items, strict=True):
            first, second = users(user), items(item)
            of_user += [] if first is None else first.blocks
            of_item += [] if second is None else second.blocks
            for block, is_item in self._attended(table, (users, first), (items, second)):  # type: ignore[arg-type]
                (of_item if is_item else of_user).append(block)
        if self.user_dense is not None:
            of_user += self.user_dense(user.dense)
        if self.item_dense is not None:
            of_item += self.item_dense(item.dense)
        return Halves(_together(of_user), _together(of_item), _all_columns(of_user), _all_columns(of_item))

    def _attended(
        self, table: FusedTable, *halves: "tuple[HalfTable, LookedUp | None]"
    ) -> Iterator[tuple[Block, bool]]:
        """Pool sequences by their targets, which may be of the other half."""
        for attention, feature in zip(table.attention, table.attended, strict=True):
            assert isinstance(attention, TargetAttention)  # noqa: S101 (these two tell the type checker)
            assert feature.target is not None  # noqa: S101
            vectors, present = _looked_up(feature.name, halves)
            target = _looked_up(feature.target, halves)[0][:, 0]
            if feature.name in self.item_features:
                values = attention(vectors, present, target.expand(vectors.shape[0], -1))
                yield (self.columns[feature.name], values), True
            else:
                values = attention.of_one(vectors, present, target)
                yield (self.columns[feature.name], values), feature.target in self.item_features


class HalfTable(nn.Module):
    """The features of one half in a fused table."""

    num_buckets: Tensor  # (S',)
    starts: Tensor  # (S',)
    lasts: Tensor  # (S',)
    id_columns: Tensor  # (S',)

    def __init__(self, table: FusedTable, half: Half, columns: dict[str, Columns]) -> None:
        super().__init__()
        self.table, self.columns = table, columns
        self.layout = [slots for slots in half.slots if slots.feature.name in table.places]
        self.places: dict[str, int] = {}
        whole: list[int] = []
        for slots in self.layout:
            name = slots.feature.name
            self.places[name] = len(whole)
            whole += range(table.places[name], table.places[name] + slots.stop - slots.start)
        for name in ("num_buckets", "starts", "lasts"):
            self.register_buffer(name, getattr(table, name)[whole], persistent=False)
        own = [column for slots in self.layout for column in range(slots.start, slots.stop)]
        self.takes_all = own == list(range(len(half.id_columns)))
        self.register_buffer("id_columns", torch.tensor(own, dtype=torch.int64), persistent=False)
        self.runs = feature_runs(self.layout)

    def forward(self, rows: Rows) -> LookedUp | None:
        """Look up and pool; sequences that attend to a target are left to the caller."""
        if not self.layout or rows.ids is None:
            return None
        ids = rows.ids if self.takes_all else rows.ids.index_select(1, self.id_columns)
        lasts = self.lasts if self.table.has_identity else None
        places, present = table_rows(ids, self.num_buckets, self.starts, lasts)
        vectors = functional.embedding(places, self.table.weight)  # (B, S', D)
        blocks = []
        for start, stop, slots in self.runs:
            own = vectors[:, start:stop]
            if slots is None:
                blocks.append((self._columns_between(start, stop), own.flatten(1)))
            elif slots.feature not in self.table.attended:
                blocks.append(
                    (self.columns[slots.feature.name], pooled(slots, own, present[:, start:stop], rows.weights))
                )
        for near in self.table.near_tables():
            if near.feature.of in self.places:
                values = near(places[:, self.places[near.feature.of]], self.table.weight)
                blocks.append((self.columns[near.feature.name], values))
        return LookedUp(vectors, present, blocks)

    def slots_of(self, name: str, found: LookedUp) -> tuple[Tensor, Tensor]:
        """Return the vectors of a feature, (B, L, D), and whether there is a value, (B, L)."""
        start = self.places[name]
        stop = start + next(slots.stop - slots.start for slots in self.layout if slots.feature.name == name)
        return found.vectors[:, start:stop], found.present[:, start:stop]

    def _columns_between(self, start: int, stop: int) -> Columns:
        names = [name for name, place in self.places.items() if start <= place < stop]
        return tuple(column for name in names for column in self.columns[name])


class HalfDense(nn.Module):
    """The numbers of one half."""

    def __init__(
        self, dense: DenseBlock, schema: Schema, layout: tuple[DenseColumns, ...], columns: dict[str, Columns]
    ) -> None:
        super().__init__()
        self.dense, self.columns = dense, columns
        places = {each.feature.name: each for each in layout}
        features = schema.dense_features
        numeric = [each for each in features if isinstance(each, NumericFeature) and each.name in places]
        self.numeric_columns = [places[each.name].start for each in numeric]
        self.numeric_inputs = tuple(columns[each.name][at] for at in (0, 1) for each in numeric)
        self.takes_all = len(numeric) == len(layout)
        self.numeric = NumericBlock(numeric) if numeric else None
        buckets = [each.name for each in features if isinstance(each, BucketizedFeature)]
        self.buckets = [(name, places[name], place) for place, name in enumerate(buckets) if name in places]
        vectors = [each.name for each in features if isinstance(each, VectorFeature)]
        self.vectors = [(name, places[name], place) for place, name in enumerate(vectors) if name in places]

    def forward(self, dense: Tensor) -> list[Block]:
        """Transform and look up float32 (B, D'), NaN where missing."""
        blocks = []
        if self.numeric is not None:
            numbers = dense if self.takes_all else dense.index_select(1, torch.tensor(self.numeric_columns))
            blocks.append((self.numeric_inputs, self.numeric(numbers)))
        blocks += [
            (self.columns[name], self.dense.buckets[place](dense[:, columns.start]))
            for name, columns, place in self.buckets
        ]
        blocks += [
            (self.columns[name], self.dense.vectors[place](dense[:, columns.start : columns.stop]))
            for name, columns, place in self.vectors
        ]
        return blocks


def input_columns(inputs: Inputs, schema: Schema) -> dict[str, Columns]:
    """Return which inputs of the layers each feature becomes, in the order in which `Inputs` lays them out."""
    found: dict[str, Columns] = {}
    start = 0
    for table in [] if inputs.embeddings is None else fused_tables(inputs.embeddings):
        width = table.weight.shape[1]
        for name in [*table.places, *(near.feature.name for near in table.near_tables())]:
            found[name] = tuple(range(start, start + width))
            start += width
    if inputs.dense is not None:
        found |= _dense_columns(inputs.dense, schema, start)
    return found


def fused_tables(embeddings: Embeddings) -> list[FusedTable]:
    """Return the tables of all widths."""
    return [table for table in embeddings.tables.values() if isinstance(table, FusedTable)]


def _dense_columns(dense: DenseBlock, schema: Schema, start: int) -> dict[str, Columns]:
    features = schema.dense_features
    numeric = [each.name for each in features if isinstance(each, NumericFeature)]
    found: dict[str, Columns] = {name: (start + at, start + len(numeric) + at) for at, name in enumerate(numeric)}
    start += 2 * len(numeric)
    names = [each.name for each in features if isinstance(each, BucketizedFeature)]
    names += [each.name for each in features if isinstance(each, VectorFeature)]
    widths = [table.weight.shape[1] for table in dense.buckets if isinstance(table, BucketTable)]
    widths += [block.output_dim for block in dense.vectors if isinstance(block, VectorBlock)]
    for name, width in zip(names, widths, strict=True):
        found[name] = tuple(range(start, start + width))
        start += width
    return found


def _looked_up(name: str, halves: "Iterable[tuple[HalfTable, LookedUp | None]]") -> tuple[Tensor, Tensor]:
    """Return the vectors of a feature, of the half that has it, and whether there is a value."""
    return next(table.slots_of(name, found) for table, found in halves if name in table.places and found is not None)


def _together(blocks: list[Block]) -> Tensor:
    parts = [values for _, values in blocks]
    return torch.cat(parts, dim=1) if len(parts) > 1 else parts[0]


def _all_columns(blocks: list[Block]) -> Columns:
    return tuple(column for columns, _ in blocks for column in columns)
