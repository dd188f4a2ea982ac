from collections.abc import Sequence

import numpy as np
import pytest

from polyrank.encoder import Encoder
from polyrank.evaluation.findings import TableLoad
from polyrank.evaluation.table_loads import TableLoads
from polyrank.fingerprint import fingerprint
from polyrank.schema import Schema

SCHEMA = Schema.from_toml("""
name = "loads"
features = [
  { name = "city", kind = "categorical", dtype = "text", num_buckets = 7 },
  { name = "hour", kind = "categorical", dtype = "int64", num_buckets = 1_000 },
  { name = "item", kind = "categorical", identity = true, num_buckets = 5 },
  { name = "seen", kind = "sequence", shares = "item", max_length = 3 },
  { name = "words", kind = "text", num_buckets = 50, max_length = 4 },
  { name = "city_hour", kind = "cross", features = ["city", "hour"], num_buckets = 100 },
  { name = "age", kind = "bucketized", boundaries = [18, 30] },
]
tasks = [{ name = "click", kind = "binary", label = "is_click" }]
""")
CITIES = [f"city {number}" for number in range(12)]
ROWS: dict[str, Sequence[object]] = {
    "city": [*CITIES, None],
    "hour": [1, 2, 3] * 4 + [1],
    "item": [0, 1, 0, 9] * 3 + [None],
    "seen": [[1, 4], [4, 8, 0]] * 6 + [[]],
    "words": ["red shoe", "red hat"] * 6 + [""],
    "age": [20.0] * 13,
}


def loads(*sizes: int) -> dict[str, TableLoad]:
    found, encoder, start = TableLoads(SCHEMA), Encoder(SCHEMA), 0
    for size in sizes:
        rows = [{name: values[at] for name, values in ROWS.items()} for at in range(start, start + size)]
        found.add(encoder.encode(rows))
        start += size
    return {load.table: load for load in found.result()}


def test_distinct_values_are_counted_over_pieces() -> None:
    assert {name: load.distinct for name, load in loads(4, 5, 4).items()} == {
        "city": 12,
        "hour": 3,
        "item": 3,
        "words": 3,
        "city_hour": 12,
    }


def test_table_counts_the_values_of_all_that_share_it() -> None:
    assert loads(13)["item"].features == ("item", "seen")


def test_ids_beyond_a_table_of_ids_do_not_count() -> None:
    assert (loads(13)["item"].distinct, loads(13)["item"].num_buckets) == (len({0, 1, 4}), 5)


def test_ids_with_a_row_each_do_not_collide() -> None:
    assert (loads(13)["item"].collisions, loads(13)["item"].expected_collisions) == (0.0, 0.0)


def test_collisions_are_the_share_of_values_beside_another() -> None:
    buckets = [number % 7 for number in fingerprint(CITIES, dtype="text").tolist()]
    beside = sum(buckets.count(bucket) > 1 for bucket in buckets)
    assert loads(13)["city"].collisions == pytest.approx(beside / 12)


def test_expected_collisions_are_those_of_a_random_hash() -> None:
    assert loads(13)["city"].expected_collisions == pytest.approx(1 - (6 / 7) ** 11)


def test_missing_values_alone_leave_a_table_empty() -> None:
    found = TableLoads(SCHEMA)
    found.add(Encoder(SCHEMA).encode([dict.fromkeys(ROWS)] * 2))
    assert {load.distinct for load in found.result()} == {0}


def test_pieces_give_what_one_batch_gives() -> None:
    assert loads(*np.ones(13, int)) == loads(13)
