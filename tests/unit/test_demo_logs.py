"""Logs as the demo's page shows them."""

import pyarrow as pa
import pytest

from polyrank.errors import DataError
from polyrank.schema import Schema
from polyrank.serving.web.logs import Logs

SCHEMA = Schema.from_toml(
    """
name = "shop"
time = "at"
time_unit = "s"
features = [
  { name = "hour", kind = "numeric" },
  { name = "buyer", kind = "categorical", dtype = "int64", side = "user", num_buckets = 50 },
  { name = "basket", kind = "bag", side = "user", max_length = 5, shares = "thing" },
  { name = "thing", kind = "categorical", dtype = "text", side = "item", num_buckets = 50 },
  { name = "price", kind = "numeric", side = "item" },
  { name = "both", kind = "cross", features = ["buyer", "thing"], side = "item", num_buckets = 90 },
]
tasks = [{ name = "buys", kind = "binary", label = "bought" }]
"""
)
HUGE = 2**60
TABLE = pa.table(
    {
        "at": [300, 100, 200, 400],
        "hour": [3.0, 1.0, 2.0, 4.0],
        "buyer": [7, 7, HUGE, 7],
        "basket": [["pen"], [], None, ["pen", "cup"]],
        "thing": ["cup", "pen", "pen", None],
        "price": [2.5, 1.0, 1.5, None],
        "bought": [1, 0, 1, None],
        "other": ["a", "b", "c", "d"],
    }
)


@pytest.fixture
def logs() -> Logs:
    return Logs(TABLE, SCHEMA)


def test_users_come_with_their_rows_the_most_first(logs: Logs) -> None:
    assert logs.users() == [{"id": "7", "rows": 3}, {"id": str(HUGE), "rows": 1}]
    assert logs.num_users == 2


def test_features_of_a_user_are_those_of_the_last_row(logs: Logs) -> None:
    assert logs.of_user("7").features == {"hour": 4.0, "buyer": 7, "basket": ["pen", "cup"]}


def test_integers_that_javascript_would_round_are_shown_as_text(logs: Logs) -> None:
    found = logs.of_user(str(HUGE))
    assert found.features["buyer"] == HUGE
    assert found.told()["buyer"] == str(HUGE)


def test_history_is_newest_first_with_times_facts_and_outcomes(logs: Logs) -> None:
    assert logs.of_user("7").history == [
        {"time": "1970-01-01 00:06:40", "item": None, "facts": {"price": None}, "outcomes": {"bought": None}},
        {"time": "1970-01-01 00:05:00", "item": "cup", "facts": {"price": 2.5}, "outcomes": {"bought": 1}},
        {"time": "1970-01-01 00:01:40", "item": "pen", "facts": {"price": 1.0}, "outcomes": {"bought": 0}},
    ]


def test_items_are_as_their_last_row_has_them(logs: Logs) -> None:
    assert sorted(logs.items.to_pylist(), key=str) == [{"thing": "cup", "price": 2.5}, {"thing": "pen", "price": 1.5}]


def test_facts_of_items_are_in_the_order_asked(logs: Logs) -> None:
    names = logs.items["thing"].to_pylist()
    found = logs.facts([names.index("pen"), names.index("cup")])
    assert found == [{"item": "pen", "facts": {"price": 1.5}}, {"item": "cup", "facts": {"price": 2.5}}]


def test_columns_that_name_users_and_items_can_be_chosen() -> None:
    chosen = Logs(TABLE, SCHEMA, user="other", item="price")
    assert [each["id"] for each in chosen.users()] == ["b", "c", "a", "d"]  # of as many rows: the oldest first
    assert chosen.items.column_names == ["price", "thing"]


def test_user_without_rows_is_refused(logs: Logs) -> None:
    with pytest.raises(DataError, match=r"^user must have rows in the logs, got '8'; pick one of the list$"):
        logs.of_user("8")


def test_logs_without_rows_are_refused() -> None:
    with pytest.raises(DataError, match=r"^the logs must hold rows, got none$"):
        Logs(TABLE.slice(0, 0), SCHEMA)


def test_logs_without_a_feature_are_refused_with_its_name() -> None:
    with pytest.raises(DataError, match=r"^the logs lack column 'hour', a feature of the model; did you mean 'hours'"):
        Logs(TABLE.rename_columns({"hour": "hours"}), SCHEMA)


def test_column_of_users_that_is_missing_is_refused() -> None:
    message = r"^the logs lack column 'buyers', which names users; did you mean 'buyer'\?; name another: --user COLUMN$"
    with pytest.raises(DataError, match=message):
        Logs(TABLE, SCHEMA, user="buyers")


def test_model_without_features_of_items_is_refused() -> None:
    text = """
    name = "shop"
    features = [{ name = "buyer", kind = "categorical", dtype = "int64", side = "user", num_buckets = 50 }]
    tasks = [{ name = "buys", kind = "binary", label = "bought" }]
    """
    with pytest.raises(DataError, match=r'^the model has no feature of items; set side = "item" in its schema$'):
        Logs(TABLE, Schema.from_toml(text))
