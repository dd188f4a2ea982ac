"""What a graph over requests is compared with: the trained model's answers to rows that repeat the user."""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from polyrank.encoder import Batch
from polyrank.halves import halves_of
from polyrank.models import TrainedRanker
from polyrank.models.request import SMALLEST_ANSWER
from polyrank.models.trained import predict
from polyrank.signature import SCORE, Request

from .answers import Answers
from .movement import movement
from .parity import Expectation
from .probes import Probe, make_probes
from .request_graph import request_tensors

USERS = (0, 1, 2)
"""Rows of each kind whose user asks; of those of the sample the second has every value missing."""

NUM_ITEMS = (1, 2, 33, 1000)


def request_expectations(ranker: TrainedRanker, request: Request) -> list[Expectation]:
    """Ask the model for the answers to requests of several users with several numbers of items."""
    return [found for probe in make_probes(ranker) for found in _of_probe(ranker, request, probe)]


def expected_request(
    ranker: TrainedRanker, request: Request, user: Batch, items: Batch, *, scored: int = 0
) -> tuple[dict[str, NDArray[np.generic]], Answers]:
    """Return the tensors of a request, and what the model answers.

    The score is that of one task alone, `scored` of those with a weight: of several it would differ by more than each,
    and by far more in a product.
    """
    weights = np.zeros(len(request.weighted), np.float32)
    weights[scored] = 1.0
    answers = predict(ranker.model, tiled(ranker, user, items), as_served=True)
    score = answers[request.weighted[scored]]
    score = np.maximum(score, np.float32(SMALLEST_ANSWER)) if request.combination == "product" else score
    return request_tensors(ranker.schema, user, items, weights), answers | {SCORE: score}


def tiled(ranker: TrainedRanker, user: Batch, items: Batch) -> Batch:
    """Return the rows of items with the user's half of a row."""
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


def _of_probe(ranker: TrainedRanker, request: Request, probe: Probe) -> Iterator[Expectation]:
    # Each task's place in the score is looked at once at least.
    places = range(max(len(USERS), len(request.weighted))) if probe.is_strict else USERS
    for place in places:
        user = probe.rows[np.array([place % len(probe.rows)])]
        for size in NUM_ITEMS if probe.is_strict else (len(probe.rows),):
            items = probe.batch(size)
            inputs, answers = expected_request(ranker, request, user, items, scored=place % len(request.weighted))
            if probe.is_strict:
                yield Expectation(f"{probe.name} of user {place}", inputs, size, answers, None)
            else:  # the score of an answer off the scale says nothing that it does not
                del answers[SCORE]
                moved = movement(ranker.model, tiled(ranker, user, items))
                yield Expectation(f"{probe.name} of user {place}", inputs, size, answers, moved)
