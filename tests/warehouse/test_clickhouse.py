"""The statement that `--sql clickhouse` prints, run by a real ClickHouse, against the kernel."""

import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pytest
from reference.fingerprint_v1 import xxh64
from warehouse.warehouse_rows import assert_same, hashed_by_kernel, options, write_rows

from polyrank.__main__ import main
from polyrank.batch import parse_column
from polyrank.batch.sql import statement

pytestmark = [pytest.mark.clickhouse, pytest.mark.timeout(900)]
NUM_ROWS = 100_000


@pytest.fixture(scope="module")
def clickhouse(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    pytest.importorskip("chdb", reason="make test-all installs it")
    from chdb.session import Session

    with Session(str(tmp_path_factory.mktemp("clickhouse"))) as session:
        yield session


@pytest.fixture(scope="module")
def expected(tmp_path_factory: pytest.TempPathFactory, kuairand_slice: pa.Table, clickhouse: Any) -> pa.Table:
    path = tmp_path_factory.mktemp("rows") / "rows.parquet"
    write_rows(path, NUM_ROWS, kuairand_slice)
    clickhouse.query(f"CREATE VIEW your_table AS SELECT * FROM file('{path}')")
    return without_null_lists(hashed_by_kernel(path))


def without_null_lists(table: pa.Table) -> pa.Table:
    """Make null lists empty, as a ClickHouse array is that was read from one."""
    for index, field in enumerate(table.schema):
        if pa.types.is_list(field.type):
            table = table.set_column(index, field, pc.coalesce(table[field.name], pa.scalar([], field.type)))
    return table


def printed(capsys: pytest.CaptureFixture[str], folder: Path) -> list[str]:
    capsys.readouterr()
    assert main(["fingerprint", "--sql", "clickhouse", *options(folder)]) == 0
    return capsys.readouterr().out.rstrip(";\n").split(";\n")


def run(clickhouse: Any, statements: list[str]) -> pa.Table:
    for definition in statements[:-1]:
        clickhouse.query(definition)
    answer = clickhouse.query(statements[-1], "Arrow").bytes()
    return pa.ipc.open_file(answer).read_all().sort_by("row")


def test_printed_statement_equals_the_kernel(
    clickhouse: Any, expected: pa.Table, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert_same(run(clickhouse, printed(capsys, tmp_path)), expected)


def test_definition_for_older_servers_equals_the_kernel(
    clickhouse: Any, expected: pa.Table, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    statements = printed(capsys, tmp_path)
    offered = next(line for line in statements[0].splitlines() if "xxHash64Spark AS" in line).lstrip("- ").rstrip(";")
    older = [
        statement.replace("xxHash64Spark", "older_hash") for statement in [*statements[:-1], offered, statements[-1]]
    ]
    assert_same(run(clickhouse, older), expected)


@pytest.mark.parametrize("seed", [0, 42, 2**63, 2**64 - 1])
def test_arithmetic_is_xxh64_of_every_length(
    clickhouse: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str], seed: int
) -> None:
    for definition in printed(capsys, tmp_path)[:-1]:
        clickhouse.query(definition)
    source = random.Random(seed)
    keys = [source.randbytes(length) for length in range(301)]
    values = ", ".join(f"('{key.hex()}')" for key in keys)
    sql = f"SELECT polyrank_xxh64(unhex(hex), toUInt64({seed})) FROM values('hex String', {values})"
    assert [int(line) for line in str(clickhouse.query(sql, "TSV")).split()] == [xxh64(key, seed) for key in keys]


@pytest.mark.parametrize("value", ["12.5", "nan", "'x'", "'46.5'", "''", "' 46'", "'99999999999999999999'"])
def test_value_that_is_no_integer_is_refused(clickhouse: Any, value: str) -> None:
    sql = statement("clickhouse", [parse_column("x:int64")]).split(";\n")[-1]
    with pytest.raises(RuntimeError, match=r"CANNOT_CONVERT_TYPE|CANNOT_PARSE|ATTEMPT_TO_READ|TYPE_MISMATCH"):
        clickhouse.query(sql.replace("your_table", f"(SELECT {value} AS x)").rstrip(";"))
