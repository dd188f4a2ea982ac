"""The SQL that `polyrank fingerprint --sql` prints; tests/warehouse runs it."""

import pickle

import pytest

from polyrank.__main__ import main
from polyrank.batch import Cross, HashedColumn, parse_column
from polyrank.batch.spark import Spark
from polyrank.batch.sql import expression, statement
from polyrank.errors import ConfigError, DataError, RowError
from polyrank.fingerprint import fingerprint

USER = HashedColumn(name="user_id", dtype="int64", missing=("NA", "007"))
CITY = HashedColumn(name="it's `here`", dtype="text", missing=("", "it's\\"))
USER_IS_MISSING = (
    "WHEN CAST(`user_id` AS STRING) IN ('007', 'NA') THEN -1 "
    "WHEN CAST(`user_id` AS BIGINT) IS NULL THEN -1 WHEN CAST(`user_id` AS BIGINT) IN (7) THEN -1"
)
CITY_IS_MISSING = (
    "WHEN CAST(`it's ``here``` AS STRING) IN ('', 'it\\'s\\\\') THEN -1 WHEN `it's ``here``` IS NULL THEN -1"
)
SPARK = {
    USER: f"CASE {USER_IS_MISSING} ELSE xxhash64(CAST(`user_id` AS BIGINT)) & 9223372036854775807 END",
    CITY: f"CASE {CITY_IS_MISSING} ELSE xxhash64(CAST(`it's ``here``` AS STRING)) & 9223372036854775807 END",
    Cross(parts=(USER, CITY)): (
        f"CASE {USER_IS_MISSING} {CITY_IS_MISSING} "
        "ELSE xxhash64(CAST(`user_id` AS BIGINT), CAST(`it's ``here``` AS STRING)) & 9223372036854775807 END"
    ),
    parse_column("tags:text", is_bag=True): (
        "transform(`tags`, value -> CASE WHEN value IS NULL THEN -1 "
        "ELSE xxhash64(CAST(value AS STRING)) & 9223372036854775807 END)"
    ),
}


@pytest.mark.parametrize(("column", "sql"), SPARK.items(), ids=["int64", "text", "cross", "bag"])
def test_spark_casts_and_tests_for_missing_before_hashing(column: HashedColumn | Cross, sql: str) -> None:
    assert expression(column, Spark()) == sql


@pytest.mark.parametrize("dialect", ["spark", "clickhouse"])
def test_statement_selects_a_column_for_each(dialect: str) -> None:
    lines = statement(dialect, [USER], [Cross(parts=(USER, parse_column("city:text")))]).splitlines()
    assert lines[lines.index("SELECT") + 1] == "  *,"
    assert lines[-3].endswith(" END AS `user_id_fingerprint`,")
    assert lines[-2].endswith(" END AS `user_id_x_city_fingerprint`")
    assert lines[-1] == "FROM your_table;"


def test_command_prints_the_statement(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["fingerprint", "--sql", "spark", "--column", "city:text"]) == 0
    assert capsys.readouterr().out == statement("spark", [parse_column("city:text")]) + "\n"


def test_trino_is_refused_with_what_to_do(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["fingerprint", "--sql", "trino", "--column", "city:text"]) == 1
    output = capsys.readouterr()
    assert output.out == ""
    assert output.err == (
        "polyrank: trino cannot compute these fingerprints: its xxhash64 takes no seed and its integers do not wrap; "
        "hash in Spark, or with polyrank fingerprint before loading\n"
    )


def test_unknown_dialect_is_refused_with_those_known() -> None:
    with pytest.raises(ConfigError, match=r"^SQL dialect must be spark or clickhouse, got 'duckdb'$"):
        statement("duckdb", [USER])


def test_refused_value_counts_rows_of_the_whole_file() -> None:
    with pytest.raises(DataError, match=r"^column 'values' holds 'x' at row 2; dtype") as caught:
        fingerprint(["1", "x"], dtype="int64")
    assert isinstance(caught.value, RowError)
    later = caught.value.after(1_000)
    assert str(later).startswith("column 'values' holds 'x' at row 1,002; dtype")
    assert str(pickle.loads(pickle.dumps(later))) == str(later)  # noqa: S301 (this test's own bytes)
