"""What every form of MovieLens says of a movie, in one table."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pyarrow as pa

# "Toy Story (1995)"; straight-to-video and television films have a mark behind the year.
TITLE = r"^(?P<title>.*?)\s*\((?P<year>[0-9]{4})\)(?:\s*\((?:V|TV)\))?\s*$"


def movie_table(
    ids: "pa.ChunkedArray",
    titles: "pa.ChunkedArray",
    genres: Sequence[Sequence[str]],
    years: "pa.ChunkedArray | None" = None,
) -> "pa.Table":
    """Return `movie_id`, `title`, `release_year` and `genres`, one row per movie.

    Args:
        ids: int64.
        titles: text, with the year in brackets at its end or not.
        genres: lists of text.
        years: text, for titles that have no year; what is not four digits is unknown.
    """
    import pyarrow as pa
    import pyarrow.compute as pc

    found = pc.extract_regex(titles, TITLE)
    year = pc.struct_field(found, "year")
    if years is not None:
        is_year = pc.match_substring_regex(years, "^[0-9]{4}$")
        year = pc.coalesce(year, pc.if_else(is_year, years, pa.scalar(None, pa.string())))
    return pa.table(
        {
            "movie_id": ids,
            "title": pc.coalesce(pc.struct_field(found, "title"), titles),
            "release_year": year.cast(pa.int64()),
            "genres": pa.array(genres, pa.list_(pa.string())),
        }
    )
