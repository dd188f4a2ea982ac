import datetime as dt
import re
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from polyrank.errors import DataError
from polyrank.features import NumericFeature
from polyrank.rows import columns_of
from polyrank.schema import Schema
from polyrank.tasks import BinaryTask
from polyrank.times import Times
from polyrank.train.config_sections import ValidationConfig
from polyrank.train.splits import SplitKeys, held_out

HOUR_MS = 3_600_000
NOON = dt.datetime(2026, 7, 1, 12, tzinfo=dt.UTC)


def schema_with(**changes: Any) -> Schema:
    task = BinaryTask(name="click", label="is_click")
    return Schema(name="toy", features=(NumericFeature(name="age"),), tasks=(task,), **changes)


def split(schema: Schema, columns: dict[str, Any], count: int, config: ValidationConfig, seed: int = 0) -> list[int]:
    keys = SplitKeys(schema, config).read(columns)
    marks: list[int] = np.flatnonzero(held_out(schema, config, keys, count, np.random.default_rng(seed))).tolist()
    return marks


def newest(moments: Any, unit: str = "ms", *, hours: float | None = None, share: float = 0.1) -> list[int]:
    schema, config = schema_with(time="at", time_unit=unit), ValidationConfig(hours=hours, share=share)
    column = moments if isinstance(moments, pa.ChunkedArray) else pa.array(moments)
    return split(schema, {"at": column}, len(column), config)


def random_split(count: int, share: float, seed: int) -> list[int]:
    return split(schema_with(), {}, count, ValidationConfig(share=share), seed)


def test_newest_hours_validate() -> None:
    moments = [hour * HOUR_MS for hour in (5, 0, 3, 4, 1)]
    assert newest(moments, hours=2.0) == [0, 3]


def test_fractions_of_hours_count() -> None:
    moments = [0, HOUR_MS, HOUR_MS + HOUR_MS // 2, HOUR_MS + HOUR_MS // 2 + 1, 2 * HOUR_MS]
    assert newest(moments, hours=0.5) == [3, 4]


@pytest.mark.parametrize(
    ("unit", "hour"), [("s", 3600), ("ms", 3600 * 10**3), ("us", 3600 * 10**6), ("ns", 3600 * 10**9)]
)
def test_hours_follow_the_unit_of_integers(unit: str, hour: int) -> None:
    assert newest([0, hour, 2 * hour, 2 * hour + 1, 3 * hour], unit, hours=1.0) == [3, 4]


@pytest.mark.parametrize("column_unit", ["s", "ms", "us", "ns"])
def test_timestamps_carry_their_own_unit(column_unit: str) -> None:
    start = dt.datetime(2026, 7, 1, tzinfo=dt.UTC)
    moments = [start + dt.timedelta(hours=hour) for hour in (0, 1, 2, 3)]
    assert newest(pa.chunked_array([pa.array(moments, pa.timestamp(column_unit, "UTC"))]), "s", hours=1.5) == [2, 3]


def test_newest_share_validates() -> None:
    moments = np.random.default_rng(0).permutation(100)
    assert sorted(moments[newest(moments, share=0.2)]) == list(range(80, 100))


def test_rows_of_one_instant_stay_on_one_side() -> None:
    assert newest([1, 2, 3, 3, 3, 3, 3, 3, 4, 4], share=0.5) == [8, 9]


def test_share_is_exact_for_nanoseconds_of_today() -> None:
    now = 1_782_864_000_000_000_000
    assert newest([now + step for step in range(10)], "ns", share=0.3) == [7, 8, 9]


def test_random_split_takes_the_share() -> None:
    validation = random_split(100, 0.2, 0)
    assert len(validation) == 20
    assert validation != list(range(80, 100))


def test_random_split_follows_its_generator() -> None:
    assert random_split(100, 0.2, 1) == random_split(100, 0.2, 1)
    assert random_split(100, 0.2, 1) != random_split(100, 0.2, 2)


def test_hours_without_time_column_are_refused() -> None:
    with pytest.raises(DataError, match=r"^\$\.validation\.hours needs a time column; name one in the schema: time ="):
        SplitKeys(schema_with(), ValidationConfig(hours=1.0))


@pytest.mark.parametrize(
    ("moments", "config", "sides"),
    [
        ([5, 5, 5, 5], {"share": 0.5}, "4 rows to train on and 0 to validate on"),
        ([1, 2, 3, 4], {"hours": 1.0}, "0 rows to train on and 4 to validate on"),
        ([1, 2, 3, 4], {"share": 0.1}, "3 rows to train on and 1 to validate on"),
    ],
    ids=["all at once", "within hours", "one row"],
)
def test_side_without_two_rows_is_refused(moments: list[int], config: dict[str, Any], sides: str) -> None:
    expected = f"^the split leaves {sides}; both need at least 2: change \\[validation\\] or bring more rows$"
    with pytest.raises(DataError, match=expected):
        newest(moments, **config)


@pytest.mark.parametrize(
    ("column", "message"),
    [
        (pa.array([1.0, 1.5]), "time column 'at' holds 1.5 at row 2; whole numbers up to 2**53 expected, in ms"),
        (pa.array([2.0**60]), "time column 'at' holds 1.152921504606847e+18 at row 1; whole numbers up to 2**53"),
        (
            pa.array(["noon"]),
            "time column 'at' holds 'noon' at row 1; times such as 2026-07-01T12:00:00+02:00 expected",
        ),
        (
            pa.array(["1700000000", "-17", "n/a", "1700000001"]),
            "time column 'at' holds 'n/a' at row 3; whole numbers, in ms, expected, as around it",
        ),
        (
            pa.array(["2026-07-01T00:00:00Z", "2026-07-01T00:00:00"]),
            "time column 'at' holds '2026-07-01T00:00:00' at row 2; times with a zone, as in row 1, expected",
        ),
        (
            pa.chunked_array([["2026-07-01"], ["2026-07-01T00:00:00Z"]]),
            "time column 'at' holds '2026-07-01T00:00:00Z' at row 2; times without a zone, as in row 1, expected",
        ),
        (pa.array([True]), "time column 'at' holds bool; whole numbers, timestamps, dates or ISO 8601 text expected"),
        ([1, "2"], "time column 'at' holds '2' (str) at row 2 beside int; times of one kind expected"),
        (
            columns_of([{"at": NOON}, {"at": NOON.replace(tzinfo=None)}], ["at"])["at"],
            "time column 'at' holds 2026-07-01 12:00:00 (datetime without zone) at row 2 beside datetime with zone; t",
        ),
        (
            columns_of(pd.DataFrame({"at": [NOON.replace(tzinfo=None), None, NOON]}, dtype=object), ["at"])["at"],
            "time column 'at' holds 2026-07-01 12:00:00+00:00 (datetime with zone) at row 3 beside datetime without",
        ),
        (pa.array([1, None]), "time column 'at' is missing at row 2; a time split needs every time"),
        (pa.chunked_array([[1, 2], [3, None]]), "time column 'at' is missing at row 4; a time split needs every"),
        (pa.array([None], pa.timestamp("s")), "time column 'at' is missing at row 1; a time split needs every"),
    ],
)
def test_wrong_times_are_refused(column: Any, message: str) -> None:
    with pytest.raises(DataError, match=f"^{re.escape(message)}"):
        Times(schema_with(time="at")).read(column)


TEXTS = pa.array(["2026-07-01T00:00:00Z", "2026-07-02T00:00:00Z"])


@pytest.mark.parametrize(
    "column",
    [
        TEXTS.cast(pa.string_view()),
        TEXTS.dictionary_encode(),
        pa.chunked_array([TEXTS.dictionary_encode()]),
        pa.DictionaryArray.from_arrays(pa.array([0, 1]), TEXTS.cast(pa.string_view())),
        TEXTS.cast(pa.timestamp("s", "UTC")).dictionary_encode(),
    ],
    ids=lambda column: str(column.type),
)
def test_views_and_dictionaries_are_read_as_what_they_hold(column: Any) -> None:
    expected = [int(dt.datetime(2026, 7, day, tzinfo=dt.UTC).timestamp()) * 1000 for day in (1, 2)]
    assert Times(schema_with(time="at")).read(column).tolist() == expected


def test_zone_of_the_first_piece_holds_for_later_ones() -> None:
    times = Times(schema_with(time="at"))
    times.read(pa.array(["2026-07-01T00:00:00Z"]))
    message = r"^time column 'at' holds '2026-07-02' at row 1; times with a zone, as in row 1, expected$"
    with pytest.raises(DataError, match=message):
        times.read(pa.array(["2026-07-02"]))


def test_times_are_read_in_the_unit_of_the_schema() -> None:
    column = pa.array([dt.datetime(1970, 1, 1, 0, 0, 2, tzinfo=dt.UTC)], pa.timestamp("us", "Europe/Berlin"))
    assert Times(schema_with(time="at", time_unit="ms")).read(column).tolist() == [2000]


WRONG_SPLITS: dict[str, tuple[dict[str, Any], dict[str, Any], dict[str, Any], str]] = {
    "no time column": ({}, {"split": "time"}, {}, "$.validation.split = 'time' needs a time column; name one in the"),
    "no group column": (
        {},
        {"split": "group"},
        {},
        "$.validation.split = 'group' needs a group column; name one in the schema: group = 'user_id'",
    ),
    "missing group": (
        {"group": "user"},
        {"split": "group"},
        {"user": pa.array([1, None, 3, 4])},
        "group column 'user' is missing at row 2; a group split needs every group",
    ),
    "one group": (
        {"group": "user"},
        {"split": "group"},
        {"user": pa.array([1, 1, 1, 1])},
        "the split leaves 4 rows to train on and 0 to validate on; both need at least 2",
    ),
    "another side": (
        {},
        {"column": "side"},
        {"side": pa.array(["train", "validation", "test", "train"])},
        "split column 'side' holds 'test' at row 3; 'train' or 'validation' expected",
    ),
    "missing side": (
        {},
        {"column": "side"},
        {"side": ["train", None, 1, "train"]},
        "split column 'side' holds None at row 2; 'train' or 'validation' expected",
    ),
}


@pytest.mark.parametrize(("changes", "config", "columns", "message"), WRONG_SPLITS.values(), ids=WRONG_SPLITS)
def test_split_that_lacks_what_it_needs_is_refused(
    changes: dict[str, Any], config: dict[str, Any], columns: dict[str, Any], message: str
) -> None:
    with pytest.raises(DataError, match=f"^{re.escape(message)}"):
        split(schema_with(**changes), columns, 4, ValidationConfig(**config))


def test_random_split_may_be_asked_for_beside_a_time_column() -> None:
    schema, config = schema_with(time="at"), ValidationConfig(split="random", share=0.2)
    validation = split(schema, {}, 100, config)
    assert (len(validation), validation != list(range(80, 100))) == (20, True)


@pytest.mark.parametrize(
    ("changes", "config", "expected"),
    [
        ({"time": "at", "group": "user"}, {}, ("at",)),
        ({"time": "at", "group": "user"}, {"split": "group"}, ("user",)),
        ({"time": "at"}, {"split": "random"}, ()),
        ({"time": "at"}, {"column": "side"}, ("side",)),
        ({}, {}, ()),
    ],
)
def test_split_names_the_columns_it_reads(
    changes: dict[str, Any], config: dict[str, Any], expected: tuple[str, ...]
) -> None:
    assert SplitKeys(schema_with(**changes), ValidationConfig(**config)).columns == expected


BERLIN = dt.timezone(dt.timedelta(hours=2))
NOON_FORMS: dict[str, Any] = {
    "two zones": columns_of([{"at": NOON}, {"at": NOON.astimezone(BERLIN)}], ["at"])["at"],
    "pandas with two zones": columns_of(pd.DataFrame({"at": [NOON.astimezone(BERLIN), NOON]}, dtype=object), ["at"])[
        "at"
    ],
    "pandas": columns_of(pd.DataFrame({"at": pd.to_datetime([NOON, NOON]).tz_convert("Asia/Tokyo")}), ["at"])["at"],
    "text with zones": pa.array(["2026-07-01T14:00:00+02:00", "2026-07-01 12:00:00.000999Z"]),
    "text": pa.array(["2026-07-01T12:00:00", "2026-07-01 12:00"], pa.large_string()),
    "floats": pa.array([NOON.timestamp() * 1000] * 2),
}


@pytest.mark.parametrize("column", NOON_FORMS.values(), ids=NOON_FORMS)
def test_times_in_every_form_are_the_same_instant(column: Any) -> None:
    assert Times(schema_with(time="at")).read(column).tolist() == [int(NOON.timestamp()) * 1000] * 2


def test_dates_are_their_first_instant() -> None:
    assert Times(schema_with(time="at")).read(pa.array([dt.date(1970, 1, 2)])).tolist() == [24 * HOUR_MS]
