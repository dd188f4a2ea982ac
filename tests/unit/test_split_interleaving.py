"""Team-draft interleaving: fair by construction, replayed by request id, and what is logged of it."""

import asyncio
import logging
import threading
from collections import Counter
from pathlib import Path
from typing import Any, cast

import pyarrow as pa
import pytest
from artefacts import shown
from artefacts.ranked_orders import AsyncOrderedRanker, OrderedRanker
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from polyrank.errors import ConfigError, DataError, ServerUnavailableError
from polyrank.serving import AsyncSplit, ImpressionLog, Split, team_draft

SPLIT = {"shares": {"old": 0.5, "new": 0.5}, "salt": "2026-11-ctr", "user": "user"}
ORDERS = st.lists(st.integers(0, 12), unique=True, max_size=12)


def split_of(old: OrderedRanker, new: OrderedRanker, **arguments: Any) -> Split:
    """Return a split of two rankers."""
    return Split(cast("Any", {"old": old, "new": new}), **{**SPLIT, **arguments})


@pytest.fixture
def split() -> Split:
    """Two rankers with opposite orders."""
    return split_of(OrderedRanker([0, 1, 2, 3], "1"), OrderedRanker([3, 2, 1, 0], "2"))


def by_hand(first: list[int], second: list[int], top_k: int, coins: list[bool]) -> list[tuple[int, int]]:
    """Draft as the paper says it: item by item, with the teams written out."""
    shown_items: list[int] = []
    drafted: list[tuple[int, int]] = []
    teams: tuple[list[int], list[int]] = ([], [])
    while len(drafted) < top_k:
        left = [[item for item in ranking if item not in shown_items] for ranking in (first, second)]
        if not left[0] and not left[1]:
            break
        begins = 0 if coins[len(teams[0])] else 1
        smaller = begins if len(teams[0]) == len(teams[1]) else int(len(teams[0]) > len(teams[1]))
        team = smaller if left[smaller] else 1 - smaller
        item = left[team][0]
        shown_items.append(item)
        teams[team].append(item)
        drafted.append((team, (first, second)[team].index(item)))
    return drafted


@given(first=ORDERS, second=ORDERS, top_k=st.integers(0, 15), coins=st.lists(st.booleans(), min_size=26, max_size=26))
def test_draft_is_that_of_the_paper(first: list[int], second: list[int], top_k: int, coins: list[bool]) -> None:
    assert team_draft((first, second), top_k, coins.__getitem__) == by_hand(first, second, top_k, coins)


@given(order=st.permutations(range(8)), other=st.permutations(range(8)), coins=st.tuples(*[st.booleans()] * 4))
def test_teams_differ_by_one_item_at_most(order: list[int], other: list[int], coins: tuple[bool, ...]) -> None:
    sizes = Counter(team for team, _ in team_draft((order, other), 7, coins.__getitem__))
    assert abs(sizes[0] - sizes[1]) == 1


def test_list_takes_the_best_of_both(split: Split) -> None:
    answer = split.interleave(shown.USER, split.items(shown.CATALOG, key="sku"), top_k=2, request_id="r")
    assert sorted(answer["sku"].to_pylist()) == ["a", "d"]
    assert dict(zip(answer["sku"].to_pylist(), answer["arm"].to_pylist(), strict=True)) == {"a": "old", "d": "new"}


def test_list_without_a_length_has_all_items_once(split: Split) -> None:
    answer = split.interleave(shown.USER, shown.CATALOG)
    assert sorted(answer["item"].to_pylist()) == [0, 1, 2, 3]


def test_scores_are_those_of_the_arm(split: Split) -> None:
    answer = split.interleave(shown.USER, shown.CATALOG, top_k=2)
    assert answer.column_names == ["item", "score", "click", "buy", "arm"]
    expected = [0.11 * item for item in answer["item"].to_pylist()]
    assert answer["score"].to_pylist() == pytest.approx(expected)


def test_list_of_a_request_is_made_again(split: Split) -> None:
    items = split.items(shown.CATALOG, key="sku")
    lists = [[split.interleave(shown.USER, items, request_id=str(each)) for each in range(20)] for _ in range(2)]
    assert all(one.equals(other) for one, other in zip(*lists, strict=True))


def test_arms_begin_equally_often(split: Split) -> None:
    items = split.items(shown.CATALOG, key="sku")
    firsts = Counter(
        split.interleave(shown.USER, items, top_k=1, request_id=f"r-{each}")["arm"][0].as_py() for each in range(2000)
    )
    assert stats.binomtest(firsts["old"], 2000).pvalue > 1e-3


def test_both_arms_are_asked_side_by_side() -> None:
    meeting = threading.Barrier(2, timeout=20)

    class Meeting(OrderedRanker):
        def rank(self, *arguments: Any, **options: Any) -> pa.Table:
            meeting.wait()
            return super().rank(*arguments, **options)

    split = split_of(Meeting(), Meeting())
    assert split.interleave(shown.USER, shown.CATALOG).num_rows == 4


def test_both_arms_get_the_request_id() -> None:
    rankers = OrderedRanker(), OrderedRanker()
    answer = split_of(*rankers).interleave(shown.USER, shown.CATALOG)
    asked = {each.asked[0]["request_id"] for each in rankers}
    assert asked == {answer.schema.metadata[b"polyrank.request_id"].decode()}


def test_log_says_which_arm_an_item_came_from(tmp_path: Path) -> None:
    with ImpressionLog(tmp_path) as log:
        split = split_of(OrderedRanker([0, 1, 2, 3], "1"), OrderedRanker([3, 2, 1, 0], "2"), log=log)
        answer = split.interleave(shown.USER, split.items(shown.CATALOG, key="sku"), request_id="r")
    rows = sorted(shown.rows(tmp_path).to_pylist(), key=lambda row: row["rank"])
    assert [row["rank"] for row in rows] == [1, 2, 3, 4]
    assert [(row["sku"], row["arm"]) for row in rows] == list(
        zip(answer["sku"].to_pylist(), answer["arm"].to_pylist(), strict=True)
    )
    assert {(row["arm"], row["version"], row["request_id"]) for row in rows} == {("old", "1", "r"), ("new", "2", "r")}
    assert [row["rank_score"] for row in rows] == answer["score"].to_pylist()


def test_part_of_a_list_is_logged_in_its_places(tmp_path: Path) -> None:
    with ImpressionLog(tmp_path) as log:
        split = split_of(OrderedRanker([0, 1, 2, 3], "1"), OrderedRanker([3, 2, 1, 0], "2"), log=log)
        items = split.items(shown.CATALOG, key="sku")
        answer = split.interleave(shown.USER, items, logs=False)
        split.shown(answer.take([3, 1, 0]), user=shown.USER, items=items)
    rows = sorted(shown.rows(tmp_path).to_pylist(), key=lambda row: row["rank"])
    assert [row["sku"] for row in rows] == answer.take([3, 1, 0])["sku"].to_pylist()
    assert [row["rank"] for row in rows] == [1, 2, 3]


@pytest.mark.parametrize("failing", ["old", "new"])
def test_arm_that_fails_leaves_the_list_to_the_other(
    tmp_path: Path, failing: str, caplog: pytest.LogCaptureFixture
) -> None:
    rankers = {"old": OrderedRanker([0, 1, 2, 3], "1"), "new": OrderedRanker([3, 2, 1, 0], "2")}
    rankers[failing].fails = ServerUnavailableError("no server answers")
    with ImpressionLog(tmp_path) as log:
        split = split_of(**rankers, log=log)
        items = split.items(shown.CATALOG, key="sku")
        for _ in range(3):
            answer = split.interleave(shown.USER, items, top_k=1)
    assert answer["sku"].to_pylist() == (["d"] if failing == "old" else ["a"])
    assert set(shown.rows(tmp_path)["arm"].to_pylist()) == {None}
    warned = [record.getMessage() for record in caplog.records if record.levelno == logging.WARNING]
    assert warned == [f"arm {failing!r} does not answer, and lists are not interleaved: no server answers"]


def test_error_is_told_where_both_arms_fail() -> None:
    broken = [OrderedRanker(fails=ServerUnavailableError(f"{name} is away")) for name in ("old", "new")]
    with pytest.raises(ServerUnavailableError, match="old is away"):
        split_of(*broken).interleave(shown.USER, shown.CATALOG)


def test_async_split_interleaves_too(split: Split) -> None:
    async def ask() -> pa.Table:
        orders = {"old": OrderedRanker([0, 1, 2, 3], "1"), "new": OrderedRanker([3, 2, 1, 0], "2")}
        arms = {arm: AsyncOrderedRanker(ranker) for arm, ranker in orders.items()}
        made = AsyncSplit(cast("Any", arms), **cast("Any", SPLIT))
        return await made.interleave(shown.USER, shown.CATALOG, request_id="r")

    assert asyncio.run(ask()).equals(split.interleave(shown.USER, shown.CATALOG, request_id="r"))


def test_interleaving_of_three_arms_is_refused() -> None:
    arms = cast("Any", {name: OrderedRanker() for name in "abc"})
    split = Split(arms, shares={"a": 0.5, "b": 0.25, "c": 0.25}, salt="s", user="user")
    with pytest.raises(ConfigError, match="interleave compares two arms, got 3; make a Split of two"):
        split.interleave(shown.USER, shown.CATALOG)


def test_key_named_arm_is_refused(split: Split) -> None:
    catalog = shown.CATALOG.rename_columns(["item", "price", "arm", "more"])
    with pytest.raises(DataError, match="answers have a column 'arm' already; rename that key or task"):
        split.interleave(shown.USER, split.items(catalog, key="arm"))


def test_wrong_length_is_refused(split: Split) -> None:
    with pytest.raises(ConfigError, match="top_k must be 1 or above, got 0"):
        split.interleave(shown.USER, shown.CATALOG, top_k=0)
