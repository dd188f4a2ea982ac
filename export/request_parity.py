"""Does the graph over requests answer like the trained model to rows that repeat the user?"""

from typing import Any

import numpy as np

from polyrank.encoder import Batch
from polyrank.halves import halves_of
from polyrank.models import TrainedRanker
from polyrank.models.trained import predict

from .parity import Difference, difference, run_session, sample_rows
from .request_graph import request_tensors

USERS = (0, 1, 2)
"""Of the rows that parity is proven on: the second has every value missing."""

NUM_ITEMS = (1, 2, 33, 1000)


def compare_requests(ranker: TrainedRanker, session: Any) -> tuple[Difference, ...]:
    """Return the largest difference of each task for each user and number of items."""
    rows = sample_rows(ranker, max(NUM_ITEMS))
    found = []
    for user in USERS:
        for count in NUM_ITEMS:
            items = rows[:count]
            answers = run_session(session, request_tensors(ranker.schema, rows[user : user + 1], items))
            expected = predict(ranker.model, tiled(ranker, rows[user : user + 1], items))
            found += [
                Difference(task=name, batch_size=count, difference=difference(answers[name], expected[name]))
                for name in expected
            ]
    return tuple(found)


def tiled(ranker: TrainedRanker, user: Batch, items: Batch) -> Batch:
    """Return the rows of items with the user's columns of a row."""
    half, _ = halves_of(ranker.schema)
    repeated = np.zeros(len(items), np.int64)
    ids, dense = items.ids.copy(), items.dense.copy()
    ids[:, half.id_columns] = user.ids[repeated][:, half.id_columns]
    dense[:, half.dense_columns] = user.dense[repeated][:, half.dense_columns]
    if items.weights is None or user.weights is None:
        return Batch(ids, dense)
    weights = items.weights.copy()
    weights[:, half.weight_columns] = user.weights[repeated][:, half.weight_columns]
    return Batch(ids, dense, weights)
