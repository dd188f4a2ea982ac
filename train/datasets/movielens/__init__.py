"""MovieLens: ratings of movies, joined with movies and users, from a folder as GroupLens gives it.

Harper, Konstan, The MovieLens Datasets: History and Context, ACM TiiS 5(4), 2015. Research use, no redistribution: the
data stay where they are.
"""

from pathlib import Path
from typing import TYPE_CHECKING

from polyrank.arguments import path
from polyrank.train.datasets.delimited import AGAIN
from polyrank.train.datasets.joins import attach

from .forms import recognise

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["OUTCOMES", "load", "schema_name"]

OUTCOMES = ("rating", "like", "love")
"""Columns that are known only after the movie was rated: labels, never features."""
LIKED = 4.0
LOVED = 5.0


def load(folder: str | Path) -> "pa.Table":
    """Join ratings, movies and, where there are any, users into one row per rating, oldest first.

    `like` is 1 for 4 stars and more, `love` for 5, both null where the rating is.

    Raises:
        DataError: the folder is none of MovieLens, a file is missing or damaged, or a rating names a user or movie that
            its file lacks.
    """
    folder = path("folder", folder)
    form = recognise(folder)
    order = [(name, "ascending") for name in ("time_s", "user_id", "movie_id")]
    table = _with_labels(form.read_ratings(folder)).sort_by(order)
    movies = f"{folder / form.movies}; {AGAIN}"
    table = attach(table, form.read_movies(folder), "movie_id", of="the ratings", source=movies)
    if form.read_users is None:
        return table
    users = f"{folder / form.users}; {AGAIN}"
    return attach(table, form.read_users(folder), "user_id", of="the ratings", source=users)


def schema_name(table: "pa.Table") -> str:
    """Return the name of the shipped schema that fits: MovieLens of later years says nothing of its users."""
    return "movielens-users" if "occupation" in table.column_names else "movielens"


def _with_labels(ratings: "pa.Table") -> "pa.Table":
    import pyarrow as pa
    import pyarrow.compute as pc

    for name, stars in (("like", LIKED), ("love", LOVED)):
        if name not in ratings.column_names:
            ratings = ratings.append_column(name, pc.greater_equal(ratings["rating"], stars).cast(pa.int8()))
    return ratings
