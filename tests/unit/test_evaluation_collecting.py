import numpy as np
import pyarrow as pa
import pytest
from scipy.stats import chisquare

from polyrank.errors import DataError
from polyrank.evaluation import collecting
from polyrank.evaluation.collecting import LastRows, SampledRows
from polyrank.labels import groups


def numbered(count: int, values: int, seed: int = 0) -> pa.Table:
    users = np.random.default_rng(seed).integers(0, values, count)
    return pa.table({"user": users, "row": np.arange(count)})


def collected(column: str, *pieces: pa.Table) -> LastRows:
    rows = LastRows(column, pieces[0].column_names)
    for piece in pieces:
        rows.add(piece)
    return rows


def sampled(size: int, seed: int, *pieces: pa.Table) -> SampledRows:
    rows = SampledRows(size, np.random.default_rng(seed))
    for piece in pieces:
        rows.add(piece)
    return rows


def test_last_row_of_each_value_is_kept() -> None:
    table = numbered(1_000, 37)
    rows = collected("user", *(table.slice(start, 90) for start in range(0, 1_000, 90)))
    last = {user: row for row, user in enumerate(table["user"].to_pylist())}
    assert dict(zip(*rows.table().to_pydict().values(), strict=True)) == last


def test_columns_that_are_not_named_are_let_go() -> None:
    rows = LastRows("user", ["row"])
    rows.add(numbered(9, 3).append_column("text", pa.array(["a"] * 9)))
    assert rows.table().column_names == ["user", "row"]


def test_rows_of_each_value_are_counted_over_pieces() -> None:
    table = numbered(1_000, 37)
    rows = collected("user", table.slice(0, 400), table.slice(400))
    expected = np.bincount(table["user"].to_numpy())
    assert rows.counts.tolist() == expected[rows.table()["user"].to_numpy()].tolist()


def test_values_stand_in_the_order_of_their_first_rows() -> None:
    rows = collected("user", pa.table({"user": ["c", "a", "c"]}), pa.table({"user": ["b", "a"]}))
    assert rows.table()["user"].to_pylist() == ["c", "a", "b"]


def test_missing_values_are_of_nobody() -> None:
    rows = collected("user", pa.table({"user": pa.array([7, None, 7])}), pa.table({"user": pa.nulls(2)}))
    assert (rows.table()["user"].to_pylist(), rows.counts.tolist()) == ([7], [2])


def test_value_is_one_in_files_of_other_types() -> None:
    rows = collected("user", pa.table({"user": [7]}), pa.table({"user": pa.array([7], pa.int32())}))
    assert rows.counts.tolist() == [2]


def test_pieces_are_merged_before_they_are_many(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(collecting, "MIN_PENDING", 50)
    table, rows = numbered(1_000, 10), LastRows("user")
    for start in range(0, 1_000, 5):
        rows.add(table.slice(start, 5))
        assert sum(part.rows.num_rows for part in rows._parts) <= 10 + 50  # noqa: SLF001 (what it holds)


def test_places_are_where_values_stand_in_the_table() -> None:
    table = numbered(1_000, 37)
    rows = collected("user", table.slice(0, 400), table.slice(400))
    users = rows.table()["user"].to_numpy()[rows.places(groups(table["user"], "user"))]
    assert users.tolist() == table["user"].to_pylist()


def test_value_that_is_not_there_has_no_place() -> None:
    rows = collected("user", pa.table({"user": ["a", "b"]}))
    assert rows.places(groups(pa.array(["b", "z", None, "a"]), "user")).tolist() == [1, -1, -1, 0]


def test_nothing_has_a_place_where_all_is_missing() -> None:
    rows = collected("user", pa.table({"user": pa.nulls(3)}))
    assert rows.places(np.array([5, -1])).tolist() == [-1, -1]


def test_last_rows_of_nothing_are_refused() -> None:
    with pytest.raises(DataError, match=r"^there is no row, so column 'user' has no value; add rows first$"):
        LastRows("user").table()


def test_sample_has_rows_and_their_positions_in_order() -> None:
    table = numbered(1_000, 37)
    rows = sampled(100, 1, *(table.slice(start, 130) for start in range(0, 1_000, 130)))
    assert rows.positions.tolist() == rows.table()["row"].to_pylist() == sorted(set(rows.positions.tolist()))


def test_sample_has_as_many_rows_as_asked_for() -> None:
    table = numbered(1_000, 37)
    assert sampled(100, 1, table.slice(0, 30), table.slice(30)).table().num_rows == 100


def test_sample_of_few_rows_is_all_of_them() -> None:
    table = numbered(50, 37)
    assert sampled(100, 1, table.slice(0, 30), table.slice(30)).table().equals(table)


def test_each_row_is_sampled_equally_often() -> None:
    table = numbered(20, 5)
    drawn = [sampled(6, seed, *(table.slice(start, 3) for start in range(0, 20, 3))).positions for seed in range(1_000)]
    assert chisquare(np.bincount(np.concatenate(drawn), minlength=20)).pvalue > 0.001


def test_sample_is_that_of_its_generator() -> None:
    table = numbered(1_000, 37)
    assert sampled(10, 4, table).positions.tolist() == sampled(10, 4, table).positions.tolist()


def test_sample_of_nothing_is_refused() -> None:
    with pytest.raises(DataError, match=r"^there is no row to draw from; add rows first$"):
        SampledRows(3, np.random.default_rng(0)).table()
