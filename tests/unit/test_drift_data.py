"""Data sets that are compared: files of any form, and what is refused."""

import datetime as dt
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq
import pytest
from artefacts.compared import AGE, CLICK, GENRE, ITEM, WORD, Columns, Compared, cycle, values
from artefacts.runs import make_schema_of
from toy import toy_table

from polyrank.drift import compare, scores_in_columns
from polyrank.errors import ConfigError, DataError
from polyrank.schema import Schema


@pytest.fixture
def compared(tmp_path: Path) -> Compared:
    return Compared(tmp_path)


WRONG: dict[str, tuple[str, Columns, str]] = {
    "no column": (WORD, {"other": ["a"]}, "current.parquet: column 'word' is missing (the file has: other)"),
    "infinite": (AGE, {"age": [1.0, np.inf]}, "current.parquet: column 'age' holds inf at row 2"),
    "a fraction": (ITEM, {"item": [1.0, 2.5]}, "current.parquet: column 'item' holds 2.5 at row 2"),
    "a date": (WORD, {"word": [dt.date(2026, 1, 1)]}, "current.parquet: column 'word' holds "),
    "a label": (AGE, {"age": [1.0, 2.0], "is_click": [0, 7]}, "current.parquet: label column 'is_click' holds 7"),
    "no row": (AGE, {"age": pa.array([], pa.float64())}, "current.parquet holds no row"),
}


@pytest.mark.parametrize("case", WRONG)
def test_data_that_do_not_fit_are_refused(compared: Compared, case: str) -> None:
    feature, current, message = WRONG[case]
    good = {"word": ["a"], "age": [1.0], "item": [1], "is_click": [1]}
    with pytest.raises(DataError) as caught:
        compared((feature,), good, current)
    assert message in str(caught.value)


BAD_SCORES: dict[str, tuple[Any, str]] = {
    "text": (["a"], "column 'click' holds string; numbers expected as scores"),
    "lists": ([[0.5]], "column 'click' holds list<element: double>; numbers expected as scores"),
}


@pytest.mark.parametrize("case", BAD_SCORES)
def test_scores_that_are_none_are_refused(compared: Compared, case: str) -> None:
    column, message = BAD_SCORES[case]
    rows = {"age": [1.0], "click": column}
    with pytest.raises(DataError) as caught:
        compared((AGE,), rows, rows, scores=scores_in_columns(make_schema_of(AGE, tasks=(CLICK,))))
    assert str(caught.value).endswith(message)


def test_scores_of_another_number_of_classes_are_refused(compared: Compared) -> None:
    rows = {"age": [1.0], "genre": [[0.5, 0.5]]}
    with pytest.raises(DataError, match=r"column 'genre' holds list<.*>; lists of 3 numbers expected as scores$"):
        compared((AGE,), rows, rows, (GENRE,), scores=scores_in_columns(make_schema_of(AGE, tasks=(GENRE,))))


def write_folder(table: pa.Table, path: Path) -> None:
    path.mkdir()
    pq.write_table(table[:100], path / "a.parquet")
    pq.write_table(table[:0], path / "b.parquet")
    pq.write_table(table[100:], path / "c.parquet")


WRITERS: dict[str, Callable[[pa.Table, Path], object]] = {
    "current.csv": pyarrow.csv.write_csv,
    "current": write_folder,
}


@pytest.mark.parametrize("name", WRITERS)
def test_files_of_any_form_are_compared(tmp_path: Path, name: str) -> None:
    table = pa.table({"word": cycle(["a", "7", None]), "item": cycle([1, 2]), "age": cycle([1.5, 2.5, None])})
    pq.write_table(table, tmp_path / "reference.parquet")
    WRITERS[name](table, tmp_path / name)
    schema = make_schema_of(WORD, ITEM, AGE, tasks=(CLICK,))
    result = compare(schema, tmp_path / "reference.parquet", tmp_path / name)
    assert result.current.rows == 600
    assert {value for drift in result.drifts for value in values(drift).values()} == {0.0}


def test_progress_counts_the_rows_of_each(compared: Compared) -> None:
    seen: list[int] = []
    compared((AGE,), {"age": [1.0, 2.0]}, {"age": [1.0]}, progress=lambda done, _total: seen.append(done))
    assert seen == [2, 1]


def test_schema_need_not_be_resolved(tmp_path: Path, toy_schema: Schema) -> None:
    pq.write_table(toy_table(50), tmp_path / "rows.parquet")
    result = compare(toy_schema, tmp_path / "rows.parquet", tmp_path / "rows.parquet")
    assert len(result.drifts) == 13


def test_paths_may_be_text(tmp_path: Path, toy_schema: Schema) -> None:
    pq.write_table(toy_table(50, 0), tmp_path / "rows.parquet")
    rows = str(tmp_path / "rows.parquet")
    assert compare(toy_schema, rows, rows).drifted == ()


def test_what_is_no_path_is_refused(toy_schema: Schema) -> None:
    with pytest.raises(ConfigError, match=r"^current must be a path, got 46$"):
        compare(toy_schema, "rows.parquet", 46)  # type: ignore[arg-type]
