"""Two forms that others made of MovieLens: RecBole's files of ml-100k, and ml-1m as Parquet files split by time."""

from pathlib import Path
from typing import TYPE_CHECKING

from polyrank.train.datasets.delimited import Format, read_delimited
from polyrank.train.sources import read_rows

from .downloads import checked
from .movies import movie_table

if TYPE_CHECKING:
    import pyarrow as pa

SPLITS = ("ml1m_train.parquet", "ml1m_val.parquet", "ml1m_test.parquet")


def ratings_recbole(folder: Path) -> "pa.Table":
    """Read `ml-100k.inter`."""
    import pyarrow as pa

    types = {
        "user_id:token": pa.int64(),
        "item_id:token": pa.int64(),
        "rating:float": pa.float32(),
        "timestamp:float": pa.float64(),
    }
    table = _read(folder / "ml-100k.inter", types, ["user_id", "movie_id", "rating", "time_s"])
    checked(table, folder / "ml-100k.inter", header=True)
    return table.set_column(3, "time_s", table["time_s"].cast(pa.int64(), safe=False))


def movies_recbole(folder: Path) -> "pa.Table":
    """Read `ml-100k.item`, whose genres are parted by spaces."""
    import pyarrow as pa

    text = pa.string()
    types = {
        "item_id:token": pa.int64(),
        "movie_title:token_seq": text,
        "release_year:token": text,
        "class:token_seq": text,
    }
    items = _read(folder / "ml-100k.item", types, ["movie_id", "title", "year", "genres"])
    genres = [text.split() for text in items["genres"].to_pylist()]
    return movie_table(items["movie_id"], items["title"], genres, items["year"])


def users_recbole(folder: Path) -> "pa.Table":
    """Read `ml-100k.user`."""
    import pyarrow as pa

    names = ["user_id", "age", "gender", "occupation", "zip_code"]
    types = {f"{name}:token": pa.int64() if name in names[:2] else pa.string() for name in names}
    return _read(folder / "ml-100k.user", types, names)


def ratings_splits(folder: Path) -> "pa.Table":
    """Read the three Parquet files.

    A rating of 0 there means that it is below 4 and unknown: it becomes null, and `like` and `love` stay. Such a row
    has no time either; it gets the oldest known one, which keeps it on the training side, where it is from.
    """
    import pyarrow as pa
    import pyarrow.compute as pc

    columns = ("user_id", "movie_id", "rating", "timestamp", "like", "love")
    parts = [read_rows(folder / name, columns=columns) for name in SPLITS]
    table = pa.concat_tables(parts, promote_options="permissive")
    rating, time = (_known(table[name]) for name in ("rating", "timestamp"))
    known = {
        "user_id": table["user_id"].cast(pa.int64()),
        "movie_id": table["movie_id"].cast(pa.int64()),
        "rating": rating.cast(pa.float32()),
        "time_s": pc.fill_null(time, pc.min(time)).cast(pa.int64()),
    }
    return pa.table(known | {name: table[name].cast(pa.int8()) for name in ("like", "love")})


def _known(column: "pa.ChunkedArray") -> "pa.ChunkedArray":
    import pyarrow as pa
    import pyarrow.compute as pc

    return pc.if_else(pc.equal(column, 0), pa.scalar(None, column.type), column)


def _read(file: Path, types: "dict[str, pa.DataType]", names: list[str]) -> "pa.Table":
    return read_delimited(file, types, Format(delimiter="\t", header=True)).rename_columns(names)
