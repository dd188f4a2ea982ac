"""What a look at single columns of impressions tells, before all of them are joined: whether that can be worth it."""

from datetime import datetime

import numpy as np

from polyrank.attribution.instants import InstantColumn
from polyrank.files import Wanted, scan
from polyrank.signature import REQUEST_SUFFIX

from .cutting import moment
from .settings import Loop

SHOWN_AT, MODEL, VERSION = "shown_at", "model", "version"
"""Columns of impressions."""


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

    names, count = pa.array([loop.model, loop.model + REQUEST_SUFFIX]), 0
    for piece in scan(loop.path(loop.settings.rows.impressions), Wanted(columns=(MODEL, VERSION))):
        of_model = pc.is_in(piece.table[MODEL].cast(pa.string()), names)
        of_version = pc.equal(piece.table[VERSION].cast(pa.string()), str(version))
        count += pc.sum(pc.and_(of_model, of_version)).as_py() or 0
    return count
