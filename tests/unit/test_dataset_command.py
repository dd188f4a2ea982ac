"""`polyrank dataset`: the files that it writes, what it prints, and how it refuses."""

from collections.abc import Callable
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from artefacts import invented

from polyrank.__main__ import main
from polyrank.schema import Schema
from polyrank.train.datasets import storefront
from polyrank.train.datasets.shipped import schema_text
from polyrank.train.validation import describe

Capture = pytest.CaptureFixture[str]
ROWS = invented.ratings(40)
SETS: dict[str, tuple[str, Callable[[Path], Path], str]] = {
    "ml-100k": ("movielens", lambda folder: invented.write_100k(folder, ROWS), "movielens-users"),
    "ml-25m": ("movielens", lambda folder: invented.write_csv(folder, ROWS), "movielens"),
    "census-income": ("census-income", lambda folder: invented.write_census_income(folder, 40), "census-income"),
    "adult": ("adult", lambda folder: invented.write_adult(folder, 40), "adult"),
}


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "raw").mkdir()
    return tmp_path


def names(place: Path) -> list[str]:
    return sorted(path.name for path in place.iterdir())


@pytest.mark.parametrize(("name", "write", "schema"), SETS.values(), ids=SETS)
def test_set_of_files_becomes_logs_and_schema(
    place: Path, capsys: Capture, name: str, write: Callable[[Path], Path], schema: str
) -> None:
    write(place / "raw")
    assert main(["dataset", name, "raw", "--out", "logs.parquet", "--schema", "schema.toml"]) == 0
    logs = pq.read_table("logs.parquet")
    assert (place / "schema.toml").read_text() == schema_text(schema)
    assert set(Schema.load("schema.toml").training_columns) <= set(logs.column_names)
    first, second = capsys.readouterr().out.splitlines()
    assert first == f"logs.parquet: 40 rows, {logs.num_columns} columns"
    assert second == f"schema.toml: the schema of {name}"
    assert names(place) == ["logs.parquet", "raw", "schema.toml"]


def test_storefront_is_simulated_with_its_best_possible_scores(place: Path, capsys: Capture) -> None:
    arguments = ["--rows", "3000", "--users", "20", "--items", "300", "--seed", "5"]
    assert main(["dataset", "storefront", *arguments, "--out", "logs.parquet", "--schema", "schema.toml"]) == 0
    logs = storefront.simulate(3_000, users=20, items=300, seed=5)
    assert pq.read_table("logs.parquet").equals(logs)
    assert capsys.readouterr().out.splitlines() == [
        "logs.parquet: 3,000 rows, 20 columns",
        "schema.toml: the schema of storefront",
        f"best possible: {describe(storefront.best_possible(logs))}",
    ]
    assert names(place) == ["logs.parquet", "raw", "schema.toml"]


@pytest.mark.usefixtures("place")
def test_options_go_before_or_after_the_folder() -> None:
    invented.write_adult(Path("raw"), 10)
    assert main(["dataset", "adult", "--out", "a.parquet", "raw"]) == 0
    assert main(["dataset", "adult", "raw", "-o", "b.parquet"]) == 0
    assert Path("a.parquet").read_bytes() == Path("b.parquet").read_bytes()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["movielens"], "movielens is made of files; give their folder: unpack a download of https://grouplens.org/"),
        (["adult"], "adult is made of files; give their folder: download them from https://archive.ics.uci.edu/"),
        (["storefront", "raw"], "storefront is simulated and reads no files; leave 'raw' out"),
        (["adult", "raw", "--rows", "5"], "unrecognized arguments: --rows 5"),
        (["storefront", "--rows", "many"], "argument --rows: invalid int value: 'many'"),
        (["storefront", "--schema", "./out"], "--schema and --out are both out; give two files"),
        (["nothing"], "argument NAME: invalid choice: 'nothing'"),
    ],
)
def test_wrong_usage_is_told_in_one_line(place: Path, capsys: Capture, arguments: list[str], message: str) -> None:
    with pytest.raises(SystemExit) as caught:
        main(["dataset", *arguments, "--out", "out"])
    assert caught.value.code == 2
    assert f"error: {message}" in capsys.readouterr().err.splitlines()[-1]
    assert names(place) == ["raw"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["movielens", "raw"], "raw holds no MovieLens; expected the files of ml-100k"),
        (["census-income", "absent"], "absent does not exist; give the folder of the files of https://"),
        (["storefront", "--items", "0"], "--items must be an integer in [1, 1000000], got 0"),
        (["storefront", "--schema", "raw"], "cannot write raw: is a directory"),
        (["storefront", "--schema", "/proc/schema.toml"], "cannot write /proc/schema.toml: no such file"),
    ],
)
def test_wrong_input_is_one_line_and_leaves_nothing(
    place: Path, capsys: Capture, arguments: list[str], message: str
) -> None:
    assert main(["dataset", *arguments, "--out", "logs.parquet"]) == 1
    output = capsys.readouterr()
    assert output.err.startswith(f"polyrank: {message}")
    assert (output.err.count("\n"), output.out) == (1, "")
    assert names(place) == ["raw"]


@pytest.mark.parametrize("small_disk", ["300k"], indirect=True)
def test_full_disk_leaves_the_old_files(small_disk: Path, capsys: Capture) -> None:
    logs, schema = small_disk / "logs.parquet", small_disk / "schema.toml"
    for file in (logs, schema):
        file.write_text("old")
    assert main(["dataset", "storefront", "--out", str(logs), "--schema", str(schema)]) == 1
    error = capsys.readouterr().err
    assert error.startswith(f"polyrank: cannot write {logs}: ")
    assert error.endswith("no space left on device; choose another output directory or free space there\n")
    assert [file.read_text() for file in (logs, schema)] == ["old", "old"]
    assert names(small_disk) == ["logs.parquet", "schema.toml"]


def test_interrupted_simulation_leaves_nothing(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("pyarrow.parquet.ParquetWriter.write_batch", interrupt)
    assert main(["dataset", "storefront", "--rows", "10", "--out", "logs.parquet", "--schema", "schema.toml"]) == 130
    assert names(place) == ["raw"]
