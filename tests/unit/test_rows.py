from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.dataset
import pyarrow.parquet as pq
import pytest

from polyrank.errors import DataError
from polyrank.rows import columns_of, is_missing, num_rows

ROWS = [{"user": 46, "extra": "x"}, {"user": 7, "extra": "y"}]
FORMS: dict[str, Any] = {
    "table": pa.Table.from_pylist(ROWS),
    "record batch": pa.RecordBatch.from_pylist(ROWS),
    "record batch reader": pa.Table.from_pylist(ROWS).to_reader(),
    "pandas": pd.DataFrame(ROWS),
    "polars": pl.DataFrame(ROWS),
    "lazy polars": pl.DataFrame(ROWS).lazy(),
    "dataset": pa.dataset.dataset(pa.Table.from_pylist(ROWS)),
    "dicts": ROWS,
    "tuple of dicts": tuple(ROWS),
}
NOT_ROWS: dict[str, tuple[Any, str]] = {
    "none": (None, "rows must be a pyarrow table, a pandas or polars frame or a list of dicts, got NoneType"),
    "one dict": (ROWS[0], "list of dicts, got dict"),
    "text": ("user", "list of dicts, got str"),
    "array": (np.zeros((2, 2)), "list of dicts, got ndarray"),
    "list of values": ([{"user": 1}, 46], "rows must be dicts, got int at row 2"),
    "arrow array": (pa.array([1]), "list of dicts, got Int64Array"),
    "pandas series": (pd.Series([1]), "rows of type Series are not a table: "),
    "polars series": (pl.Series([1]), "rows of type Series are not a table: "),
}


@pytest.mark.parametrize("rows", FORMS.values(), ids=FORMS)
def test_named_columns_are_picked(rows: Any) -> None:
    columns = columns_of(rows, ["user"])
    assert list(columns) == ["user"]
    assert columns["user"].to_pylist() == [46, 7]
    assert num_rows(columns) == 2


@pytest.mark.parametrize(("rows", "message"), NOT_ROWS.values(), ids=NOT_ROWS)
def test_what_is_no_table_is_refused(rows: Any, message: str) -> None:
    with pytest.raises(DataError, match=message):
        columns_of(rows, ["user"])


@pytest.mark.parametrize(
    "rows",
    [[], pa.table({"user": []}), pd.DataFrame({"user": []}), pl.DataFrame({"user": []})],
    ids=["dicts", "table", "pandas", "polars"],
)
def test_empty_table_is_refused(rows: Any) -> None:
    with pytest.raises(DataError, match=r"^rows must hold at least one row, got none$"):
        columns_of(rows, ["user"])


@pytest.mark.parametrize("form", [name for name in FORMS if name != "record batch reader"])
def test_missing_column_is_named_with_the_closest(form: str) -> None:
    message = (
        r"^column 'users' is missing; did you mean 'user'\? \(columns the schema does not know: 'user', 'extra'\)$"
    )
    with pytest.raises(DataError, match=message):
        columns_of(FORMS[form], ["users"])


def test_several_missing_columns_are_counted() -> None:
    with pytest.raises(DataError, match=r"^column 'a' is missing, with 2 more: 'b', 'c' \(columns"):
        columns_of(ROWS, ["a", "user", "b", "c"])


def test_missing_column_without_others_is_one_clause() -> None:
    with pytest.raises(DataError, match=r"^column 'a' is missing$"):
        columns_of([{"user": 1}], ["user", "a"])


def test_long_listing_of_columns_is_cut() -> None:
    with pytest.raises(DataError, match=r"'c0', 'c1', 'c2', 'c3', 'c4', 'c5', \.\.\.\)$"):
        columns_of(pa.table({f"c{i}": [1] for i in range(9)}), ["user"])


@pytest.mark.parametrize(
    "rows",
    [
        pa.table([pa.array([1]), pa.array([2])], names=["user", "user"]),
        pd.DataFrame([[1, 2]], columns=["user", "user"]),
    ],
    ids=["table", "pandas"],
)
def test_column_that_is_there_twice_is_refused(rows: Any) -> None:
    with pytest.raises(DataError, match=r"^column 'user' is there 2 times; columns must be unique$"):
        columns_of(rows, ["user"])


def test_other_columns_may_be_there_twice() -> None:
    rows = pa.table([pa.array([1]), pa.array([2]), pa.array([3])], names=["user", "x", "x"])
    assert columns_of(rows, ["user"])["user"].to_pylist() == [1]


def test_column_names_that_are_numbers_are_found_by_text() -> None:
    assert columns_of(pd.DataFrame({0: [46]}), ["0"])["0"].to_pylist() == [46]


def test_key_absent_from_some_dicts_is_null() -> None:
    assert columns_of([{"user": 1}, {"item": 2}], ["user"])["user"].to_pylist() == [1, None]


@pytest.mark.parametrize(
    "values", [[46, "46"], [2**64, 1], [True, 2], ["\ud800"], [[1], 2]], ids=["mixed", "huge", "bool", "lone", "nested"]
)
def test_values_of_no_one_type_stay_a_list(values: list[object]) -> None:
    assert columns_of([{"a": value} for value in values], ["a"])["a"] == values


@pytest.mark.parametrize("value", [None, float("nan"), np.float32("nan"), pd.NA, pd.NaT])
def test_markers_of_absence_are_missing(value: object) -> None:
    assert is_missing(value)


@pytest.mark.parametrize("value", [0, "", float("inf"), [], "nan", np.array([1.0])])
def test_present_values_are_not_missing(value: object) -> None:
    assert not is_missing(value)


def test_row_that_grows_while_it_is_read_is_read() -> None:
    row: dict[str, object] = {"a": 46}

    class Growing(str):
        __slots__ = ()

        def __hash__(self) -> int:
            row[f"other {len(row)}"] = None
            return super().__hash__()

    row[Growing("b")] = 7
    assert columns_of([row], ["a"])["a"].to_pylist() == [46]


def test_duckdb_relation_is_read() -> None:
    relation = duckdb.sql("select 46 as user, 'x' as extra")
    assert columns_of(relation, ["user"])["user"].to_pylist() == [46]


@pytest.mark.parametrize("form", ["lazy polars", "dataset"])
def test_missing_column_of_rows_not_read_yet_is_named(form: str) -> None:
    with pytest.raises(DataError, match=r"^column 'exta' is missing; did you mean 'extra'\?"):
        columns_of(FORMS[form], ["user", "exta"])


def test_dataset_with_a_damaged_file_is_refused(tmp_path: Path) -> None:
    pq.write_table(pa.Table.from_pylist(ROWS), tmp_path / "a.parquet")
    (tmp_path / "b.parquet").write_text("user")
    with pytest.raises(DataError, match=r"^rows of type FileSystemDataset cannot be read: .*b\.parquet"):
        columns_of(pa.dataset.dataset(tmp_path), ["user"])
