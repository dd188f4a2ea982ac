"""Rows are read in pieces, answered, and told from those that the model was trained on."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq
import pytest
from artefacts.evaluated import CLICK, EVERY_TASK, TASTE, Formula, answers_of, few, schema_of, table_of, written
from numpy.testing import assert_array_equal
from numpy.typing import NDArray

from polyrank.errors import DataError, RequestError
from polyrank.evaluation import reading
from polyrank.evaluation.keys import Keys, keys_of
from polyrank.evaluation.options import EvaluationOptions
from polyrank.evaluation.reading import ReadRows, known_values, read_rows
from polyrank.files import Piece, Wanted
from polyrank.labels import groups
from polyrank.metrics.evaluation import group_codes
from polyrank.schema import Schema

SCHEMA = schema_of(*EVERY_TASK, extra='group = "user"\ntime = "at"\nsample_weight = "weight"')
TABLE = table_of(200)
PIECES = (TABLE.slice(0, 70), TABLE.slice(70, 100), TABLE.slice(170))


def read(
    folder: Path,
    *pieces: pa.Table,
    schema: Schema = SCHEMA,
    options: EvaluationOptions | None = None,
    marks: NDArray[np.bool_] | None = None,
) -> ReadRows:
    options = options or few()
    rows = written(folder, *pieces)
    return read_rows(
        Formula(schema), rows, options, keys_of(schema, user=options.user, item=options.item), evaluated=marks
    )


def changed(table: pa.Table, **columns: Any) -> pa.Table:
    for name, values in columns.items():
        table = table.set_column(table.column_names.index(name), name, pa.array(values))
    return table


def test_answers_and_labels_are_those_of_all_pieces(tmp_path: Path) -> None:
    rows = read(tmp_path, *PIECES).answered
    for name, answers in answers_of(SCHEMA, TABLE).items():
        assert_array_equal(rows.answers[name], answers)
    assert_array_equal(rows.labels[:, 0], TABLE["c"].to_numpy())


def test_label_is_unobserved_where_its_condition_is_not_one(tmp_path: Path) -> None:
    rows = read(tmp_path, *PIECES).answered
    assert_array_equal(np.isnan(rows.labels[:, 1]), TABLE["c"].to_numpy() == 0)


def test_groups_are_numbered_over_pieces(tmp_path: Path) -> None:
    expected = group_codes(groups(TABLE["user"], "user"))
    assert_array_equal(read(tmp_path, *PIECES).answered.groups, expected)
    assert (expected == -1).any()


def test_group_that_names_no_user_is_read_too(tmp_path: Path) -> None:
    schema = schema_of(CLICK, extra='group = "user"')
    found = read(tmp_path, *PIECES, schema=schema, options=few(user="country"))
    assert_array_equal(found.answered.groups, group_codes(groups(TABLE["user"], "user")))
    assert_array_equal(found.users, groups(TABLE["country"], "country"))


def test_weights_are_read(tmp_path: Path) -> None:
    assert_array_equal(read(tmp_path, *PIECES).answered.weights, TABLE["weight"].to_numpy())


def test_schema_without_groups_and_weights_has_none(tmp_path: Path) -> None:
    rows = read(tmp_path, *PIECES, schema=schema_of(CLICK)).answered
    assert (rows.groups, rows.weights) == (None, None)


def test_times_are_those_of_the_oldest_and_newest_row(tmp_path: Path) -> None:
    assert read(tmp_path, *reversed(PIECES)).times == ("2023-11-14T22:13:20Z", "2023-11-15T01:32:20Z")


def test_times_are_those_of_the_evaluated_rows(tmp_path: Path) -> None:
    marks = np.arange(200) == 60
    assert read(tmp_path, *PIECES, marks=marks).times == ("2023-11-14T23:13:20Z",) * 2


def test_missing_times_are_passed_over(tmp_path: Path) -> None:
    times = [None, *TABLE["at"].to_pylist()[1:-1], None]
    assert read(tmp_path, changed(TABLE, at=times)).times == ("2023-11-14T22:14:20Z", "2023-11-15T01:31:20Z")


@pytest.mark.parametrize("kind", [pa.int64(), pa.null(), pa.timestamp("s")], ids=str)
def test_rows_without_a_time_are_read(tmp_path: Path, kind: pa.DataType) -> None:
    assert read(tmp_path, changed(TABLE, at=pa.nulls(200, kind))).times is None


def test_wrong_time_after_a_missing_one_is_told_by_its_row(tmp_path: Path) -> None:
    times = [None, "2026-07-01T12:00:00Z", "noon"]
    with pytest.raises(DataError, match=r"0\.parquet: time column 'at' holds 'noon' at row 3; times with a zone"):
        read(tmp_path, changed(TABLE.slice(0, 3), at=times))


def test_only_marked_rows_are_answered(tmp_path: Path) -> None:
    marks = np.random.default_rng(0).random(200) < 0.3
    found = read(tmp_path, *PIECES, marks=marks)
    assert_array_equal(found.answered.answers["click"], answers_of(SCHEMA, TABLE)["click"][marks])
    assert_array_equal(found.answered.labels[:, 0], TABLE["c"].to_numpy()[marks])
    assert_array_equal(found.answered.weights, TABLE["weight"].to_numpy()[marks])
    assert_array_equal(found.users, groups(TABLE["user"], "user")[marks])


def test_file_without_a_marked_row_is_passed_over(tmp_path: Path) -> None:
    assert len(read(tmp_path, *PIECES, marks=np.arange(200) >= 170).answered) == 30


def test_values_of_other_rows_are_the_known_ones(tmp_path: Path) -> None:
    marks = np.arange(200) >= 150
    found = read(tmp_path, *PIECES, marks=marks)
    assert_array_equal(found.known_users, np.unique(groups(TABLE["user"].slice(0, 150), "user")))
    assert_array_equal(found.known_items, np.unique(groups(TABLE["item"].slice(0, 150), "item")))


def test_known_values_come_from_other_files(tmp_path: Path) -> None:
    pq.write_table(TABLE.slice(0, 20).select(["item", "user"]), tmp_path / "known.parquet")
    found = read(tmp_path, *PIECES, options=few(known=tmp_path / "known.parquet"))
    assert_array_equal(found.known_users, np.unique(groups(TABLE["user"].slice(0, 20), "user")))


def test_nothing_is_known_of_all_rows(tmp_path: Path) -> None:
    found = read(tmp_path, *PIECES)
    assert (found.known_users, found.known_items) == (None, None)


def test_known_files_without_the_column_are_told(tmp_path: Path) -> None:
    pq.write_table(TABLE.select(["user"]), tmp_path / "known.parquet")
    with pytest.raises(DataError, match=r"known\.parquet: column 'item' is missing"):
        read(tmp_path, *PIECES, options=few(known=tmp_path / "known.parquet"))


def lines(file: Path, *rows: dict[str, Any]) -> Path:
    file.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return file


def unanswered(*_: Any) -> Any:
    pytest.fail("the model was asked")


PLAIN = schema_of(CLICK, features='{ name = "price", kind = "numeric" }')


def test_known_files_without_the_column_are_told_before_an_answer(tmp_path: Path) -> None:
    known = lines(tmp_path / "known.jsonl", {"user": 1})
    with pytest.raises(DataError, match=r"known\.jsonl: column 'item' is missing"):
        read_rows(Formula(SCHEMA, unanswered), written(tmp_path, TABLE), few(known=known), Keys("user", "item"))


def test_column_in_no_line_is_told_before_an_answer(tmp_path: Path) -> None:
    rows = lines(tmp_path / "rows.jsonl", {"price": 1, "c": 1}, {"price": 2, "c": 0})
    with pytest.raises(DataError, match=r"rows\.jsonl: column 'hours' is missing"):
        read_rows(Formula(PLAIN, unanswered), rows, few(by=("hours",)), Keys(None, None))


def test_column_of_one_file_of_lines_is_not_missing(tmp_path: Path) -> None:
    (tmp_path / "rows").mkdir()
    lines(tmp_path / "rows" / "a.jsonl", {"price": 1, "c": 1})
    lines(tmp_path / "rows" / "b.jsonl", {"price": 2, "c": 0}, {"price": 2, "c": 0, "tag": "a"})
    answers = Formula(PLAIN, lambda _schema, rows: {"click": np.zeros(len(rows), np.float32)})
    found = read_rows(answers, tmp_path / "rows", few(by=("tag",)), Keys(None, None))
    assert found.columns["tag"].to_pylist() == [None, None, "a"]


def test_known_values_of_no_column_are_none() -> None:
    assert known_values(Path("nowhere"), (), Wanted(columns=())) == {}


def test_last_rows_are_of_all_rows(tmp_path: Path) -> None:
    found = read(tmp_path, *PIECES, marks=np.arange(200) < 10)
    assert found.last_items is not None
    assert found.last_items.counts.sum() == 200


def test_last_rows_have_the_columns_of_their_half(tmp_path: Path) -> None:
    found = read(tmp_path, *PIECES)
    assert found.last_users is not None
    assert found.last_items is not None
    assert set(found.last_users.table().column_names) == {"user", "country", "hour", "history"}
    assert set(found.last_items.table().column_names) == {"item", "price"}


def test_last_rows_without_a_catalogue_are_names_alone(tmp_path: Path) -> None:
    found = read(tmp_path, *PIECES, options=few(catalogue_users=0))
    assert found.last_users is not None
    assert found.last_users.table().column_names == ["user"]


def test_sampled_rows_are_at_their_positions(tmp_path: Path) -> None:
    marks = np.random.default_rng(0).random(200) < 0.5
    found = read(tmp_path, *PIECES, marks=marks, options=few(importance_rows=20))
    prices = TABLE["price"].to_numpy()[marks][found.sample.positions]
    assert found.sample.table()["price"].to_pylist() == prices.tolist()


def test_asked_columns_are_of_the_answered_rows(tmp_path: Path) -> None:
    marks = np.random.default_rng(0).random(200) < 0.5
    found = read(tmp_path, *PIECES, marks=marks, options=few(by=("weight",)))
    assert found.columns["weight"].to_pylist() == TABLE["weight"].to_numpy()[marks].tolist()


def test_progress_counts_rows_of_files(tmp_path: Path) -> None:
    told: list[Any] = []
    read(tmp_path, *PIECES, options=few(progress=lambda *now: told.append(now)))
    assert told == [("answer", 70, None), ("answer", 170, None), ("answer", 200, None)]


def test_progress_knows_the_rows_of_marks(tmp_path: Path) -> None:
    told: list[Any] = []
    read(tmp_path, *PIECES, marks=np.ones(200, bool), options=few(progress=lambda *now: told.append(now)))
    assert told[-1] == ("answer", 200, 200)


def test_empty_file_beside_others_is_passed_over(tmp_path: Path) -> None:
    assert len(read(tmp_path, TABLE.slice(0, 0), TABLE).answered) == 200


def test_files_without_a_row_are_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"rows holds no row$"):
        read(tmp_path, TABLE.slice(0, 0))


def test_marks_of_no_row_are_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"rows holds no row to evaluate$"):
        read(tmp_path, *PIECES, marks=np.zeros(200, bool))


@pytest.mark.parametrize(("marks", "held"), [(199, "there are more"), (201, "{} holds 200")])
def test_marks_of_other_rows_are_refused(tmp_path: Path, marks: int, held: str) -> None:
    with pytest.raises(DataError) as caught:
        read(tmp_path, *PIECES, marks=np.ones(marks, bool))
    assert str(caught.value) == f"evaluated marks {marks} rows, and {held.format(tmp_path / 'rows')}; mark every row"


WRONG: dict[str, tuple[dict[str, Any], str]] = {
    "label": ({"c": [0] * 5 + [7] + [1] * 64}, "label column 'c' holds 7 at row 6; 0 or 1 expected"),
    "weight": ({"weight": [1.0] * 69 + [-1.0]}, "weight column 'weight' holds -1 at row 70; numbers of 0 and above"),
    "feature": ({"hour": [0.5] + [1.0] * 69}, "column 'hour' holds 0.5 at row 1; whole numbers expected"),
}


@pytest.mark.parametrize("case", WRONG)
def test_wrong_value_is_told_with_file_and_row(tmp_path: Path, case: str) -> None:
    columns, message = WRONG[case]
    with pytest.raises(DataError) as caught:
        read(tmp_path, TABLE, changed(TABLE.slice(0, 70), **columns))
    assert str(caught.value).startswith(f"{tmp_path}/rows/1.parquet: {message}")


def test_row_of_a_later_piece_is_counted_from_the_start_of_its_file(monkeypatch: pytest.MonkeyPatch) -> None:
    pieces = [Piece(Path("a.parquet"), 0, TABLE), Piece(Path("a.parquet"), 5_000, changed(TABLE, c=[2] * 200))]
    monkeypatch.setattr(reading, "scan", lambda *_: iter(pieces))
    monkeypatch.setattr(reading, "list_files", lambda *_: [])
    with pytest.raises(DataError, match=r"^a\.parquet: label column 'c' holds 2 at row 5,001; 0 or 1 expected"):
        read_rows(Formula(SCHEMA), Path("a.parquet"), few(), Keys(None, None))


def test_answerer_s_error_names_the_file(tmp_path: Path) -> None:
    def refuse(_schema: Schema, _rows: pa.Table) -> Any:
        raise DataError("column 'price' holds text")

    with pytest.raises(DataError, match=r"rows/0\.parquet: column 'price' holds text$"):
        read_rows(Formula(SCHEMA, refuse), written(tmp_path, TABLE), few(), Keys(None, None))


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf], ids=str)
@pytest.mark.parametrize("task", ["click", "genre"])
def test_answer_that_is_no_number_is_told_with_its_row(tmp_path: Path, task: str, value: float) -> None:
    def broken(schema: Schema, rows: pa.Table) -> dict[str, NDArray[np.float32]]:
        answers = answers_of(schema, rows)
        answers[task][rows["price"].to_numpy() == TABLE["price"][105].as_py(), ...] = value
        return answers

    rows, marks = written(tmp_path, *PIECES), np.arange(200) % 5 == 0
    with pytest.raises(DataError) as caught:
        read_rows(Formula(SCHEMA, broken), rows, few(), keys_of(SCHEMA), evaluated=marks)
    assert str(caught.value) == (
        f"{rows}/1.parquet: the answer for task {task!r} is {value} at row 36; a finite number expected: "
        "correct the row's features, or train anew with a lower learning rate"
    )


def test_first_answer_that_is_no_number_is_told(tmp_path: Path) -> None:
    def broken(schema: Schema, rows: pa.Table) -> dict[str, NDArray[np.float32]]:
        answers = answers_of(schema, rows)
        answers["click"][4:], answers["taste"][2:] = np.nan, np.inf
        return answers

    with pytest.raises(DataError, match=r"the answer for task 'taste' is inf at row 3;"):
        read_rows(Formula(SCHEMA, broken), written(tmp_path, TABLE), few(), Keys(None, None))


def test_server_s_error_is_left_as_it_is(tmp_path: Path) -> None:
    def refuse(_schema: Schema, _rows: pa.Table) -> Any:
        raise RequestError("another run went live")

    with pytest.raises(RequestError, match=r"^another run went live$"):
        read_rows(Formula(SCHEMA, refuse), written(tmp_path, TABLE), few(), Keys(None, None))


def test_csv_files_are_read_in_their_encoding(tmp_path: Path) -> None:
    rows = changed(TABLE.drop_columns(["history"]), country=["é"] * 200)
    schema = schema_of(TASTE, features='{ name = "country", kind = "categorical", dtype = "text", num_buckets = 9 }')
    text = tmp_path / "rows.csv"
    pyarrow.csv.write_csv(rows, text)
    text.write_bytes(text.read_text("utf-8").encode("latin-1"))
    options = few(encoding="latin-1", by=("country",))
    found = read_rows(
        Formula(schema, lambda _schema, rows: {"taste": np.zeros(len(rows), np.float32)}),
        text,
        options,
        Keys(None, None),
    )
    assert found.columns["country"].unique().to_pylist() == ["é"]


def test_users_are_the_groups_unless_named() -> None:
    assert keys_of(SCHEMA) == Keys("user", "item")
    assert keys_of(schema_of(CLICK, extra='group = "session"')) == Keys("session", "item")
    assert keys_of(SCHEMA, user="country", item="hour") == Keys("country", "hour")


def test_users_without_groups_are_the_first_feature_of_users() -> None:
    assert keys_of(schema_of(CLICK)) == Keys("user", "item")


def test_schema_without_such_features_names_nobody() -> None:
    schema = schema_of(CLICK, features='{ name = "price", kind = "numeric" }')
    assert keys_of(schema) == Keys(None, None)
