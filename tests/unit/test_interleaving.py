"""Interleaved lists: who wins one, shares of wins, and how sure they are."""

import msgspec
import numpy as np
import pyarrow as pa
import pytest
from joins import SHOP
from scipy import stats

from polyrank.errors import DataError
from polyrank.experiments import Wins, compare_interleaved

CLICKS = msgspec.structs.replace(SHOP, tasks=SHOP.tasks[:1])


def lists(*rows: tuple[str, int, str, float | None]) -> pa.Table:
    """Return rows of (request, user, arm, label)."""
    names = ("request_id", "user_id", "arm", "clicked")
    return pa.table({name: list(column) for name, column in zip(names, zip(*rows, strict=True), strict=True)})


def only(rows: pa.Table) -> Wins:
    (found,) = compare_interleaved(CLICKS, rows).found
    return found


def test_a_list_is_won_by_the_larger_sum_of_labels() -> None:
    found = only(
        lists(
            *(("r", 1, "a", 0.0), ("r", 1, "b", 1.0)),
            *(("s", 2, "a", 1.0), ("s", 2, "b", 1.0), ("s", 2, "b", 1.0)),
            *(("t", 2, "a", 1.0), ("t", 2, "b", 0.0)),
            *(("u", 3, "a", 1.0), ("u", 3, "b", 1.0)),
        )
    )
    assert (found.requests, found.wins, found.losses, found.share) == (4, 2, 1, 2 / 3)
    assert (found.users_for, found.users_against) == (1, 0)


def test_a_list_of_one_arm_does_not_count() -> None:
    found = only(lists(("r", 1, "a", 1.0), ("s", 1, "b", 1.0)))
    assert (found.requests, found.share, found.interval, found.p_value) == (0, None, None, 1.0)


def test_an_item_without_a_label_does_not_count() -> None:
    found = only(lists(("r", 1, "a", 1.0), ("r", 1, "b", None)))
    assert found.requests == 0


def many(seed: int, share: float, users: int = 80) -> pa.Table:
    """Return lists of two items, one of each arm, of which one is clicked; users lean to an arm."""
    generator = np.random.default_rng(seed)
    leaning = generator.beta(4 * share, 4 * (1 - share), users)
    user = np.repeat(np.arange(users), 10)
    is_won = (generator.random(len(user)) < leaning[user]).astype(float)
    return pa.table(
        {
            "request_id": np.repeat(np.arange(len(user)), 2),
            "user_id": np.repeat(user, 2),
            "arm": ["a", "b"] * len(user),
            "clicked": np.column_stack([1 - is_won, is_won]).ravel(),
        }
    )


def test_the_sign_test_is_of_users() -> None:
    found = only(many(0, 0.6))
    assert found.p_value == pytest.approx(
        stats.binomtest(found.users_for, found.users_for + found.users_against).pvalue
    )


def test_shares_are_within_their_intervals_as_often_as_they_say() -> None:
    held = []
    for seed in range(200):
        interval = only(many(seed, 0.6)).interval
        assert interval is not None
        held.append(interval[0] <= 0.6 <= interval[1])
    assert 0.91 <= np.mean(held) <= 0.99


def test_a_better_arm_differs() -> None:
    found = compare_interleaved(CLICKS, many(0, 0.8))
    assert found.differs(found.found[0])


def test_requests_must_be_there() -> None:
    with pytest.raises(DataError, match="column 'request_id' is missing"):
        compare_interleaved(CLICKS, many(0, 0.5).drop_columns(["request_id"]))
