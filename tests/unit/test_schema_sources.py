"""`polyrank schema check` and `infer` on what training takes: directories, patterns, partitions, formats, encodings."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.csv
import pyarrow.feather
import pyarrow.parquet as pq
import pytest

from polyrank.__main__ import main
from polyrank.files import MAX_ROWS
from polyrank.schema import Schema

Capture = pytest.CaptureFixture[str]
ROWS = 600
SCHEMA = """
name = "many"
time = "at"
time_unit = "s"
features = [
  { name = "user", kind = "categorical", dtype = "int64", num_buckets = 1_000 },
  { name = "city", kind = "categorical", dtype = "text", num_buckets = 100 },
  { name = "day", kind = "categorical", dtype = "text", num_buckets = 100 },
]
tasks = [{ name = "click", kind = "binary", label = "is_click" }]
"""


def rows(seed: int = 0, count: int = ROWS) -> pa.Table:
    generator = np.random.default_rng(seed)
    return pa.table(
        {
            "at": np.arange(count) + 1_700_000_000 + 10_000 * seed,
            "user": generator.integers(0, 80, count),
            "city": generator.choice(["Paris", "Zürich", "Oslo"], count).tolist(),
            "is_click": generator.integers(0, 2, count),
        }
    )


@pytest.fixture(autouse=True)
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("schema.toml").write_text(SCHEMA)
    for seed, day in enumerate(["1", "2", "x"]):
        Path(f"logs/day={day}").mkdir(parents=True)
        pq.write_table(rows(seed), f"logs/day={day}/part.parquet")


def checked(capsys: Capture, data: str, *options: str) -> tuple[int, dict[str, Any]]:
    code = main(["--quiet", "schema", "check", "schema.toml", data, "--json", *options])
    return code, json.loads(capsys.readouterr().out)


def found(report: dict[str, Any]) -> list[tuple[str, str, str | None]]:
    return [(one["level"], one["check"], one.get("column")) for one in report["findings"]]


@pytest.mark.parametrize("data", ["logs", "logs/*/part.parquet", "logs/day=*"])
def test_directory_and_pattern_are_checked_with_their_partitions(capsys: Capture, data: str) -> None:
    code, report = checked(capsys, data)
    assert (code, found(report), report["rows"]) == (0, [], 3 * ROWS)
    assert next(one["table"]["distinct"] for one in report["features"] if one["name"] == "day") == 3
    assert report["split"]["validation"]["last"] == "2023-11-15T03:56:39"


def test_files_of_every_format_are_one_data_set(capsys: Capture) -> None:
    Path("mixed").mkdir()
    table = rows(3).append_column("day", pa.array(["9"] * ROWS))
    pa.csv.write_csv(table, "mixed/a.csv")
    pq.write_table(table, "mixed/b.parquet")
    pa.feather.write_feather(table, "mixed/c.arrow")
    Path("mixed/d.jsonl").write_text("\n".join(map(json.dumps, table.to_pylist())))
    code, report = checked(capsys, "mixed")
    assert (code, report["rows"]) == (0, 4 * ROWS)
    assert [one["table"]["distinct"] for one in report["features"]] == [80, 3, 1]


def test_wrong_value_is_named_with_its_row_and_file(capsys: Capture) -> None:
    users = [*range(MAX_ROWS + 6), 7.5]
    table = (
        rows(4, len(users)).set_column(1, "user", pa.array(users)).append_column("day", pa.array(["9"] * len(users)))
    )
    pq.write_table(table, "big.parquet")
    fault = next(one for one in checked(capsys, "big.parquet")[1]["findings"] if one["check"] == "type")
    assert fault["message"].startswith(f"holds 7.5 at row {MAX_ROWS + 7:,}; ")
    Path("some").mkdir()
    pq.write_table(table.drop_columns("day"), "logs/day=2/part.parquet")
    fault = next(one for one in checked(capsys, "logs")[1]["findings"] if one["check"] == "type")
    assert fault["message"].endswith(" (logs/day=2/part.parquet); correct the data or the schema")


def test_column_that_one_file_lacks_is_an_error_with_its_name(capsys: Capture) -> None:
    pq.write_table(rows(1).drop_columns("city"), "logs/day=2/part.parquet")
    code, report = checked(capsys, "logs")
    assert (code, found(report)) == (1, [("error", "missing column", "city")])
    assert report["findings"][0]["message"].startswith("logs/day=2/part.parquet lacks this column")
    assert main(["--quiet", "train", "logs", "--schema", "schema.toml", "--out", "run"]) == 1


def test_types_that_no_schema_column_has_may_differ_between_files(capsys: Capture) -> None:
    for day, extra in (("1", pa.array([[1]] * ROWS)), ("2", pa.array(["a"] * ROWS)), ("x", pa.array([0.5] * ROWS))):
        pq.write_table(rows().append_column("extra", extra), f"logs/day={day}/part.parquet")
    assert ("note", "unused", None) in found(checked(capsys, "logs")[1])


def test_declared_encoding_is_read(capsys: Capture) -> None:
    table = rows().append_column("day", pa.array(["1", "2"] * (ROWS // 2)))
    lines = [",".join(table.column_names), *(",".join(map(str, row.values())) for row in table.to_pylist())]
    Path("latin.csv").write_text("\n".join(lines), encoding="latin-1")
    assert checked(capsys, "latin.csv", "--encoding", "latin-1")[0] == 0
    assert main(["--quiet", "schema", "infer", "latin.csv", "--encoding", "latin-1"]) == 0
    capsys.readouterr()
    for command in (["check", "schema.toml", "latin.csv"], ["infer", "latin.csv"]):
        assert main(["--quiet", "schema", *command]) == 1
        assert "UTF-8" in capsys.readouterr().err
        assert main(["--quiet", "schema", *command, "--encoding", "latin-9000"]) == 1
        assert capsys.readouterr().err.startswith("polyrank: --encoding ")


@pytest.mark.parametrize(
    "times",
    [
        pa.array([f"2026-01-01T00:{second // 60:02}:{second % 60:02}+02:00" for second in range(ROWS)]),
        pa.array(np.arange(ROWS) + 1.7e9),
        pa.array(np.arange(ROWS).astype("datetime64[D]") + np.timedelta64(20_000, "D")),
    ],
    ids=["text", "whole floats", "dates"],
)
def test_times_are_read_as_training_reads_them(capsys: Capture, times: pa.Array) -> None:
    table = rows().set_column(0, "at", times).append_column("day", pa.array(["1", "2"] * (ROWS // 2)))
    pq.write_table(table, "rows.parquet")
    code, report = checked(capsys, "rows.parquet")
    assert (code, found(report), report["split"]["validation"]["rows"]) == (0, [], 60)


def test_infer_joins_the_columns_of_all_files() -> None:
    """A column that is empty in the first file, integers in the second, and one that a third file lacks."""
    empty = rows(0).append_column("age", pa.nulls(ROWS)).append_column("extra", pa.array(["a"] * ROWS))
    whole = rows(1).append_column("age", pa.array(range(ROWS))).append_column("extra", pa.array(["b"] * ROWS))
    broken = rows(2).append_column("age", pa.array(np.arange(ROWS) + 0.5))
    for day, table in (("1", empty), ("2", whole), ("x", broken)):
        pq.write_table(table, f"logs/day={day}/part.parquet")
    assert main(["--quiet", "schema", "infer", "logs", "--out", "proposed.toml"]) == 0
    schema = Schema.load("proposed.toml")
    assert schema.name == "logs"
    assert {feature.name: type(feature).__name__ for feature in schema.features} == {
        "user": "NumericFeature",
        "city": "CategoricalFeature",
        "day": "CategoricalFeature",
        "age": "NumericFeature",
    }
    assert '# "extra": logs/day=x/part.parquet lacks it\n' in Path("proposed.toml").read_text()
    assert main(["--quiet", "schema", "check", "proposed.toml", "logs"]) == 0
    assert main(["--quiet", "train", "logs", "--schema", "proposed.toml", "--out", "run"]) == 0


def test_time_that_a_file_lacks_is_left_out_with_its_reason() -> None:
    seen = pa.array(np.arange(ROWS), pa.timestamp("us"))
    for seed, day in enumerate(["1", "2", "x"]):
        table = rows(seed).drop_columns("at")
        table = table if day == "2" else table.append_column("seen", seen)
        pq.write_table(table, f"logs/day={day}/part.parquet")
    assert main(["--quiet", "schema", "infer", "logs", "--out", "proposed.toml"]) == 0
    assert Schema.load("proposed.toml").time is None
    assert '# "seen": logs/day=2/part.parquet lacks it\n' in Path("proposed.toml").read_text()


def test_label_that_a_file_lacks_is_refused_with_its_name(capsys: Capture) -> None:
    for day in "1x":
        table = rows().append_column("stars", pa.array([1.0, 2.0] * (ROWS // 2)))
        pq.write_table(table, f"logs/day={day}/part.parquet")
    assert main(["--quiet", "schema", "infer", "logs", "--label", "stars"]) == 1
    assert capsys.readouterr().err == (
        "polyrank: label 'stars' cannot be learned: logs/day=2/part.parquet lacks it; "
        "correct the data, or name another\n"
    )


def test_pattern_without_a_word_gives_a_schema_a_name(capsys: Capture) -> None:
    assert main(["--quiet", "schema", "infer", "logs/*/*.parquet"]) == 0
    assert Schema.from_toml(capsys.readouterr().out).name == "ranker"


def split_rows(says: Sequence[str | None]) -> None:
    table = rows().append_column("day", pa.array(["1", "2"] * (ROWS // 2))).append_column("side", pa.array(says))
    pq.write_table(table, "rows.parquet")


def test_column_that_says_the_split_has_its_sides_and_their_times(capsys: Capture) -> None:
    split_rows(["train"] * 500 + ["validation"] * 100)
    code, report = checked(capsys, "rows.parquet", "--validation-column", "side")
    assert (code, found(report)) == (0, [])
    assert report["split"] == {
        "train": {"rows": 500, "first": "2023-11-14T22:13:20", "last": "2023-11-14T22:21:39"},
        "validation": {"rows": 100, "first": "2023-11-14T22:21:40", "last": "2023-11-14T22:23:19"},
    }


def test_training_rows_later_than_those_that_validate_are_a_warning(capsys: Capture) -> None:
    split_rows(["train"] * 400 + ["validation"] * 100 + ["train"] * 100)
    _, report = checked(capsys, "rows.parquet", "--validation-column", "side")
    assert found(report) == [("warning", "split", "side")]
    assert report["findings"][0]["message"].startswith("20.0% of training rows are later than the first that validates")


SPLIT_FAULTS: dict[str, tuple[list[str | None], str, tuple[str, str, str]]] = {
    "another word": (["train", "test"] * (ROWS // 2), "side", ("error", "type", "side")),
    "nothing": (["train", None] * (ROWS // 2), "side", ("error", "type", "side")),
    "one side": (["train"] * ROWS, "side", ("error", "split", "at")),
    "no column": (["train", "validation"] * (ROWS // 2), "sides", ("error", "missing column", "sides")),
}


@pytest.mark.parametrize(("says", "column", "expected"), SPLIT_FAULTS.values(), ids=SPLIT_FAULTS)
def test_fault_of_a_split_column_is_an_error(
    capsys: Capture, says: list[str | None], column: str, expected: tuple[str, str, str]
) -> None:
    split_rows(says)
    code, report = checked(capsys, "rows.parquet", "--validation-column", column)
    assert code == 1
    assert expected in found(report)


def test_split_column_without_times_is_counted(capsys: Capture) -> None:
    Path("schema.toml").write_text(SCHEMA.replace('time = "at"\ntime_unit = "s"\n', ""))
    split_rows(["train"] * 599 + ["validation"])
    code, report = checked(capsys, "rows.parquet", "--validation-column", "side")
    assert {name: side["rows"] for name, side in report["split"].items()} == {"train": 599, "validation": 1}
    assert (code, ("error", "split", "side") in found(report)) == (1, True)
