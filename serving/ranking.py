"""One user with many items: the tensors of a request, the score that combines tasks, the best items."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from polyrank.encoder import Batch
from polyrank.errors import DataError
from polyrank.score_weights import score_weights
from polyrank.signature import SCORE, TASK_WEIGHTS
from polyrank.spelling import suggestion

from .items import ITEM, Items
from .origins import Origin
from .served import Served

if TYPE_CHECKING:
    import pyarrow as pa

Floats = NDArray[np.float32]
User = Any
"""Mapping[str, object], or a table or frame of one row."""


def user_row(user: User) -> Mapping[str, Any]:
    """Return a user as a dict.

    Raises:
        DataError: it is neither a dict nor a table of one row.
    """
    if isinstance(user, Mapping):
        return user
    if hasattr(user, "to_pylist"):
        rows = user.to_pylist()
    elif hasattr(user, "to_dicts"):
        rows = user.to_dicts()
    elif hasattr(user, "to_dict") and hasattr(user, "iloc"):
        rows = user.to_dict("records") if hasattr(user, "columns") else [user.to_dict()]  # a frame, or one row of it
    else:
        raise DataError(f"user must be a dict, or a table of one row, got {type(user).__name__}")
    if len(rows) != 1:
        raise DataError(f"user must be one row, got {len(rows)}")
    row: Mapping[str, Any] = rows[0]
    return row


def user_batch(served: Served, row: Mapping[str, Any]) -> Batch:
    """Encode the user's half of a row, (1, ·).

    Raises:
        DataError: a feature's value is missing or wrong.
    """
    encoder = served.user_encoder
    if encoder is None:  # the model has features of items alone
        return Batch(np.empty((1, 0), np.int64), np.empty((1, 0), np.float32))
    for name in encoder.columns:
        if name not in row:
            raise DataError(
                f"the user lacks {name!r}, a feature of model {served.model!r}{suggestion(name, list(row))}; "
                "None stands for a missing value"
            )
    return encoder.encode([dict(row)])


def task_weights(served: Served, weights: Mapping[str, float] | None) -> Floats:
    """Return the weight of each task with one answer, float32 (K,): 0 of those left out, and 1 of all by default.

    Raises:
        ConfigError: a name is no such task, or a weight is no number within the limits.
    """
    found = score_weights(served.model, served.weighted, weights)
    return np.array([found[name] for name in served.weighted], np.float32)


def request_tensors(user: Batch, items: Batch, weights: Floats) -> dict[str, NDArray[Any]]:
    """Return the tensors of the wire contract of one user and items, without those that have no column."""
    halves = {"user": user.named(), "item": items.named()}
    named = {f"{half}_{name}": tensor for half, tensors in halves.items() for name, tensor in tensors.items()}
    return named | {TASK_WEIGHTS: weights}


def tiled(served: Served, user: Batch, items: Batch) -> Batch:
    """Return whole rows: those of items, each with the user's half."""
    of_user, of_item = served.halves
    count = len(items)
    ids = np.empty((count, len(of_user.id_columns) + len(of_item.id_columns)), np.int64)
    _fill(ids, of_user.id_columns, user.ids, of_item.id_columns, items.ids)
    dense = np.empty((count, len(of_user.dense_columns) + len(of_item.dense_columns)), np.float32)
    _fill(dense, of_user.dense_columns, user.dense, of_item.dense_columns, items.dense)
    width = len(of_user.weight_columns) + len(of_item.weight_columns)
    if width == 0:
        return Batch(ids, dense)
    weights = np.empty((count, width), np.float32)
    _fill(weights, of_user.weight_columns, user.weights, of_item.weight_columns, items.weights)
    return Batch(ids, dense, weights)


def _fill(
    into: NDArray[Any],
    user_columns: Sequence[int],
    user: NDArray[Any] | None,
    item_columns: Sequence[int],
    items: NDArray[Any] | None,
) -> None:
    if user is not None and user_columns:
        into[:, user_columns] = user
    if items is not None and item_columns:
        into[:, item_columns] = items


def weighted_sum(served: Served, answers: Mapping[str, Floats], weights: Floats) -> Floats:
    """Combine the answers of tasks, (N, 1) each, as the graph over requests does: float32 (N, 1)."""
    return np.hstack([answers[name] for name in served.weighted]) @ weights[:, None]


def best(score: Floats, top_k: int | None, excluded: NDArray[np.int64] | None) -> NDArray[np.int64]:
    """Return the places of the best items, int64 (at most k,): of equal ones the first comes first.

    Args:
        score: float32 (N,).
        top_k: how many, 1 or more; None all.
        excluded: places that are left out.
    """
    if excluded is not None and len(excluded):
        kept = np.ones(len(score), bool)
        kept[excluded] = False
        places = np.flatnonzero(kept)
        return places[best(score[places], top_k, None)]
    falling = -score
    if top_k is None or top_k >= len(score):
        return np.argsort(falling, kind="stable")
    limit = np.partition(falling, top_k - 1)[top_k - 1]
    if np.isnan(limit):
        return np.argsort(falling, kind="stable")[:top_k]
    candidates = np.flatnonzero(falling <= limit)  # more than k where several have the last one's score
    return candidates[np.argsort(falling[candidates], kind="stable")][:top_k]


def ranked(
    served: Served, items: Items, places: NDArray[np.int64], answers: Mapping[str, Floats], origin: Origin
) -> "pa.Table":
    """Return the table that a user gets of the best items, in the order of `places`."""
    import pyarrow as pa

    scores = [column_of(answers[name][places]) for name in (SCORE, *served.widths)]
    keys = [] if items.key is None else [items.keys(places)]
    names = ITEM, *([] if items.key is None else [items.key]), SCORE
    columns = [pa.array(places), *keys, *scores]
    schema = served.answers_after(names, tuple(c.type for c in columns[: len(names)]))
    table = pa.Table.from_arrays(columns, schema=schema)
    return table.replace_schema_metadata(served.metadata | origin.written())


def column_of(values: Floats) -> "pa.Array":
    """Return answers (B, 1) as a column of numbers, (B, C) as one of lists."""
    import pyarrow as pa

    # The memory itself: pa.array takes 13 µs to find out that it can be used as it is.
    # HTTP may leave it at an odd address, which Arrow does not allow.
    memory = values if values.flags.c_contiguous and values.flags.aligned else values.copy()
    numbers = pa.Array.from_buffers(pa.float32(), values.size, [None, pa.py_buffer(memory)])
    return numbers if values.shape[1] == 1 else pa.FixedSizeListArray.from_arrays(numbers, values.shape[1])
