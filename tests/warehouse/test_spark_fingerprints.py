"""`polyrank.spark.fingerprints` on a cluster, against what `polyrank fingerprint` makes of the same rows."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from warehouse.spark_cluster import cluster
from warehouse.warehouse_rows import SCHEMA, write_rows

from polyrank.__main__ import main
from polyrank.ngrams import fingerprint_ngrams
from polyrank.schema import Schema
from polyrank.spark import fingerprints

pytestmark = [pytest.mark.spark, pytest.mark.timeout(900)]
NUM_ROWS = 1_000_000

MORE = r"""
  { name = "floats", kind = "categorical", dtype = "int64", num_buckets = 9, missing = ["7"] },
  { name = "float as text", kind = "categorical", dtype = "text", num_buckets = 9 },
  { name = "watched", kind = "sequence", dtype = "int64", num_buckets = 9, max_length = 2 },
  { name = "joined", kind = "bag", dtype = "text", num_buckets = 9, max_length = 2, separator = "|", missing = [""] },
  { name = "joined ids", kind = "bag", dtype = "int64", num_buckets = 9, max_length = 2, separator = "." },
  {name = "mix", kind = "bag", dtype = "text", num_buckets = 9, max_length = 2, separator = ";", weight_separator=":"},
  { name = "of two", kind = "cross", num_buckets = 9, features = ["digits", "text"] },
  { name = "of three", kind = "cross", num_buckets = 9, features = ["real id", "floats", "bytes"] },
  { name = "title.of", kind = "text", num_buckets = 9, max_length = 6, sizes = [2, 1], missing = ["it's"] },
]
"""
WHOLE = Schema.from_toml(SCHEMA.rstrip().removesuffix("]") + MORE)


@pytest.fixture(scope="module")
def spark(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    with cluster(tmp_path_factory.mktemp("spark")) as session:
        yield session


@pytest.fixture(scope="module")
def rows(tmp_path_factory: pytest.TempPathFactory, kuairand_slice: pa.Table) -> Path:
    path = tmp_path_factory.mktemp("rows") / "rows.parquet"
    write_rows(path, NUM_ROWS, kuairand_slice)
    table = pq.read_table(path)
    numbers = np.random.default_rng(1)
    lists, texts = table["ids"].to_pylist(), table["text"].to_pylist()
    longs = numbers.integers(-3, 2**20, NUM_ROWS)
    more = {
        "floats": pa.array(np.where(longs < 0, np.nan, longs)),
        "float as text": pa.array(longs.astype(np.float32)),
        "watched": table["ids"],
        "joined": [joined(texts[row : row + row % 4], "|") for row in range(NUM_ROWS)],
        "joined ids": [None if ids is None else joined(ids, ".") for ids in lists],
        "mix": [None if ids is None else ";".join(f"{value}:{value}:0.5" for value in ids) for ids in lists],
        "title.of": table["text"],
    }
    for name, column in more.items():
        table = table.append_column(name, column if isinstance(column, pa.ChunkedArray) else pa.array(column))
    pq.write_table(table, path, row_group_size=50_000)
    return path


def joined(values: Sequence[object], separator: str) -> str:
    return separator.join(str(value) for value in values if value is not None)


@pytest.fixture(scope="module")
def expected(rows: Path) -> pa.Table:
    schema, out = rows.with_name("schema.toml"), rows.with_name("hashed.parquet")
    schema.write_text(WHOLE.to_toml())
    assert main(["--quiet", "fingerprint", str(rows), "--schema", str(schema), "--out", str(out)]) == 0
    return pq.read_table(out)


@pytest.mark.parametrize("ansi", ["true", "false"])
def test_all_kinds_equal_the_kernel(spark: Any, rows: Path, expected: pa.Table, tmp_path: Path, ansi: str) -> None:
    spark.conf.set("spark.sql.ansi.enabled", ansi)
    fingerprints(spark.read.parquet(str(rows)), WHOLE).write.parquet(str(tmp_path / "hashed"))
    actual = pq.read_table(tmp_path / "hashed").sort_by("row")
    names = [name for name in expected.column_names if name.endswith("_fingerprint")]
    assert len(names) == len(WHOLE.hashed_features) - 1  # the command line leaves texts out
    assert actual.num_rows == NUM_ROWS
    assert [name for name in names if not same(actual[name], expected[name])] == []
    assert same(actual["title.of_fingerprint"], ngrams(actual["title.of"]))


def same(left: pa.ChunkedArray, right: pa.ChunkedArray) -> bool:
    combined: bool = left.combine_chunks().cast(right.type).equals(right.combine_chunks())
    return combined


def ngrams(texts: pa.ChunkedArray) -> pa.ChunkedArray:
    slots = fingerprint_ngrams(texts, sizes=[2, 1], max_length=6, missing=["it's"]).tolist()
    present = texts.is_valid().to_pylist()
    lists = [[slot for slot in row if slot >= 0] if there else None for row, there in zip(slots, present, strict=True)]
    return pa.chunked_array([pa.array(lists, pa.list_(pa.int64()))])


def frame(spark: Any, value: object, kind: str) -> Any:
    return spark.createDataFrame([(value,)], f"digits {kind}")


DIGITS = Schema.from_toml(
    'name = "x"\ntasks = [{ name = "click", kind = "binary", label = "c" }]\n'
    'features = [{ name = "digits", kind = "categorical", dtype = "int64", num_buckets = 9, missing = ["NA"] }]'
)


# Spark reads most of these as integers, or as missing, without ANSI mode.
@pytest.mark.parametrize("value", ["46.5", " 46", "46\n", "", "4-6", "9223372036854775808", "٤٦"])
def test_text_that_is_no_integer_is_refused(spark: Any, value: str) -> None:
    from pyspark.errors import PySparkException

    spark.conf.set("spark.sql.ansi.enabled", "false")
    with pytest.raises(PySparkException, match=r"(?s)column 'digits' holds .*; decimal integers of 64 bits expected"):
        fingerprints(frame(spark, value, "string"), DIGITS).collect()


def test_float_with_a_fraction_is_refused_by_the_kernel(spark: Any) -> None:
    from pyspark.errors import PySparkException

    with pytest.raises(PySparkException, match=r"column 'digits' holds 46\.5; whole numbers expected"):
        fingerprints(frame(spark, 46.5, "double"), DIGITS).collect()


def test_token_with_a_backslash_is_missing_in_every_parser_mode(spark: Any) -> None:
    schema = Schema.from_toml(DIGITS.to_toml().replace('"NA"', r'"\\N"'))
    spark.conf.set("spark.sql.parser.escapedStringLiterals", "true")
    try:
        found = fingerprints(frame(spark, "\\N", "string"), schema).collect()
    finally:
        spark.conf.unset("spark.sql.parser.escapedStringLiterals")
    assert found[0]["digits_fingerprint"] == -1
