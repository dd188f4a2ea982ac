"""Rows that are hard to hash the same way, and what of them is hashed."""

import random
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from polyrank.__main__ import main

SCHEMA = r"""
name = "warehouse"
tasks = [{ name = "click", kind = "binary", label = "is_click" }]
features = [
  { name = "real id", kind = "categorical", dtype = "int64", num_buckets = 9 },
  { name = "real`text", kind = "categorical", dtype = "text", num_buckets = 9 },
  { name = "long", kind = "categorical", dtype = "int64", num_buckets = 9, missing = ["46", "-9223372036854775808"] },
  { name = "int", kind = "categorical", dtype = "int64", num_buckets = 9 },
  { name = "digits", kind = "categorical", dtype = "int64", num_buckets = 9, missing = ["NA", "it's", "007", "\\N"] },
  { name = "flag", kind = "categorical", dtype = "int64", num_buckets = 9 },
  { name = "text", kind = "categorical", dtype = "text", num_buckets = 9, missing = ["", "it's", "\\N", "北京"] },
  { name = "bytes", kind = "categorical", dtype = "text", num_buckets = 9 },
  { name = "number as text", kind = "categorical", dtype = "text", num_buckets = 9, missing = ["-1"] },
  { name = "flag as text", kind = "categorical", dtype = "text", num_buckets = 9 },
  { name = "ids", kind = "bag", dtype = "int64", num_buckets = 9, max_length = 2, missing = ["3"] },
  { name = "words", kind = "bag", dtype = "text", num_buckets = 9, max_length = 2, missing = ["it's"] },
]
"""
CROSSES = ("real id,real`text", "text,long", "digits,text,int", "text,text,bytes")
EXTREMES = [0, 1, -1, 46, 255, 256, -(2**31), 2**31, 2**53 + 1, 2**63 - 1, -(2**63), -(2**63) + 1]


def write_rows(path: Path, count: int, real: pa.Table) -> None:
    """Write `count` rows: real ids and texts, and random values of every sort, a tenth of them null."""
    source = random.Random(0)
    numbers = np.random.default_rng(0)
    picked = real.take(numbers.integers(0, len(real), count))
    longs = np.where(
        numbers.random(count) < 0.2,
        numbers.choice(EXTREMES, count),
        numbers.integers(-(2**63), 2**63 - 1, count, endpoint=True),
    )
    table = pa.table(
        {
            "row": np.arange(count),
            "real id": picked["video_id"],
            "real`text": picked["upload_dt"],
            "long": holey(pa.array(longs), numbers),
            "int": holey(pa.array(numbers.integers(-(2**31), 2**31, count).astype(np.int32)), numbers),
            "digits": holey(pa.array(digits(longs, source)), numbers),
            "flag": holey(pa.array(numbers.random(count) < 0.5), numbers),
            "text": holey(pa.array(texts(count, source)), numbers),
            "bytes": holey(pa.array([source.randbytes(source.randrange(40)) for _ in range(count)]), numbers),
            "number as text": holey(pa.array(numbers.integers(-3, 2**40, count) // 2**20), numbers),
            "flag as text": holey(pa.array(numbers.random(count) < 0.5), numbers),
            "ids": lists(holey(pa.array(numbers.integers(0, 9, 2 * count)), numbers), count, numbers),
            "words": lists(holey(pa.array(texts(2 * count, source)), numbers), count, numbers),
        }
    )
    pq.write_table(table, path)


def texts(count: int, source: random.Random) -> list[str]:
    """Return slices of one long text, 0 to 100 code points and rarely thousands, and what must be quoted in SQL."""
    code_points = [*range(0x20, 0x7F), *range(0xA0, 0x600), *range(0x4E00, 0x4F00), *range(0x1F600, 0x1F640), 0, 10, 13]
    text = "".join(map(chr, source.choices(code_points, k=200_000)))
    found = []
    for _ in range(count):
        start, length = source.randrange(190_000), source.randrange(101) if source.random() < 0.999 else 9_000
        found.append(text[start : start + length])
    for special in ("", "it's", "\\N", "\\", "北京", '"', "`", "NA"):
        for index in source.choices(range(count), k=count // 200):
            found[index] = special
    return found


def digits(longs: Any, source: random.Random) -> list[str]:
    """Return the integers as text, some with leading zeros, and the missing tokens."""
    found = [f"{number:0{source.choice([0, 0, 25])}d}" for number in longs.tolist()]
    for special in ("NA", "it's", "007", "7", "\\N", "-0", "0"):
        for index in source.choices(range(len(found)), k=len(found) // 200):
            found[index] = special
    return found


def holey(values: Any, numbers: np.random.Generator) -> Any:
    """Return the array with a tenth of its values null."""
    return pc.if_else(pa.array(numbers.random(len(values)) < 0.1), pa.scalar(None, values.type), values)


def lists(values: Any, count: int, numbers: np.random.Generator) -> Any:
    """Cut the values into lists of 0 to 4, a tenth of them null."""
    offsets = np.concatenate([[0], np.cumsum(numbers.integers(0, 5, count)) % (len(values) // 2)])
    offsets = np.minimum(np.sort(offsets), len(values)).astype(np.int32)
    return pa.ListArray.from_arrays(pa.array(offsets), values, mask=pa.array(numbers.random(count) < 0.1))


def options(folder: Path) -> list[str]:
    """Return what tells `polyrank fingerprint` what to hash."""
    (folder / "schema.toml").write_text(SCHEMA)
    crosses = [argument for cross in CROSSES for argument in ("--cross", cross)]
    return ["--schema", str(folder / "schema.toml"), *crosses]


def hashed_by_kernel(rows: Path) -> pa.Table:
    """Return the rows' fingerprints as the command line writes them."""
    out = rows.with_name("hashed.parquet")
    assert main(["--quiet", "fingerprint", str(rows), "--out", str(out), *options(rows.parent)]) == 0
    return pq.read_table(out)


def assert_same(actual: pa.Table, expected: pa.Table) -> None:
    """Compare every column of fingerprints, value by value, with a message that shows the first difference."""
    names = [name for name in expected.column_names if name.endswith("_fingerprint")]
    assert len(names) == 16
    for name in names:
        ours, theirs = expected[name].combine_chunks(), actual[name].combine_chunks().cast(expected[name].type)
        if not theirs.equals(ours):
            pairs = enumerate(zip(ours.to_pylist(), theirs.to_pylist(), strict=True))
            row, (our, their) = next((row, pair) for row, pair in pairs if pair[0] != pair[1])
            raise AssertionError(
                f"{name} at row {row}: {our} here, {their} there; {expected.slice(row, 1).to_pylist()}"
            )
