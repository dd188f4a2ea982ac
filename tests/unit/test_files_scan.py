"""Files pass by in pieces that are small, whatever the files are."""

from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.csv
import pyarrow.feather
import pyarrow.parquet as pq
import pytest

from polyrank.errors import ConfigError, DataError, RowError
from polyrank.files import MAX_ROWS, Piece, Wanted, heads, scan

ROWS = 2 * MAX_ROWS + 7


def pieces_of(path: Path, *columns: str, **wanted: Any) -> list[tuple[str, int, int]]:
    pieces = list(scan(path, Wanted(columns=columns or None, **wanted)))
    return [(piece.file.name, piece.first_row, piece.table.num_rows) for piece in pieces]


@pytest.mark.parametrize("name", ["a.parquet", "a.arrow", "a.csv"])
def test_pieces_say_where_they_begin(tmp_path: Path, name: str) -> None:
    table = pa.table({"user": pa.array(range(ROWS))})
    writers: dict[str, Any] = {
        "a.parquet": lambda path: pq.write_table(table, path),
        "a.arrow": lambda path: pa.feather.write_feather(table, str(path), compression="uncompressed"),
        "a.csv": lambda path: pa.csv.write_csv(table, path),
    }
    writers[name](tmp_path / name)
    found = pieces_of(tmp_path / name, "user")
    assert [first for _, first, _ in found] == [sum(rows for *_, rows in found[:at]) for at in range(len(found))]
    assert sum(rows for *_, rows in found) == ROWS
    assert max(rows for *_, rows in found) <= MAX_ROWS
    assert len(found) >= 3


PIECE = Piece(Path("a.csv"), 4_000, None)


def test_wrong_row_of_a_piece_is_counted_from_the_start_of_its_file() -> None:
    with pytest.raises(DataError, match=r"^a\.csv: column 'x' holds 7 at row 4,003; 0 expected$"), PIECE.named():
        raise RowError("column 'x' holds 7", 2, "; 0 expected")


def test_rows_before_a_part_of_a_piece_are_counted_too() -> None:
    with pytest.raises(DataError, match=r"^a\.csv: column 'x' holds 7 at row 4,103$"), PIECE.named(100):
        raise RowError("column 'x' holds 7", 2, "")


def test_wrong_column_of_a_piece_names_its_file() -> None:
    with pytest.raises(DataError, match=r"^a\.csv: column 'x' is missing$"), PIECE.named():
        raise DataError("column 'x' is missing")


def test_error_of_something_else_is_left_as_it_is() -> None:
    with pytest.raises(ConfigError, match=r"^k must be 1$"), PIECE.named():
        raise ConfigError("k must be 1")


def test_wide_rows_come_in_smaller_pieces(tmp_path: Path) -> None:
    vectors = pa.FixedSizeListArray.from_arrays(pa.array([0.5] * 4_000_000, pa.float32()), 4_000)
    table = pa.table({"vector": pa.chunked_array([vectors] * 10)})
    pq.write_table(table, tmp_path / "a.parquet", use_dictionary=False)
    pa.feather.write_feather(table.combine_chunks(), str(tmp_path / "a.arrow"), compression="uncompressed")
    for file in ("a.parquet", "a.arrow"):
        assert max(piece.table.nbytes for piece in scan(tmp_path / file, Wanted())) < 80 * 2**20


def test_rows_count_from_the_start_of_each_file(tmp_path: Path) -> None:
    for name in ("a", "b"):
        pq.write_table(pa.table({"user": [1, 2, 3]}), tmp_path / f"{name}.parquet")
    assert pieces_of(tmp_path, "user") == [("a.parquet", 0, 3), ("b.parquet", 0, 3)]


def test_partitions_and_types_are_those_of_all_files(tmp_path: Path) -> None:
    for day, users in (("day=1", pa.array([1], pa.int32())), ("day=x", pa.array([2.0]))):
        (tmp_path / day).mkdir()
        pq.write_table(pa.table({"user": users}), tmp_path / day / "a.parquet")
    found = [piece.table.to_pydict() for piece in scan(tmp_path, Wanted(columns=("day", "user")))]
    assert found == [{"day": ["1"], "user": [1]}, {"day": ["x"], "user": [2.0]}]


def test_files_that_do_not_fit_together_are_refused(tmp_path: Path) -> None:
    pq.write_table(pa.table({"user": [1]}), tmp_path / "a.parquet")
    pq.write_table(pa.table({"user": [[1]]}), tmp_path / "b.parquet")
    with pytest.raises(DataError, match=rf"^the files of {tmp_path} do not fit together: .*user"):
        pieces_of(tmp_path, "user")


def test_key_that_no_line_of_a_file_has_is_null_there(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_text('{"user": 1}\n')
    (tmp_path / "b.jsonl").write_text('{"user": 2, "city": "x"}\n')
    found = [piece.table.to_pylist() for piece in scan(tmp_path, Wanted(columns=("city", "user")))]
    assert found == [[{"city": None, "user": 1}], [{"city": "x", "user": 2}]]
    with pytest.raises(DataError, match=r"column 'zip' is missing \(the file has: user, city\)$"):
        pieces_of(tmp_path, "user", "zip")


def test_data_set_without_rows_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("user\n")
    (tmp_path / "b.jsonl").write_text("")
    with pytest.raises(DataError, match=rf"^{tmp_path} holds no row$"):
        pieces_of(tmp_path, "user")


def test_head_of_each_file_has_the_columns_of_that_file(tmp_path: Path) -> None:
    (tmp_path / "day=1").mkdir()
    pq.write_table(pa.table({"user": pa.array(range(ROWS))}), tmp_path / "day=1" / "a.parquet")
    (tmp_path / "b.csv").write_text("city\nOslo\n")
    (tmp_path / "c.csv").write_text("city\n")
    found = [(head.file.name, head.table.column_names, head.table.num_rows) for head in heads(tmp_path, Wanted())]
    assert found == [("b.csv", ["city", "day"], 1), ("a.parquet", ["user", "day"], MAX_ROWS)]
