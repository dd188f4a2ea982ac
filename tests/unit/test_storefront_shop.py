"""The simulated shop asked online, beside the logs that it simulates offline."""

from collections import Counter

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest

from polyrank.errors import ConfigError, DataError
from polyrank.schema import Schema
from polyrank.train.datasets import storefront
from polyrank.train.datasets.shipped import schema_text
from polyrank.train.datasets.storefront import Shop, Visit

START_S = 1_706_659_200  # 2024-01-31, UTC: after the simulated month
DAY_S = 86_400
USERS, ITEMS = 50, 80
LIST = [5, 3, 8, 1, 9]
TASKS = ("click", "rating", "purchase")


def shop(seed: int = 3) -> Shop:
    return Shop(users=USERS, items=ITEMS, seed=seed)


def visits(of: Shop, count: int = 30, start_s: int = START_S) -> list[Visit]:
    return list(of.visits(count, start_s))


@pytest.fixture(scope="module")
def logs() -> pa.Table:
    return storefront.simulate(400, users=USERS, items=ITEMS, seed=3)


def visit_of(row: dict[str, object]) -> Visit:
    user = {name: row[name] for name in ("user_id", "segment", "history", "hour", "device")}
    return Visit("page", int(str(row["time_s"])), user)


def test_probabilities_are_those_of_the_logs(logs: pa.Table) -> None:
    asked = shop()
    found = [asked.true_click(visit_of(row), [row["item_id"]], place=row["position"])[0] for row in logs.to_pylist()]
    np.testing.assert_allclose(found, logs["true_click"].to_numpy(), rtol=1e-12)


def test_catalogue_is_that_of_the_logs(logs: pa.Table) -> None:
    catalogue = shop().catalogue()
    shown = logs.select(catalogue.column_names)
    assert shown.equals(catalogue.take(pa.array(logs["item_id"].to_numpy() - 1)).cast(shown.schema))


def test_users_are_those_of_the_logs(logs: pa.Table) -> None:
    known = dict(zip(logs["user_id"].to_pylist(), logs["segment"].to_pylist(), strict=True))
    came = {each.user["user_id"]: each.user["segment"] for each in visits(shop(), 200)}
    both = known.keys() & came.keys()
    assert len(both) > 10
    assert [known[user] for user in both] == [came[user] for user in both]


def test_users_come_as_often_as_in_the_logs() -> None:
    rows = storefront.simulate(100_000, users=5, items=ITEMS, seed=3)
    in_logs = Counter(rows["user_id"].to_pylist())
    online = Counter(each.user["user_id"] for each in Shop(users=5, items=ITEMS, seed=3).visits(10_000, START_S))
    assert [online[user] / 10_000 for user in range(1, 6)] == pytest.approx(
        [in_logs[user] / 100_000 for user in range(1, 6)], abs=0.02
    )


def test_place_matters_as_in_the_formula() -> None:
    asked = shop()
    (visit,) = visits(asked, 1)
    first, fifth = asked.true_click(visit, [7, 2, 3, 4, 1])[0], asked.true_click(visit, [1, 2, 3, 4, 7])[4]
    assert np.log(fifth / (1 - fifth)) == pytest.approx(np.log(first / (1 - first)) - 0.5 * np.log(5), abs=1e-9)


def test_seed_decides_who_comes() -> None:
    assert visits(shop(1)) == visits(shop(1))
    assert visits(shop(1)) != visits(shop(2))
    assert visits(shop(1)) != visits(shop(1), start_s=START_S + DAY_S)


def test_visits_come_in_order_within_the_duration() -> None:
    times = [each.time_s for each in shop().visits(500, START_S + 5_000, duration_s=7_200)]
    assert times == sorted(times)
    assert START_S + 5_000 <= times[0] <= times[-1] < START_S + 5_000 + 7_200
    assert len(set(times)) > 300


def test_visits_follow_the_rush_of_the_day() -> None:
    hours = Counter(each.user["hour"] for each in shop().visits(20_000, START_S))
    assert hours[15] > 4 * hours[3]  # 1 + 0.8 and 1 - 0.8 in the rate


def test_hour_is_that_of_the_time() -> None:
    assert all(each.user["hour"] == each.time_s // 3600 % 24 for each in visits(shop()))


def test_request_ids_are_unique() -> None:
    asked = shop()
    found = [each.request_id for start_s in (START_S, START_S + DAY_S) for each in visits(asked, 50, start_s)]
    assert len(set(found)) == 100


def test_same_list_brings_the_same_whatever_came_between() -> None:
    one, other = shop(), shop()
    in_order = [one.react(each, LIST) for each in visits(one)]
    backwards = [other.react(each, LIST) for each in visits(other)[::-1] for _ in range(2)]
    assert in_order == backwards[::-2]


def test_other_requests_bring_other_outcomes() -> None:
    asked = shop()
    assert len({tuple(asked.react(each, LIST)["item_id"].to_pylist()) for each in visits(asked)}) > 10


def test_clicks_have_their_probabilities() -> None:
    asked = shop()
    came = visits(asked, 1_000)
    events = pa.concat_tables([asked.react(each, LIST) for each in came])
    clicks = Counter(events.filter(pc.equal(events["task"], "click"))["item_id"].to_pylist())
    expected = sum(asked.true_click(each, LIST) for each in came)
    for item, mean in zip(LIST, np.asarray(expected), strict=True):
        assert abs(clicks[item] - mean) < 4 * np.sqrt(mean)


def test_ratings_and_purchases_follow_clicks_within_an_hour() -> None:
    asked = shop()
    for visit in visits(asked, 300):
        events = asked.react(visit, LIST).to_pylist()
        clicked = {each["item_id"]: each["time"] for each in events if each["task"] == "click"}
        assert {each["item_id"] for each in events if each["task"] == "rating"} == set(clicked)
        later = [each for each in events if each["task"] != "click"]
        assert all(clicked[each["item_id"]] < each["time"] for each in later)
        assert all(visit.time_s < each["time"] < visit.time_s + 3_600 for each in events)


def test_values_are_stars_of_ratings_alone() -> None:
    asked = shop()
    events = pa.concat_tables([asked.react(each, LIST) for each in visits(asked, 300)])
    values = {task: {each["value"] for each in events.to_pylist() if each["task"] == task} for task in TASKS}
    assert values == {"click": {1.0}, "rating": {1.0, 2.0, 3.0, 4.0, 5.0}, "purchase": {1.0}}


def test_history_is_what_was_clicked_before() -> None:
    asked = shop()
    clicks: list[tuple[int, int, int, int]] = []
    for visit in asked.visits(400, START_S):
        user = visit.user["user_id"]
        before = [item for time_s, _, item, other in sorted(clicks) if other == user and time_s < visit.time_s]
        assert visit.user["history"] == before[::-1][:20]
        events = asked.react(visit, LIST).filter(pc.field("task") == "click").to_pylist()
        clicks += [(each["time"], LIST.index(each["item_id"]), each["item_id"], user) for each in events]
    assert len(clicks) > 100


def test_asking_again_leaves_one_click_in_the_history() -> None:
    once, twice = shop(), shop()
    for visit in visits(once, 100):
        once.react(visit, LIST)
    for visit in visits(twice, 100) * 2:
        twice.react(visit, LIST)
    assert visits(once, start_s=START_S + DAY_S) == visits(twice, start_s=START_S + DAY_S)


def test_logs_are_remembered_as_histories(logs: pa.Table) -> None:
    asked = shop()
    asked.remember(logs)
    rows = logs.filter(pc.equal(logs["click"], 1)).to_pylist()
    for visit in visits(asked):
        items = [row["item_id"] for row in rows if row["user_id"] == visit.user["user_id"]]
        assert visit.user["history"] == items[::-1][:20]


def test_best_list_is_that_of_the_highest_probabilities() -> None:
    asked = shop()
    for visit in visits(asked, 10):
        chances = {item: asked.true_click(visit, [item])[0] for item in range(1, ITEMS + 1)}
        assert asked.best(visit, 10).tolist() == sorted(chances, key=lambda item: -chances[item])[:10]


def test_new_items_extend_the_catalogue() -> None:
    asked = shop()
    before = asked.catalogue()
    added = asked.add_items(7)
    assert added["item_id"].to_pylist() == list(range(ITEMS + 1, ITEMS + 8))
    assert asked.catalogue().equals(pa.concat_tables([before, added]))
    assert asked.items == ITEMS + 7


def test_new_items_leave_the_others_as_they_are() -> None:
    asked, untouched = shop(), shop()
    asked.add_items(7)
    asked.add_users(5)
    (visit,) = visits(untouched, 1)
    assert (asked.true_click(visit, LIST) == untouched.true_click(visit, LIST)).all()
    assert asked.react(visit, LIST) == untouched.react(visit, LIST)


def test_words_are_worth_the_same_in_new_items() -> None:
    asked = Shop(users=USERS, items=3_000, seed=3)
    asked.add_items(3_000)
    rows = asked.catalogue().to_pylist()
    (visit,) = visits(asked, 1)
    chances = np.array([asked.true_click(visit, [row["item_id"]])[0] for row in rows])
    logits = np.log(chances / (1 - chances))
    words = sorted({word for row in rows for word in row["title_words"]})
    has = np.array([[word in row["title_words"] for word in words] for row in rows], np.float64)
    worth = np.linalg.lstsq(has[:3_000], logits[:3_000], rcond=None)[0]  # learned from the first items alone
    old, new = (np.corrcoef(has[half] @ worth, logits[half])[0, 1] for half in (slice(3_000), slice(3_000, None)))
    assert new > old - 0.1 > 0.5


def test_appeal_of_new_items_can_be_given() -> None:
    asked = shop()
    added = asked.add_items(20, appeal=3.0)["item_id"].to_pylist()
    ordinary = [asked.true_click(each, added).mean() for each in visits(shop())]
    liked = [asked.true_click(each, LIST).mean() for each in visits(shop())]
    assert np.mean(ordinary) > 2 * np.mean(liked)


def test_new_users_come_from_then_on() -> None:
    asked = shop()
    assert asked.add_users(50) == range(USERS + 1, USERS + 51)
    came = {each.user["user_id"] for each in visits(asked, 500)}
    assert max(came) > USERS
    assert asked.users == USERS + 50


def test_visit_has_the_features_of_users_and_moment() -> None:
    schema = Schema.from_toml(schema_text("storefront"))
    (visit,) = visits(shop(), 1)
    of_items = set(shop().catalogue().column_names)
    assert set(schema.feature_columns) - of_items == {*visit.user, "position"}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"users": 0}, r"^users must be an integer in \[1, 1000000\], got 0$"),
        ({"items": 1_000_001}, r"^items must be an integer in \[1, 1000000\], got 1000001$"),
        ({"seed": -1}, r"^seed must be an integer in \[0, 2\*\*63\), got -1$"),
    ],
)
def test_shop_of_a_wrong_size_is_refused(arguments: dict[str, int], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        Shop(**arguments)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda asked: asked.visits(0, START_S), r"^count must be an integer in \[1, 1000000\], got 0$"),
        (lambda asked: asked.visits(1, -1), r"^start_s must be an integer in \[0, 2\*\*40\), got -1$"),
        (lambda asked: asked.visits(1, 0, duration_s=0), r"^duration_s must be an integer in \[1, 2\*\*40\), got 0$"),
        (lambda asked: asked.add_items(0), r"^count must be an integer in \[1, 1000000\], got 0$"),
        (lambda asked: asked.add_items(1, appeal=11), r"^appeal must be a number from -10 to 10, got 11$"),
        (lambda asked: asked.add_users(0), r"^count must be an integer in \[1, 1000000\], got 0$"),
        (lambda asked: asked.best(visits(asked)[0], 81), r"^k must be an integer in \[1, 80\], got 81$"),
        (
            lambda asked: asked.true_click(visits(asked)[0], [1], place=0),
            r"^place must be an integer in \[1, 2\*\*31\)",
        ),
    ],
)
def test_argument_out_of_range_is_named(call: object, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        call(shop())  # type: ignore[operator]


@pytest.mark.parametrize(
    ("items", "message"),
    [
        ([1, 81], r"^item_ids\[1\] must be in \[1, 80\], got 81$"),
        ([0], r"^item_ids\[0\] must be in \[1, 80\], got 0$"),
        ([4, 4], r"^item_ids must hold each item once, got \[4, 4\]$"),
    ],
)
def test_list_that_cannot_be_shown_is_refused(items: list[int], message: str) -> None:
    asked = shop()
    with pytest.raises(DataError, match=message):
        asked.react(visits(asked)[0], items)


def test_visit_of_another_shop_is_refused() -> None:
    stranger = next(each for each in Shop(users=5_000, items=5).visits(10, START_S) if each.user["user_id"] > USERS)
    with pytest.raises(DataError, match=r"^visit.user\['user_id'\] must be in \[1, 50\], got [0-9]+$"):
        shop().react(stranger, LIST)
