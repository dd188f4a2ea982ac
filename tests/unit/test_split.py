"""Which arm users are in, that shares may grow, and what is logged."""

import asyncio
import itertools
import math
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest
import xxhash
from artefacts import shown
from artefacts.ranked_orders import AsyncOrderedRanker, OrderedRanker
from scipy import stats

from polyrank.errors import ConfigError, DataError, ServerUnavailableError
from polyrank.schema import Schema
from polyrank.serving import AsyncSplit, ImpressionLog, Split
from polyrank.serving.split.core import SplitItems
from polyrank.serving.split.shares import Shares

USERS = range(20_000)
HALVES = {"control": 0.5, "new": 0.5}
HAS = {"control": OrderedRanker([0, 1, 2, 3], "1"), "new": OrderedRanker([3, 2, 1, 0], "2")}


def split_of(arms: Mapping[str, Any] = HAS, **arguments: Any) -> Split:
    """Return a split by halves."""
    return Split(cast("Any", arms), **{"shares": HALVES, "salt": "2026-11-ctr", "user": "user", **arguments})


def arms(shares: Mapping[str, float], salt: str = "2026-11-ctr") -> list[str | None]:
    """Return the arm of each user."""
    drawn = Shares(shares, salt, "user")
    return [drawn.arm(user) for user in USERS]


def user_of(split: Split, arm: str) -> dict[str, Any]:
    """Return a user of an arm."""
    return {**shown.USER, "user": next(user for user in USERS if split.arm(user) == arm)}


@pytest.mark.parametrize(
    "shares",
    [{"control": 0.9, "new": 0.1}, HALVES, {"a": 0.2, "b": 0.3, "c": 0.5}, {"a": 0.01, "b": 0.495, "c": 0.495}],
)
def test_users_are_drawn_in_the_ratio_of_the_shares(shares: dict[str, float]) -> None:
    counts = Counter(arms(shares))
    expected = [share * len(USERS) for share in shares.values()]
    assert stats.chisquare([counts[arm] for arm in shares], expected).pvalue > 1e-3


@pytest.mark.parametrize("salts", list(itertools.combinations(["2026-11-ctr", "2026-11-ctr2", "a", "b"], 2)))
def test_experiments_of_other_salts_are_independent(salts: tuple[str, str]) -> None:
    pairs = Counter(zip(*(arms(HALVES, salt) for salt in salts), strict=True))
    table = np.array([[pairs[one, other] for other in HALVES] for one in HALVES])
    assert stats.chi2_contingency(table).pvalue > 1e-3


def test_share_of_nothing_has_nobody() -> None:
    assert set(arms({"control": 1.0, "new": 0.0})) == {"control"}


def test_users_stay_in_an_arm_that_grows() -> None:
    small, large = arms({"control": 0.9, "new": 0.1}), arms({"control": 0.8, "new": 0.2})
    assert {after for before, after in zip(small, large, strict=True) if before == "new"} == {"new"}
    assert Counter(large)["new"] > 1.5 * Counter(small)["new"]


def test_users_leave_for_an_arm_whose_share_grew_more_alone() -> None:
    before, after = arms({"a": 0.6, "b": 0.2, "c": 0.2}), arms({"a": 0.4, "b": 0.4, "c": 0.2})
    moved = {(one, other) for one, other in zip(before, after, strict=True) if one != other}
    assert moved == {("a", "b"), ("a", "c"), ("c", "b")}


def test_new_arm_takes_users_from_the_others_alone() -> None:
    before, after = arms({"a": 0.5, "b": 0.5}), arms({"a": 0.4, "b": 0.4, "c": 0.2})
    assert {other for one, other in zip(before, after, strict=True) if one != other} == {"c"}


def test_order_of_arms_does_not_matter() -> None:
    assert arms({"a": 0.3, "b": 0.7}) == arms({"b": 0.7, "a": 0.3})


def test_id_is_one_user_however_it_arrives() -> None:
    drawn = Shares(HALVES, "2026-11-ctr", "user")
    for user in range(100):
        assert len({drawn.arm(form) for form in (user, str(user), float(user), np.int32(user))}) == 1


def test_arm_follows_from_the_hash_as_documented() -> None:
    def score(arm: str, share: float, user: int) -> float:
        hashed = xxhash.xxh64(f"2026-11-ctr/{arm}/{user}".encode(), seed=42).intdigest() % 2**63
        return share / -math.log((hashed + 1) / 2**63)

    expected = ["new" if score("new", 0.1, user) > score("control", 0.9, user) else "control" for user in USERS]
    assert arms({"control": 0.9, "new": 0.1}) == expected


def test_ranker_of_the_arm_is_asked() -> None:
    split = split_of()
    items = split.items(shown.CATALOG, key="sku")
    for arm, order in {"control": "abcd", "new": "dcba"}.items():
        answer = split.rank(user_of(split, arm), items)
        assert "".join(answer["sku"].to_pylist()) == order
        assert answer.schema.metadata[b"polyrank.arm"].decode() == arm


def test_options_of_a_call_reach_the_ranker() -> None:
    ranker = OrderedRanker()
    split = split_of({"control": ranker}, shares={"control": 1})
    split.rank(shown.USER, shown.CATALOG, top_k=2, weights={"click": 2.0}, timeout_s=0.5, request_id="r")
    expected = {"top_k": 2, "request_id": "r", "weights": {"click": 2.0}, "exclude": None, "timeout_s": 0.5}
    assert ranker.asked == [{"user": shown.USER, **expected}]


def test_exposure_is_logged_with_its_arm(tmp_path: Path) -> None:
    with ImpressionLog(tmp_path) as log:
        split = split_of(log=log)
        items = split.items(shown.CATALOG, key="sku")
        for arm in HALVES:
            split.rank(user_of(split, arm), items, top_k=2)
    rows = shown.rows(tmp_path).select(["arm", "version", "rank", "sku"]).to_pylist()
    assert [tuple(row.values()) for row in rows] == [
        ("control", "1", 1, "a"),
        ("control", "1", 2, "b"),
        ("new", "2", 1, "d"),
        ("new", "2", 2, "c"),
    ]


def test_arms_may_have_other_features(tmp_path: Path) -> None:
    features = tuple(each for each in shown.SCHEMA.features if each.name not in ("price", "age"))
    other = OrderedRanker(version="2", schema=Schema(name="shop", features=features, tasks=shown.SCHEMA.tasks))
    with ImpressionLog(tmp_path) as log:
        split = split_of({"control": OrderedRanker(), "new": other}, log=log)
        items = split.items(shown.CATALOG, key="sku")
        for arm in HALVES:
            split.rank(user_of(split, arm), items, top_k=1)
    rows = {row["arm"]: row for row in shown.rows(tmp_path).to_pylist()}
    assert (rows["control"]["age"], rows["control"]["price"]) == (31.5, 1.5)
    assert (rows["new"]["age"], rows["new"]["price"]) == (None, None)


def test_what_is_shown_can_be_logged_later(tmp_path: Path) -> None:
    with ImpressionLog(tmp_path) as log:
        split = split_of(log=log)
        items = split.items(shown.CATALOG, key="sku")
        user = user_of(split, "new")
        answer = split.rank(user, items, logs=False)
        split.shown(answer.slice(1, 2), user=user, items=items)
    rows = shown.rows(tmp_path)
    assert rows.select(["sku", "rank", "arm"]).to_pydict() == {"sku": ["c", "b"], "rank": [1, 2], "arm": ["new"] * 2}


@pytest.mark.parametrize(("missing", "version"), [(None, "1"), ("new", "2")])
def test_user_without_an_id_counts_for_no_arm(tmp_path: Path, missing: str | None, version: str) -> None:
    with ImpressionLog(tmp_path) as log:
        split = split_of(log=log, missing=missing)
        split.rank({**shown.USER, "user": None}, split.items(shown.CATALOG), top_k=1)
    [row] = shown.rows(tmp_path).to_pylist()
    assert (row["arm"], row["version"]) == (None, version)
    assert split.arm(float("nan")) == (missing or "control")


def test_error_of_an_arm_is_the_caller_s() -> None:
    broken = OrderedRanker(fails=ServerUnavailableError("no server answers"))
    split = split_of({"control": OrderedRanker(), "new": broken})
    with pytest.raises(ServerUnavailableError, match="no server answers"):
        split.rank(user_of(split, "new"), shown.CATALOG)


def test_items_of_one_ranker_serve_versions_of_one_model() -> None:
    split = split_of()
    assert split.rank(user_of(split, "new"), shown.items()).schema.metadata[b"polyrank.version"] == b"2"


def test_async_split_does_the_same(tmp_path: Path) -> None:
    async def ask(log: ImpressionLog) -> None:
        arms = {arm: AsyncOrderedRanker(ranker) for arm, ranker in HAS.items()}
        split = AsyncSplit(cast("Any", arms), shares=HALVES, salt="2026-11-ctr", user="user", log=log)
        items = await split.items(shown.CATALOG, key="sku")
        user = user_of(split_of(), "new")
        assert split.arm(user["user"]) == "new"
        await split.rank(user, items, top_k=1)
        answer = await split.rank(user, items, logs=False)
        split.shown(answer.slice(1, 1), user=user, items=items)

    with ImpressionLog(tmp_path) as log:
        asyncio.run(ask(log))
    assert shown.rows(tmp_path).select(["sku", "arm"]).to_pydict() == {"sku": ["d", "c"], "arm": ["new", "new"]}


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ({"shares": {"control": 0.5, "new": 0.4}}, "shares must sum to 1, got 0.9; correct control = 0.5, new = 0.4"),
        ({"shares": {"control": 1.5, "new": -0.5}}, r"shares\['control'\] must be a number from 0 to 1, got 1.5"),
        ({"shares": {"control": 1.0}}, "shares lacks arm 'new'; name each of control, new"),
        ({"shares": {"control": 0.9, "now": 0.1}}, "shares names no arm 'now': control, new; did you mean 'new'?"),
        ({"shares": [0.5, 0.5]}, "shares must be a dict of numbers by arm, got list"),
        ({"salt": "\ud800"}, "salt must be text, without lone surrogates, got "),
        ({"shares": {"control": 1.0, "": 0.0}}, "a name in shares must be text of a character or more, got ''"),
        ({"shares": {"old": 0.5, "\ud800": 0.5}}, "a name in shares must be text, without lone surrogates"),
        ({"salt": ""}, "salt must be text of a character or more, got ''"),
        ({"user": 7}, "user must be text, without lone surrogates, got 7"),
        ({"missing": "nobody"}, "missing names no arm 'nobody': control, new"),
        ({"log": "folder"}, r"log must be an ImpressionLog\(folder\), got 'folder'"),
        ({"arms": {}}, "arms must hold a ranker or more, got none"),
        ({"arms": ["a"]}, "arms must be a dict of rankers by arm, got list"),
        ({"arms": {1: HAS["new"]}}, "arms must be a dict of rankers by arm, whose names are text, got 1"),
        ({"arms": {"control": "localhost:8000"}}, r"arms\['control'\] must be a Ranker, which a Split asks, got 'loc"),
        (
            {"arms": {"control": AsyncOrderedRanker(HAS["new"])}},
            r"arms\['control'\] must be a Ranker, which a Split asks, got AsyncOrderedRanker",
        ),
    ],
)
def test_wrong_argument_is_refused(arguments: dict[str, Any], told: str) -> None:
    with pytest.raises(ConfigError, match=told):
        split_of(**{"arms": HAS, **arguments})


def test_blocking_ranker_is_no_arm_of_an_async_split() -> None:
    told = r"arms\['new'\] must be an AsyncRanker, which an AsyncSplit asks, got OrderedRanker"
    with pytest.raises(ConfigError, match=told):
        AsyncSplit(cast("Any", {"new": HAS["new"]}), shares={"new": 1}, salt="a", user="user")


def test_user_who_lacks_the_column_is_refused() -> None:
    told = "the user lacks 'user', which the split goes by; None stands for a missing id"
    with pytest.raises(DataError, match=told):
        split_of().rank({"device": "phone"}, shown.CATALOG)


def test_id_that_is_no_name_is_refused() -> None:
    with pytest.raises(DataError, match=r"column 'user' holds 1\.5 at row 1"):
        split_of().arm(1.5)


def test_split_without_a_log_takes_nothing_down() -> None:
    split = split_of()
    items = split.items(shown.CATALOG)
    with pytest.raises(
        ConfigError, match=r"the split has no log; make it with Split\(\.\.\., log=ImpressionLog\(folder"
    ):
        split.shown(split.rank(shown.USER, items), user=shown.USER, items=items)


def test_items_of_other_arms_are_refused() -> None:
    items = SplitItems({"control": shown.items()}, "sku")
    with pytest.raises(ConfigError, match="items lacks arm 'new'; name each of control, new"):
        split_of().rank(shown.USER, items)


def test_items_of_no_split_are_refused(tmp_path: Path) -> None:
    with (
        ImpressionLog(tmp_path) as log,
        pytest.raises(ConfigError, match=r"items must be what split\.items\(rows, key"),
    ):
        split_of(log=log).shown(shown.answer(shown.items()), user=shown.USER, items=cast("Any", shown.items()))


def test_answer_of_no_split_is_refused(tmp_path: Path) -> None:
    with ImpressionLog(tmp_path) as log:
        split = split_of(log=log)
        with pytest.raises(DataError, match="answer must come from rank or interleave of a split; give rows of"):
            split.shown(shown.answer(shown.items()), user=shown.USER, items=split.items(shown.CATALOG))
