import gzip
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest
from artefacts import invented

from polyrank.errors import DataError
from polyrank.schema import Schema
from polyrank.train.datasets import adult, census_income
from polyrank.train.datasets.shipped import schema_text

Writer = Callable[[Path, int], Path]
ADULT = """41, Local-gov, 1234, Masters, 14, Never-married, Sales, Unmarried, White, Male, 100, 0, 40, ?, <=50K
50, ?, 4321, HS-grad, 9, Divorced, ?, Husband, White, Male, 0, 0, 13, Peru, >50K

"""
SETS = [(adult, invented.write_adult), (census_income, invented.write_census_income)]


def census_row(**changes: str) -> str:
    row = dict.fromkeys(census_income.COLUMNS, " Not in universe") | dict.fromkeys(census_income.INTEGERS, " 0")
    row |= {"instance_weight": " 1032.38", "marital_stat": " Never married", "income": " - 50000."}
    return ",".join((row | changes).values()) + "\n"


@pytest.fixture
def adult_folder(tmp_path: Path) -> Path:
    (tmp_path / "adult.data").write_text(ADULT)
    (tmp_path / "adult.test").write_text("|1x3 Cross validator\n" + ADULT.replace("50K\n", "50K.\n"))
    return tmp_path


def test_adult_is_read_with_labels_and_without_spaces(adult_folder: Path) -> None:
    first, second = adult.load(adult_folder).slice(0, 2).to_pylist()
    assert first == {
        "age": 41,
        "workclass": "Local-gov",
        "fnlwgt": 1234,
        "education": "Masters",
        "education_num": 14,
        "marital_status": "Never-married",
        "occupation": "Sales",
        "relationship": "Unmarried",
        "race": "White",
        "sex": "Male",
        "capital_gain": 100,
        "capital_loss": 0,
        "hours_per_week": 40,
        "native_country": None,
        "income_above_50k": 0,
        "part": "data",
        "never_married": 1,
    }
    assert (second["workclass"], second["income_above_50k"], second["never_married"]) == (None, 1, 0)


def test_test_part_has_the_same_rows_in_spite_of_its_first_line_and_dots(adult_folder: Path) -> None:
    table = adult.load(str(adult_folder))
    assert table["part"].to_pylist() == ["data", "data", "test", "test"]
    parts = [table.slice(start, 2).drop_columns(["part"]).to_pylist() for start in (0, 2)]
    assert parts[0] == parts[1]


def test_census_row_is_read_by_name(tmp_path: Path) -> None:
    changed = census_row(age="38", class_of_worker=" ?", hispanic_origin=" NA", weeks_worked_in_year=" 52", year=" 95")
    (tmp_path / "census-income.data").write_text(changed)
    table = census_income.load(tmp_path)
    assert table.column_names == [*census_income.COLUMNS[:-1], "income_above_50k", "part", "never_married"]
    row = table.to_pylist()[0]
    assert (row["age"], row["weeks_worked_in_year"], row["year"], row["instance_weight"]) == (38, 52, 95, 1032.38)
    assert (row["class_of_worker"], row["hispanic_origin"], row["education"]) == (None, "NA", "Not in universe")
    assert (row["income_above_50k"], row["never_married"]) == (0, 1)


def test_unknown_marriage_is_an_unknown_label(tmp_path: Path) -> None:
    (tmp_path / "census-income.test").write_text(census_row(marital_stat=" ?") + census_row(marital_stat=" Widowed"))
    assert census_income.load(tmp_path)["never_married"].to_pylist() == [None, 0]


def test_plain_and_compressed_files_are_one(tmp_path: Path) -> None:
    text = census_row(income=" 50000+.") + census_row()
    (tmp_path / "census-income.data.gz").write_bytes(gzip.compress(text.encode()))
    packed = census_income.load(tmp_path)
    (tmp_path / "census-income.data").write_text(text)
    assert census_income.load(tmp_path).equals(packed)
    assert packed["income_above_50k"].to_pylist() == [1, 0]


@pytest.mark.parametrize(("module", "writer"), SETS, ids=["adult", "census-income"])
def test_set_fits_its_shipped_schema(tmp_path: Path, module: ModuleType, writer: Writer) -> None:
    table = module.load(writer(tmp_path, 30))
    schema = Schema.from_toml(schema_text(module.schema_name(table)))
    weight = "fnlwgt" if module is adult else "instance_weight"
    unused = set(table.column_names) - set(schema.feature_columns)
    assert unused == {*module.OUTCOMES, weight, "part"}
    assert {task.label for task in schema.tasks} == {"income_above_50k", "never_married"}


@pytest.mark.parametrize(
    ("name", "old", "new", "message"),
    [
        ("adult.data", ", 13, Peru", ", 13", r"adult\.data: row 2: expected 15 fields, got 14; unpack"),
        ("adult.data", "\n50,", "\nfifty,", r"adult\.data: row 2: invalid value 'fifty', int64 expected; unpack"),
        ("adult.test", "\n50,", "\n5.5,", r"adult\.test: row 3: invalid value '5\.5', int64 expected; unpack"),
        ("adult.test", ">50K.", "rich", r"adult\.test: row 3: income 'rich' is none of 50000\+, >50K, - 50000, <=50K;"),
        ("adult.data", ">50K", "?", r"adult\.data: row 2: income '\?' is none of"),
    ],
)
def test_damage_is_named_with_file_and_row(adult_folder: Path, name: str, old: str, new: str, message: str) -> None:
    text = (adult_folder / name).read_text()
    assert old in text
    (adult_folder / name).write_text(text.replace(old, new, 1))
    with pytest.raises(DataError, match=message):
        adult.load(adult_folder)


@pytest.mark.parametrize(
    "content",
    [b"", b"\x1f\x8b damaged", gzip.compress(b"38, x\n" * 9)[:-9]],
    ids=["empty", "no gzip", "cut short"],
)
def test_damaged_archive_is_named(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "census-income.data.gz").write_bytes(content)
    with pytest.raises(DataError, match=r"census-income\.data\.gz.*; unpack the download again$") as caught:
        census_income.load(tmp_path)
    assert "\n" not in str(caught.value)


def test_folder_without_the_files_is_told_where_they_are(tmp_path: Path) -> None:
    source = "https://archive.ics.uci.edu/dataset/117"
    with pytest.raises(DataError, match=rf"holds neither census-income\.data nor census-income\.test.* from {source}$"):
        census_income.load(tmp_path)


@pytest.mark.parametrize(("name", "state"), [("absent", "does not exist"), ("adult.zip", "is not a folder")])
def test_what_is_no_folder_is_refused(tmp_path: Path, name: str, state: str) -> None:
    (tmp_path / "adult.zip").touch()
    with pytest.raises(DataError, match=rf"{name} {state}; give the folder of the files of https://archive\.ics"):
        adult.load(tmp_path / name)
