"""Visits and what came of them, as rows of a log."""

from typing import TYPE_CHECKING

import numpy as np

from .catalog import Catalog
from .funnel import make_outcomes
from .history import ClickHistory
from .shoppers import Shoppers
from .visits import Visits, hour_of
from .words import DEVICES, SEGMENTS, named

if TYPE_CHECKING:
    import pyarrow as pa


def row_batch(
    visits: Visits, catalog: Catalog, shoppers: Shoppers, history: ClickHistory, generator: np.random.Generator
) -> "pa.RecordBatch":
    """Let the users click, rate and buy; return the rows."""
    import pyarrow as pa

    outcomes = make_outcomes(visits, catalog, shoppers, generator)
    shown = catalog.shown.take(pa.array(visits.item)).combine_chunks()
    item_id = visits.item + 1
    columns = {
        "time_s": visits.time_s,
        "hour": hour_of(visits.time_s),
        "user_id": visits.user + 1,
        "segment": named(SEGMENTS, shoppers.segment[visits.user]),
        "device": named(DEVICES, visits.device),
        "position": visits.position,
        "item_id": item_id,
        **{name: shown[name].chunk(0) for name in shown.column_names},
        "history": history.advance(visits.user, visits.time_s, item_id, outcomes.click),
        "click": outcomes.click.astype(np.int8),
        "rating": pa.array(outcomes.rating.astype(np.int8), mask=~outcomes.click),
        "purchase": outcomes.purchase.astype(np.int8),
        "true_click": outcomes.true_click,
        "true_rating": outcomes.true_rating,
        "true_purchase": outcomes.true_purchase,
    }
    return pa.RecordBatch.from_pydict(columns)
