"""The job that everyone does: MovieLens-1M, `like` and `love`, seven categorical features and a bag of genres.

The oldest 80 % of the ratings train, the next 10 % choose the epoch, the newest 10 % test.
"""

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from polyrank.schema import Schema
from polyrank.train.datasets import movielens

from .workers.worker import ARRAYS, ROWS, SCHEMA, TASKS

if TYPE_CHECKING:
    import pyarrow as pa

FEATURES = {
    "user_id": ("int64", 1_000_000),
    "movie_id": ("int64", 500_000),
    "gender": ("text", 1_000),
    "age": ("int64", 1_000),
    "occupation": ("text", 10_000),
    "zip_code": ("text", 500_000),
    "release_year": ("int64", 10_000),
}
"""Dtype and number of buckets: so many that few values share one, since peers count theirs and have a row for each."""
NUM_GENRES = 6
EMBEDDING_DIM = 16
SIDES = ("train", "validation", "test")


def load(folder: Path) -> "pa.Table":
    """Return all ratings, oldest first, with a column `side`."""
    import pyarrow as pa

    table = movielens.load(folder)
    ends = (len(table) * 8 // 10, len(table) * 9 // 10)
    side = np.repeat(SIDES, np.diff([0, *ends, len(table)]))
    return table.append_column("side", pa.array(side))


def schema(*tasks: str) -> Schema:
    """Return the schema of the job, for `like` and `love` or for some other tasks."""
    features = [
        f'[[features]]\nname = "{name}"\nkind = "categorical"\ndtype = "{dtype}"\nnum_buckets = {buckets}\n'
        f"embedding_dim = {EMBEDDING_DIM}\n"
        for name, (dtype, buckets) in FEATURES.items()
    ]
    features.append(
        f'[[features]]\nname = "genres"\nkind = "bag"\ndtype = "text"\nmax_length = {NUM_GENRES}\nnum_buckets = 5_000\n'
        f"embedding_dim = {EMBEDDING_DIM}\n"
    )
    labels = [f'[[tasks]]\nname = "{task}"\nkind = "binary"\nlabel = "{task}"\n' for task in tasks or TASKS]
    return Schema.from_toml("\n".join(['name = "movielens"\n', *features, *labels]))


def write(table: "pa.Table", folder: Path) -> None:
    """Write what the workers read: rows for Polyrank, and for the others ids that count from 0, in `Job`'s arrays."""
    import pyarrow.parquet as pq

    columns = [_codes(table[name]) for name in FEATURES]
    labels = np.stack([table[task].to_numpy() for task in TASKS], axis=1)
    ends = np.cumsum([np.count_nonzero(table["side"].to_numpy() == side) for side in SIDES])
    np.savez(
        folder / ARRAYS,
        ids=np.stack(columns, axis=1),
        sizes=[column.max() + 1 for column in columns],
        genres=_genres(table["genres"]),
        labels=labels.astype(np.float32),
        ends=ends,
    )
    pq.write_table(table.select([*FEATURES, "genres", *TASKS, "side"]), folder / ROWS)
    (folder / SCHEMA).write_text(schema().to_toml())


def _codes(column: "pa.ChunkedArray") -> NDArray[np.int64]:
    import pyarrow.compute as pc

    codes: NDArray[np.int64] = pc.dictionary_encode(column, "encode").combine_chunks().indices.to_numpy()
    return codes.astype(np.int64)


def _genres(lists: "pa.ChunkedArray") -> NDArray[np.int64]:
    """Return int64 (N, 6): genres from 1, then 0 for places that are not filled."""
    column = lists.combine_chunks()
    codes = column.flatten().dictionary_encode().indices.to_numpy() + 1
    lengths = np.diff(column.offsets.to_numpy())
    rows = np.repeat(np.arange(len(column)), lengths)
    places = np.arange(len(codes)) - np.repeat(np.cumsum(lengths) - lengths, lengths)
    filled = np.zeros((len(column), NUM_GENRES), np.int64)
    fits = places < NUM_GENRES
    filled[rows[fits], places[fits]] = codes[fits]
    return filled
