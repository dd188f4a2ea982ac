"""The forms in which MovieLens comes, told apart by their files."""

import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from polyrank.errors import DataError

from . import downloads, rebuilt

if TYPE_CHECKING:
    import pyarrow as pa

Reader = Callable[[Path], "pa.Table"]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Form:
    """Files of one form, and who reads them.

    Attributes:
        name: what people call it.
        ratings: files of ratings.
        movies: file of movies.
        users: file of users; empty without one.
        others: further files that are needed.
    """

    name: str
    ratings: tuple[str, ...]
    movies: str
    read_ratings: Reader
    read_movies: Reader
    users: str = ""
    read_users: Reader | None = None
    others: tuple[str, ...] = ()

    @property
    def files(self) -> tuple[str, ...]:
        """Every file that must be there."""
        return tuple(name for name in (*self.ratings, self.movies, self.users, *self.others) if name)


FORMS = (
    Form(
        name="ml-100k",
        ratings=("u.data",),
        movies="u.item",
        users="u.user",
        others=("u.genre",),
        read_ratings=downloads.ratings_100k,
        read_movies=downloads.movies_100k,
        read_users=downloads.users_100k,
    ),
    Form(
        name="ml-1m",
        ratings=("ratings.dat",),
        movies="movies.dat",
        users="users.dat",
        read_ratings=downloads.ratings_1m,
        read_movies=downloads.movies_1m,
        read_users=downloads.users_1m,
    ),
    Form(
        name="ml-latest or ml-25m",
        ratings=("ratings.csv",),
        movies="movies.csv",
        read_ratings=downloads.ratings_csv,
        read_movies=downloads.movies_csv,
    ),
    Form(
        name="ml-100k of RecBole",
        ratings=("ml-100k.inter",),
        movies="ml-100k.item",
        users="ml-100k.user",
        read_ratings=rebuilt.ratings_recbole,
        read_movies=rebuilt.movies_recbole,
        read_users=rebuilt.users_recbole,
    ),
    Form(
        name="ml-1m split by time",
        ratings=rebuilt.SPLITS,
        movies="movies.dat",
        users="users.dat",
        read_ratings=rebuilt.ratings_splits,
        read_movies=downloads.movies_1m,
        read_users=downloads.users_1m,
    ),
)


def recognise(folder: Path) -> Form:
    """Return the form of `folder`.

    Raises:
        DataError: it is no folder, or lacks files; the message names them.
    """
    if not folder.is_dir():
        state = "is not a folder" if folder.exists() else "does not exist"
        raise DataError(f"{folder} {state}; give the folder of an unpacked MovieLens download")
    present = {path.name for path in folder.iterdir()}
    for form in FORMS:
        if present.issuperset(form.files):
            return form
    nearest = max(FORMS, key=lambda form: len(present.intersection(form.files)))
    if present.isdisjoint(nearest.files):
        raise DataError(f"{folder} holds no MovieLens; expected the files of {_every_form()}{_inside(folder)}")
    absent = ", ".join(name for name in nearest.files if name not in present)
    raise DataError(f"{folder} looks like {nearest.name} but lacks {absent}; unpack the whole download")


def _every_form() -> str:
    return ", or ".join(f"{form.name} ({', '.join(form.files)})" for form in FORMS[:3])


def _inside(folder: Path) -> str:
    """Point to a folder in the folder: archives unpack into one."""
    for inner in sorted(path for path in folder.iterdir() if path.is_dir()):
        names = {path.name for path in inner.iterdir()}
        if any(names.issuperset(form.files) for form in FORMS):
            return f"; did you mean {inner}?"
    return ""
