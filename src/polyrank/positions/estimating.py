"""Estimates the examination of ranks."""

import math
from statistics import NormalDist
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from polyrank.arguments import instance
from polyrank.errors import DataError
from polyrank.schema import Schema

from .options import Method, PositionOptions
from .pairs import MIN_CLICKS, Logs, estimate_by_pairs, harvested, tells_enough
from .reading import PositionColumns, check_clicks, read_rows, read_scores, wanted_of
from .regression import estimate_by_regression
from .results import Positions, RankExamination
from .shown_rows import RankedRows

if TYPE_CHECKING:
    import pyarrow as pa


def estimate(schema: Schema, rows: "pa.Table", options: PositionOptions | None = None) -> Positions:
    """Estimate how likely each place in a list is looked at, as a share of how likely the first is.

    A click is taken for a look times relevance, where looks depend on the place alone.

    Args:
        schema: says which column is the label, and which are users and items.
        rows: joined rows.
        options: which task, and how.

    Raises:
        ConfigError: `options` is no `PositionOptions`, or one of them does not fit the schema.
        DataError: a column is missing or holds a wrong value, or rows tell too little.
    """
    options = PositionOptions() if options is None else options
    instance("options", options, PositionOptions, "PositionOptions(...)")
    wanted = wanted_of(schema, options)
    found, kept = read_rows(schema, rows, wanted, options.max_rank)
    method, used, logs = _estimated(found, kept, rows, wanted, options)
    return Positions(
        task=wanted.task.name,
        method=method,
        confidence=options.confidence,
        limit=float(options.limit),
        users=used.num_users,
        rows=len(used),
        ranks=_ranks(used, logs, options.confidence),
    )


def _estimated(
    found: RankedRows, kept: NDArray[np.int64], rows: "pa.Table", wanted: PositionColumns, options: PositionOptions
) -> tuple[Method, RankedRows, Logs]:
    several = harvested(found)
    if options.method != "em" and tells_enough(several):
        return "pairs", several, estimate_by_pairs(several)
    few = (
        f"items shown to one user at two ranks or more have fewer than {MIN_CLICKS} labels of 1 at a rank, "
        "or no chain of pairs from the first"
    )
    if options.method == "pairs":
        raise DataError(f"{few}; give more rows, lower max_rank, or take method em")
    scores = read_scores(rows, wanted)
    if scores is None:
        reason = "" if options.method == "em" else f"{few}, and "
        raise DataError(f"{reason}rows have no column of scores; name one with score")
    scores = scores[kept]
    known = ~np.isnan(scores)
    used = found[known]
    check_clicks(used, wanted, " in rows with a score")
    return "em", used, estimate_by_regression(used, scores[known])


def _ranks(rows: RankedRows, logs: Logs, confidence: float) -> tuple[RankExamination, ...]:
    shown = np.bincount(rows.ranks, minlength=rows.num_ranks)
    clicks = np.bincount(rows.ranks, rows.clicks, rows.num_ranks)
    reach = NormalDist().inv_cdf((1 + confidence) / 2) * logs.errors
    known = rows.num_users > 1
    return tuple(
        RankExamination(
            rank=place + 1,
            examination=math.exp(log),
            interval=(math.exp(log - reach[place]), math.exp(log + reach[place])) if place and known else None,
            impressions=int(shown[place]),
            clicks=int(clicks[place]),
        )
        for place, log in enumerate(logs.values)
    )
