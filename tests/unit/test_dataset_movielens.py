from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pytest
from artefacts import invented

from polyrank.errors import DataError
from polyrank.schema import Schema
from polyrank.train.datasets import movielens
from polyrank.train.datasets.shipped import schema_text

Writer = Callable[[Path, list[invented.Rating]], Path]
ROWS: list[invented.Rating] = [(2, 1, 5.0, 300), (1, 3, 4.0, 100), (1, 2, 3.0, 200)]
USERS = ("age", "gender", "occupation", "zip_code")
COLUMNS = ["user_id", "movie_id", "rating", "time_s", "like", "love", "title", "release_year", "genres"]
WRITERS: dict[str, Writer] = {
    "ml-100k": invented.write_100k,
    "ml-1m": invented.write_1m,
    "csv": invented.write_csv,
    "recbole": invented.write_recbole,
    "splits": invented.write_splits,
}


@pytest.fixture(params=WRITERS)
def logs(request: pytest.FixtureRequest, tmp_path: Path) -> pa.Table:
    return movielens.load(WRITERS[request.param](tmp_path, ROWS))


@pytest.mark.parametrize("writer", [invented.write_100k, invented.write_1m, invented.write_csv])
def test_download_is_joined_oldest_first(tmp_path: Path, writer: Writer) -> None:
    drama = [] if writer is invented.write_csv else ["Film-Noir"]
    assert movielens.load(writer(tmp_path, ROWS)).select(COLUMNS).to_pydict() == {
        "user_id": [1, 1, 2],
        "movie_id": [3, 2, 1],
        "rating": [4.0, 3.0, 5.0],
        "time_s": [100, 200, 300],
        "like": [1, 0, 1],
        "love": [0, 0, 1],
        "title": ["Yearless", 'The "Second" One', "Café, The"],
        "release_year": [None, 1992, 1991],
        "genres": [drama, ["Drama"], ["Children's", "Film-Noir"]],
    }


def test_every_form_has_the_same_columns_and_types(logs: pa.Table) -> None:
    assert set(logs.column_names) in ({*COLUMNS}, {*COLUMNS, *USERS})
    assert [str(logs[name].type) for name in COLUMNS] == [
        *("int64", "int64", "float", "int64", "int8", "int8", "string", "int64", "list<item: string>")
    ]
    assert {str(logs[name].type) for name in USERS if name in logs.column_names} <= {"int64", "string"}


def test_every_form_fits_its_shipped_schema(logs: pa.Table) -> None:
    schema = Schema.from_toml(schema_text(movielens.schema_name(logs)))
    assert set(schema.training_columns) <= set(logs.column_names)
    assert not set(schema.feature_columns) & set(movielens.OUTCOMES)
    assert ("occupation" in logs.column_names) == ("occupation" in schema.feature_columns)


def test_users_come_with_their_ratings(tmp_path: Path) -> None:
    logs = movielens.load(invented.write_100k(tmp_path, ROWS))
    assert logs.select(USERS).slice(2).to_pylist() == [
        {"age": 22, "gender": "M", "occupation": "artist", "zip_code": "10002"}
    ]


def test_year_of_recbole_is_read_where_it_is_one(tmp_path: Path) -> None:
    logs = movielens.load(invented.write_recbole(tmp_path, ROWS))
    assert logs["title"].to_pylist() == ["Movie 3", "Movie 2", "Movie 1"]
    assert logs["release_year"].to_pylist() == [None, 1962, 1961]


def test_mark_of_a_video_is_no_part_of_its_title(tmp_path: Path) -> None:
    logs = movielens.load(invented.write_1m(tmp_path, [(1, 4, 5.0, 1)]))
    assert (logs["title"][0].as_py(), logs["release_year"][0].as_py()) == ("On Video", 1994)


def test_half_stars_are_read(tmp_path: Path) -> None:
    logs = movielens.load(invented.write_csv(tmp_path, [(1, 1, 3.5, 1), (1, 2, 4.5, 2)]))
    assert logs.select(["rating", "like", "love"]).to_pydict() == {
        "rating": [3.5, 4.5],
        "like": [0, 1],
        "love": [0, 0],
    }


def test_rating_of_zero_in_the_splits_is_unknown_and_old(tmp_path: Path) -> None:
    rows: list[invented.Rating] = [(1, 1, 5.0, 10), (2, 2, 2.0, 20), (3, 3, 4.0, 30), (4, 4, 2.0, 40), (5, 5, 5.0, 50)]
    logs = movielens.load(invented.write_splits(tmp_path, rows)).sort_by("user_id")
    assert logs.select(["rating", "time_s", "like", "love"]).to_pydict() == {
        "rating": [5.0, None, 4.0, None, 5.0],
        "time_s": [10, 10, 30, 10, 50],
        "like": [1, 0, 1, 0, 1],
        "love": [1, 0, 0, 0, 1],
    }


def test_ratings_of_one_time_are_in_one_order_however_they_come(tmp_path: Path) -> None:
    rows: list[invented.Rating] = [(2, 1, 5.0, 7), (1, 2, 4.0, 7), (1, 1, 3.0, 7)]
    for name, part in (("a", rows), ("b", rows[::-1])):
        (tmp_path / name).mkdir()
        invented.write_1m(tmp_path / name, part)
    assert movielens.load(tmp_path / "a").equals(movielens.load(str(tmp_path / "b")))


def spoil(name: str, old: str, new: str) -> Callable[[Path], object]:
    def change(folder: Path) -> None:
        data = (folder / name).read_bytes()
        assert old.encode() in data
        (folder / name).write_bytes(data.replace(old.encode(), new.encode(), 1))

    return change


AGAIN = "unpack the download again"
DAMAGED: dict[str, tuple[str, Callable[[Path], object], str]] = {
    "short row": (
        "ml-100k",
        spoil("u.data", "1\t3\t4\t100", "1\t3"),
        rf"u\.data: row 2: expected 4 fields, got 2; {AGAIN}",
    ),
    "long row": ("ml-1m", spoil("ratings.dat", "::300", "::300::1"), r"ratings\.dat: row 1: expected 4 fields, got 5"),
    "no number": (
        "csv",
        spoil("ratings.csv", "1,3,", "one,3,"),
        r"ratings\.csv: row 3: invalid value 'one', int64 expected",
    ),
    "empty number": (
        "recbole",
        spoil("ml-100k.inter", "1\t3\t4", "1\t\t4"),
        r"ml-100k\.inter: row 3: invalid value '', int64",
    ),
    "stars": (
        "ml-1m",
        spoil("ratings.dat", "1::2::3::", "1::2::7::"),
        r"ratings\.dat: row 3: rating 7 is not in \[0\.5, 5\]",
    ),
    "stars below a header": ("csv", spoil("ratings.csv", ",5.0,", ",0.0,"), r"ratings\.csv: row 2: rating 0 is not in"),
    "flag": (
        "ml-100k",
        spoil("u.item", "/2|0|0|1|0", "/2|0|0|x|0"),
        r"u\.item: row 2: invalid value 'x', bool expected",
    ),
    "no header": ("csv", spoil("movies.csv", "movieId,", "id,"), rf"movies\.csv: column 'movieId' is missing; {AGAIN}"),
    "open quote": ("csv", spoil("movies.csv", '(1965)"', "(1965)"), r"movies\.csv: the quote that opens in line 6"),
    "other text": (
        "csv",
        lambda folder: (folder / "movies.csv").write_bytes(b"movieId,title,genres\n1,\xff,x\n"),
        r"movies\.csv.*; unpack",
    ),
    "empty": ("ml-1m", lambda folder: (folder / "users.dat").write_bytes(b""), rf"users\.dat: empty CSV file; {AGAIN}"),
    "unknown movie": (
        "ml-1m",
        spoil("movies.dat", "3::Year", "99::Year"),
        r"^movie_id 3 of the ratings is not in .*movies\.dat; unpack",
    ),
    "unknown user": (
        "ml-100k",
        spoil("u.user", "2|22", "99|22"),
        r"^user_id 2 of the ratings is not in .*u\.user; unpack",
    ),
    "damaged Parquet": (
        "splits",
        lambda folder: (folder / "ml1m_val.parquet").write_bytes(b"PAR1"),
        r"ml1m_val\.parquet cannot be read",
    ),
}


@pytest.mark.parametrize(("form", "damage", "message"), DAMAGED.values(), ids=DAMAGED)
def test_damage_is_named_with_file_and_row(
    tmp_path: Path, form: str, damage: Callable[[Path], object], message: str
) -> None:
    damage(WRITERS[form](tmp_path, ROWS))
    with pytest.raises(DataError, match=message) as caught:
        movielens.load(tmp_path)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("form", "absent"),
    [("ml-100k", "u.genre"), ("ml-1m", "users.dat"), ("csv", "movies.csv"), ("splits", "ml1m_test.parquet")],
)
def test_absent_file_is_named(tmp_path: Path, form: str, absent: str) -> None:
    WRITERS[form](tmp_path, ROWS)
    (tmp_path / absent).unlink()
    with pytest.raises(DataError, match=rf"looks like ml-.* but lacks {absent}; unpack the whole download$"):
        movielens.load(tmp_path)


def test_other_folder_is_told_what_is_expected(tmp_path: Path) -> None:
    with pytest.raises(
        DataError, match=r"holds no MovieLens; expected the files of ml-100k \(u\.data, u\.item, .*csv\)$"
    ):
        movielens.load(tmp_path)


def test_folder_around_the_data_is_told_of_the_one_inside(tmp_path: Path) -> None:
    (tmp_path / "ml-1m").mkdir()
    invented.write_1m(tmp_path / "ml-1m", ROWS)
    with pytest.raises(DataError, match=r"; did you mean .*ml-1m\?$"):
        movielens.load(tmp_path)


@pytest.mark.parametrize(("name", "state"), [("absent", "does not exist"), ("ml-1m.zip", "is not a folder")])
def test_what_is_no_folder_is_refused(tmp_path: Path, name: str, state: str) -> None:
    (tmp_path / "ml-1m.zip").touch()
    with pytest.raises(DataError, match=rf"{name} {state}; give the folder of an unpacked MovieLens download$"):
        movielens.load(tmp_path / name)


def test_labels_follow_the_stars(logs: pa.Table) -> None:
    known = logs.filter(pc.is_valid(logs["rating"]))
    assert known["like"].to_pylist() == [int(stars >= 4) for stars in known["rating"].to_pylist()]
    assert known["love"].to_pylist() == [int(stars == 5) for stars in known["rating"].to_pylist()]
