"""KuaiRand-Pure, six days of short-video logs: interactions joined with users and videos.

Gao et al., KuaiRand: An Unbiased Sequential Recommendation Dataset with Randomly Exposed Videos, CIKM 2022.
"""

from pathlib import Path
from typing import TYPE_CHECKING

from polyrank.arguments import path
from polyrank.errors import DataError
from polyrank.train.sources import read_rows

from .joins import attach

if TYPE_CHECKING:
    import pyarrow as pa

OUTCOMES = ("play_time_ms", "is_click", "long_view", "is_like", "is_follow", "is_comment", "is_forward")
"""Columns that are known only after the video was shown: labels, never features."""


def load(folder: str | Path) -> "pa.Table":
    """Join the three Parquet files of `folder` into one row per interaction, oldest first.

    Adds `watch_ratio`, play time over duration; null where the duration is 0.

    Raises:
        DataError: a file is missing or damaged, or names a user or video that its table lacks.
    """
    folder = path("folder", folder)
    needed = ("time_ms", "user_id", "video_id", "play_time_ms", "duration_ms")
    table = _read(folder / "interactions.parquet", *needed).sort_by("time_ms")
    table = attach(table, _read(folder / "users.parquet", "user_id"), "user_id")
    table = attach(table, _read(folder / "videos.parquet", "video_id"), "video_id")
    return table.append_column("watch_ratio", _watch_ratio(table))


def schema_name(_: "pa.Table") -> str:
    """Return the name of the shipped schema."""
    return "kuairand"


def _read(file: Path, *needed: str) -> "pa.Table":
    table = read_rows(file)
    for name in needed:
        if name not in table.column_names:
            raise DataError(f"{file}: column {name!r} is missing; is this KuaiRand?")
    return table


def _watch_ratio(table: "pa.Table") -> "pa.ChunkedArray":
    import pyarrow as pa
    import pyarrow.compute as pc

    duration = table["duration_ms"].cast(pa.float64())
    known = pc.if_else(pc.greater(duration, 0.0), duration, pa.scalar(None, pa.float64()))
    return pc.divide(table["play_time_ms"].cast(pa.float64()), known)
