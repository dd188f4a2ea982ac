"""The statement that `--sql spark` prints, run by a real Spark, against the kernel."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from reference import fingerprint_v1 as reference
from warehouse.warehouse_rows import assert_same, hashed_by_kernel, options, write_rows

from polyrank.__main__ import main
from polyrank.batch import parse_column
from polyrank.batch.sql import statement

pytestmark = [pytest.mark.spark, pytest.mark.timeout(900)]
NUM_ROWS = 1_000_000


@pytest.fixture(scope="module")
def spark(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    pytest.importorskip("pyspark", reason="make test-all installs it")
    from pyspark.sql import SparkSession

    folder = tmp_path_factory.mktemp("spark")
    settings = {
        "spark.driver.host": "127.0.0.1",
        "spark.driver.bindAddress": "127.0.0.1",
        "spark.driver.memory": "2g",
        "spark.ui.enabled": "false",
        "spark.sql.warehouse.dir": str(folder / "warehouse"),
        "spark.local.dir": str(folder),
    }
    builder = SparkSession.builder.master("local[2]")
    for name, value in settings.items():
        builder = builder.config(name, value)
    session = builder.getOrCreate()
    yield session
    session.stop()


@pytest.fixture(scope="module")
def rows(tmp_path_factory: pytest.TempPathFactory, kuairand_slice: pa.Table) -> Path:
    path = tmp_path_factory.mktemp("rows") / "rows.parquet"
    write_rows(path, NUM_ROWS, kuairand_slice)
    return path


@pytest.mark.parametrize("ansi", ["true", "false"])
def test_printed_statement_equals_the_kernel(
    spark: Any, rows: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], ansi: str
) -> None:
    expected = hashed_by_kernel(rows)
    capsys.readouterr()
    assert main(["fingerprint", "--sql", "spark", *options(tmp_path)]) == 0
    spark.conf.set("spark.sql.ansi.enabled", ansi)
    spark.read.parquet(str(rows)).createOrReplaceTempView("your_table")
    spark.sql(capsys.readouterr().out).write.parquet(str(tmp_path / "hashed"))
    actual = pq.read_table(tmp_path / "hashed").sort_by("row")
    assert actual.num_rows == NUM_ROWS
    assert_same(actual, expected)


# What the page about fingerprints says of values that the format refuses: (SQL of the value, ANSI mode) -> answer.
CASTS: dict[tuple[str, bool], int | str] = {
    ("12.5D", True): reference.fingerprint(12, "int64"),
    ("'x'", True): "CAST_INVALID_INPUT",
    ("'46.5'", True): "CAST_INVALID_INPUT",
    ("'x'", False): reference.MISSING,
    ("'46.5'", False): reference.fingerprint(46, "int64"),
    ("' +46 '", True): reference.fingerprint(46, "int64"),
}


@pytest.mark.parametrize(("value", "ansi"), CASTS)
def test_casts_are_as_free_as_documented(spark: Any, value: str, ansi: bool) -> None:  # noqa: FBT001 (a case)
    from pyspark.errors import PySparkException

    spark.conf.set("spark.sql.ansi.enabled", str(ansi).lower())
    spark.sql(f"SELECT {value} AS x").createOrReplaceTempView("your_table")
    try:
        answer = spark.sql(statement("spark", [parse_column("x:int64")])).collect()[0]["x_fingerprint"]
    except PySparkException as err:
        answer = err.getCondition()
    assert answer == CASTS[value, ansi]
