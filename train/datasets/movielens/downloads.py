"""Files as GroupLens gives them: ml-100k, ml-1m, and the CSV files of ml-latest and ml-25m.

Readers of ratings give `user_id`, `movie_id`, `rating` and `time_s`; of movies `movie_id`, `title`, `release_year` and
`genres`; of users `user_id`, `age`, `gender`, `occupation` and `zip_code`.
"""

from pathlib import Path
from typing import TYPE_CHECKING

from polyrank.errors import DataError
from polyrank.train.datasets.delimited import AGAIN, Format, read_delimited

from .movies import movie_table

if TYPE_CHECKING:
    import pyarrow as pa

TABS = Format(delimiter="\t")
PIPES = Format(delimiter="|", encoding="latin-1")
COLONS = Format(delimiter="::", encoding="latin-1")
COMMAS = Format(delimiter=",", header=True)
QUOTED = Format(delimiter=",", header=True, quoted=True)
NO_GENRES = "(no genres listed)"
LEAST_RATING = 0.5
MOST_RATING = 5.0


def ratings_100k(folder: Path) -> "pa.Table":
    """Read `u.data`."""
    return checked(read_delimited(folder / "u.data", _rating_types(), TABS), folder / "u.data")


def movies_100k(folder: Path) -> "pa.Table":
    """Read `u.item`, whose genres are flags in the order of `u.genre`."""
    import pyarrow as pa

    text = pa.string()
    genres = read_delimited(folder / "u.genre", {"genre": text, "number": pa.int64()}, PIPES)["genre"]
    attributes = {"movie_id": pa.int64()} | dict.fromkeys(("title", "released", "video_released", "url"), text)
    flags = [f"flag {genre}" for genre in genres.to_pylist()]
    types = attributes | dict.fromkeys(flags, pa.bool_())
    items = read_delimited(folder / "u.item", types, PIPES)
    rows = zip(*(items[flag].to_pylist() for flag in flags), strict=True)
    named = [[genre for genre, holds in zip(genres.to_pylist(), row, strict=True) if holds] for row in rows]
    return movie_table(items["movie_id"], items["title"], named)


def users_100k(folder: Path) -> "pa.Table":
    """Read `u.user`."""
    names = ("user_id", "age", "gender", "occupation", "zip_code")
    return read_delimited(folder / "u.user", _user_types(*names), PIPES)


def ratings_1m(folder: Path) -> "pa.Table":
    """Read `ratings.dat`."""
    return checked(read_delimited(folder / "ratings.dat", _rating_types(), COLONS), folder / "ratings.dat")


def movies_1m(folder: Path) -> "pa.Table":
    """Read `movies.dat`."""
    import pyarrow as pa

    types = {"movie_id": pa.int64(), "title": pa.string(), "genres": pa.string()}
    items = read_delimited(folder / "movies.dat", types, COLONS)
    return movie_table(items["movie_id"], items["title"], _split(items["genres"]))


def users_1m(folder: Path) -> "pa.Table":
    """Read `users.dat`: `age` is the lower end of a range, `occupation` a code; its README has both."""
    names = ("user_id", "gender", "age", "occupation", "zip_code")
    return read_delimited(folder / "users.dat", _user_types(*names), COLONS)


def ratings_csv(folder: Path) -> "pa.Table":
    """Read `ratings.csv`."""
    names = ("userId", "movieId", "rating", "timestamp")
    types = dict(zip(names, _rating_types().values(), strict=True))
    table = read_delimited(folder / "ratings.csv", types, COMMAS)
    return checked(table.rename_columns(list(_rating_types())), folder / "ratings.csv", header=True)


def movies_csv(folder: Path) -> "pa.Table":
    """Read `movies.csv`."""
    import pyarrow as pa

    types = {"movieId": pa.int64(), "title": pa.string(), "genres": pa.string()}
    items = read_delimited(folder / "movies.csv", types, QUOTED)
    return movie_table(items["movieId"], items["title"], _split(items["genres"]))


def checked(ratings: "pa.Table", file: Path, *, header: bool = False) -> "pa.Table":
    """Return the ratings.

    Raises:
        DataError: one is outside [0.5, 5]; the message names its row.
    """
    import pyarrow as pa
    import pyarrow.compute as pc

    stars = ratings["rating"]
    known = pc.and_(pc.greater_equal(stars, LEAST_RATING), pc.less_equal(stars, MOST_RATING))
    row = pc.index(known, pa.scalar(value=False)).as_py()
    if row >= 0:
        shown = f"{file}: row {row + 1 + header}: rating {stars[row].as_py():g}"
        raise DataError(f"{shown} is not in [{LEAST_RATING:g}, {MOST_RATING:g}]; {AGAIN}")
    return ratings


def _rating_types() -> "dict[str, pa.DataType]":
    import pyarrow as pa

    return {"user_id": pa.int64(), "movie_id": pa.int64(), "rating": pa.float32(), "time_s": pa.int64()}


def _user_types(*names: str) -> "dict[str, pa.DataType]":
    import pyarrow as pa

    return {name: pa.int64() if name in ("user_id", "age") else pa.string() for name in names}


def _split(genres: "pa.ChunkedArray") -> list[list[str]]:
    return [[] if text in ("", NO_GENRES) else text.split("|") for text in genres.to_pylist()]
