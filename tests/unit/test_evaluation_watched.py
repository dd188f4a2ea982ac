"""Columns that may part rows are kept while they are few."""

from typing import Any

import pyarrow as pa
import pytest
from artefacts.evaluated import CLICK, schema_of

from polyrank.errors import ConfigError, DataError
from polyrank.evaluation import watched
from polyrank.evaluation.watched import WatchedColumns

FEATURES = """
  { name = "item", kind = "categorical", dtype = "text", num_buckets = 9, side = "item" },
  { name = "user", kind = "categorical", dtype = "text", num_buckets = 9, side = "user" },
  { name = "hour", kind = "categorical", dtype = "text", num_buckets = 9 },
  { name = "price", kind = "numeric" },
"""
SCHEMA = schema_of(CLICK, features=FEATURES)


def rows(**columns: Any) -> pa.Table:
    size = len(next(iter(columns.values())))
    return pa.table({"item": ["i"] * size, "user": ["u"] * size, "hour": ["h"] * size} | columns)


def kept(*tables: pa.Table, asked: tuple[str, ...] = ()) -> dict[str, pa.ChunkedArray]:
    columns = WatchedColumns(SCHEMA, asked)
    for table in tables:
        columns.add(table)
    return columns.columns()


def test_categorical_features_of_context_come_first() -> None:
    found = kept(rows(item=["a", "b"], user=["a", "b"], hour=["a", "b"]))
    assert list(found) == ["hour", "user", "item"]


def test_columns_that_were_asked_for_come_before_all() -> None:
    found = kept(rows(hour=["a", "b"], price=[1.5, 2.5], user=["a", "b"]), asked=("price", "user"))
    assert list(found) == ["price", "user", "hour"]


def test_column_of_one_value_is_not_offered() -> None:
    assert kept(rows(hour=["a", "a"])) == {}


def test_missing_value_is_no_second_one() -> None:
    assert kept(rows(hour=["a", None])) == {}


def test_asked_column_of_one_value_is_kept() -> None:
    assert list(kept(rows(hour=["a", "a"]), asked=("hour",))) == ["hour"]


def test_twenty_values_are_few() -> None:
    assert list(kept(rows(hour=[*map(str, range(20)), None]))) == ["hour"]


def test_more_values_over_pieces_are_let_go_of() -> None:
    pieces = (rows(hour=[str(number), str(number + 1)]) for number in range(20))
    assert kept(*pieces) == {}


def test_more_values_in_one_piece_are_let_go_of() -> None:
    assert kept(rows(hour=[str(number) for number in range(40)])) == {}


def test_asked_column_may_have_many_values() -> None:
    values = [str(number) for number in range(40)]
    assert kept(rows(hour=values), asked=("hour",))["hour"].to_pylist() == values


def test_few_columns_are_offered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watched, "MAX_COLUMNS", 2)
    found = kept(rows(item=["a", "b"], user=["a", "b"], hour=["a", "b"]))
    assert list(found) == ["hour", "user"]


def test_pieces_follow_one_another() -> None:
    found = kept(rows(hour=["a", "b"]), rows(hour=["b", None, "c"]))
    assert found["hour"].to_pylist() == ["a", "b", "b", None, "c"]


@pytest.mark.parametrize("kind", [pa.large_string(), pa.dictionary(pa.int8(), pa.string())], ids=str)
def test_text_of_other_types_is_one_column(kind: pa.DataType) -> None:
    other = pa.array(["b", None]).cast(kind) if not pa.types.is_dictionary(kind) else pa.array(["b", None], kind)
    found = kept(rows(hour=["a", "b"]), rows(hour=other))
    assert found["hour"].to_pylist() == ["a", "b", "b", None]


def test_column_without_a_value_joins_others() -> None:
    found = kept(rows(hour=pa.nulls(2)), rows(hour=["a", "b"]), rows(hour=pa.nulls(1)))
    assert found["hour"].to_pylist() == [None, None, "a", "b", None]


def test_types_that_do_not_go_together_are_refused() -> None:
    tables = [rows(price=pa.array(["a"]).cast(pa.binary())), rows(price=[1])]
    with pytest.raises(DataError, match=r"^column 'price' holds binary and int64, which do not go together; write it "):
        kept(*tables, asked=("price",))


def test_columns_of_columns_are_refused() -> None:
    with pytest.raises(ConfigError, match=r"^by names column 'price' of type struct<a: int64>; name one of numbers, "):
        kept(rows(price=[{"a": 1}]), asked=("price",))
