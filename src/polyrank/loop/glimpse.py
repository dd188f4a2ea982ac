"""What a look at single columns of impressions tells, before all of them are joined: whether that can be worth it."""

from datetime import datetime
from typing import TYPE_CHECKING

import numpy as np

from polyrank.attribution.instants import InstantColumn
from polyrank.files import Wanted, scan
from polyrank.impressions import MODEL, SHOWN_AT, VERSION
from polyrank.signature import REQUEST_SUFFIX

from .cutting import moment
from .settings import Loop

if TYPE_CHECKING:
    import pyarrow as pa


def num_since(loop: Loop, begins: datetime) -> int:
    """Count the impressions that were shown since a time.

    Raises:
        DataError: they cannot be read, or do not say when they were shown.
    """
    times, count = InstantColumn(SHOWN_AT, loop.schema), 0
    for piece in scan(loop.path(loop.settings.rows.impressions), Wanted(columns=(SHOWN_AT,))):
        with piece.named():
            count += int(np.count_nonzero(times.read(piece.table[SHOWN_AT]) >= moment(begins)))
    return count


def num_with(loop: Loop, version: int) -> int:
    """Count the impressions of a version of the model.

    Raises:
        DataError: they cannot be read, or do not name model and version.
    """
    import pyarrow as pa
    import pyarrow.compute as pc

    count = 0
    for piece in scan(loop.path(loop.settings.rows.impressions), Wanted(columns=(MODEL, VERSION))):
        of_version = pc.equal(piece.table[VERSION].cast(pa.string()), str(version))
        count += pc.sum(pc.and_(of_model(loop, piece.table), of_version)).as_py() or 0
    return count


def of_model(loop: Loop, shown: "pa.Table") -> "pa.ChunkedArray":
    """Mark the impressions of the model, of rows and of requests, bool [B]."""
    import pyarrow as pa
    import pyarrow.compute as pc

    return pc.is_in(shown[MODEL].cast(pa.string()), pa.array([loop.model, loop.model + REQUEST_SUFFIX]))
