"""Clicks of a position-based model whose examination is known, and arms whose means are."""

import numpy as np
import pyarrow as pa

EXAMINATION = 1 / np.arange(1, 5) ** 0.8


def simulated_clicks(seed: int, users: int = 120, requests: int = 8) -> pa.Table:
    """Show users 4 of 12 items, the better ones further up as a rule; a click is a look times relevance."""
    generator = np.random.default_rng(seed)
    relevance = 1 / (1 + np.exp(-generator.normal(-0.5, 1, (users, 12))))
    user = np.repeat(np.arange(users), requests)
    wish = 3 * np.log(relevance[user]) + generator.gumbel(size=(len(user), 12))
    items = np.argsort(-wish, axis=1)[:, : len(EXAMINATION)]
    liked = np.take_along_axis(relevance[user], items, axis=1)
    return pa.table(
        {
            "user_id": np.repeat(user, len(EXAMINATION)),
            "item_id": items.ravel(),
            "rank": np.tile(np.arange(1, len(EXAMINATION) + 1), len(user)),
            "clicked": (generator.random(liked.shape) < liked * EXAMINATION).astype(np.float64).ravel(),
            "rank_score": liked.ravel().astype(np.float32),
        }
    )


def arm_rows(generator: np.random.Generator, users: int, lift: float = 0.0, noise: float = 0.5) -> pa.Table:
    """Return rows of two arms, split by user; users differ in how much they see and like, more than rows do."""
    is_treated = np.arange(users) % 2 == 1
    taste = generator.normal(0, noise, users)
    rows = np.repeat(np.arange(users), 1 + generator.geometric(0.2, users))
    labels = 1.0 + taste[rows] + lift * is_treated[rows] + generator.normal(0, 1, len(rows))
    arms = np.where(is_treated[rows], "treatment", "control")
    return pa.table({"user_id": rows, "arm": arms, "stars": labels})
