"""Rows in, ids out: the encoder on large tables and on the few rows of a request."""

import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pyarrow as pa
from contests.measure import OURS, Contest, Scale, Target, check_same, cores, pinned

from polyrank.encoder import Encoder
from polyrank.features import CategoricalFeature
from polyrank.fingerprint import DEFAULT_SEED
from polyrank.schema import Schema
from polyrank.tasks import BinaryTask

from .columns import FLOOR
from .data import buffers, output, text_table, user_ids
from .yardsticks import load_yardsticks

NUM_COLUMNS = 26
REQUEST_ROWS = 100


def table(scale: Scale) -> Contest:
    """A training table of text columns into row-major ids, against reading and writing alone."""
    native, encoder = load_yardsticks(), _encoder(["text"] * NUM_COLUMNS)
    rows, out = text_table(scale.rows, NUM_COLUMNS), output(scale.rows, NUM_COLUMNS)
    columns = [buffers(column) for column in rows.columns]
    name = f"{scale.rows:,} rows x {NUM_COLUMNS} columns of 8 characters, Arrow table to row-major ids"
    _check_first_and_last(encoder, rows, name)
    return Contest(
        keys=out.size,
        contenders={
            OURS: lambda: encoder.encode(rows),
            FLOOR: lambda: native.hash_free_rows(columns, out),
        },
        targets=[Target(workload=name, text="≥ 45 % of the floor", against=FLOOR, least=0.45)],
    )


def threads(scale: Scale) -> Contest:
    """The same table in two halves on two threads, each on a core of its own."""
    name = f"two threads on {scale.rows:,} rows x {NUM_COLUMNS} columns"
    target = Target(workload=name, text="≥ 1.8 x one", ours="two threads", against="one thread", least=1.8)
    both = cores()[:2]
    if len(both) == 1:
        return Contest(keys=1, contenders={}, targets=[target], absent={target.ours: "a second core is needed"})
    encoder, rows = _encoder(["text"] * NUM_COLUMNS), text_table(scale.rows, NUM_COLUMNS)
    halves = rows.slice(0, scale.rows // 2), rows.slice(scale.rows // 2)
    with pinned(*both):
        pool = ThreadPoolExecutor(2)
        list(pool.map(encoder.encode, halves))  # its threads start here, so that they may use both cores
    return Contest(
        keys=scale.rows * NUM_COLUMNS,
        contenders={
            target.against: lambda: encoder.encode(rows),
            target.ours: lambda: list(pool.map(encoder.encode, halves)),
        },
        targets=[target],
        clock=time.perf_counter,
    )


def one_row(_: Scale) -> Contest:
    """One request row as a dict: 20 text features and 20 integers."""
    encoder = _encoder(["text", "int64"] * 20)
    row = {f"c{index}": value for index, value in enumerate(_request_values(40))}
    limit, name = "6 µs", "1 row x 40 features from a dict to ids"
    return Contest(
        keys=40,
        contenders={OURS: lambda: encoder.encode([row])},
        targets=[Target(workload=name, text="< 6 µs", against=limit, least=1)],
        limits_s={limit: 6e-6},
    )


def request(_: Scale) -> Contest:
    """The candidates of one request as an Arrow table: 26 text columns and 7 of integers."""
    encoder = _encoder(["text"] * NUM_COLUMNS + ["int64"] * 7)
    rows = text_table(REQUEST_ROWS, NUM_COLUMNS)
    for index in range(NUM_COLUMNS, 33):
        rows = rows.append_column(f"c{index}", pa.array(user_ids(REQUEST_ROWS)))
    limit, name = "30 µs", "100 rows (33 columns) from an Arrow table to ids"
    return Contest(
        keys=REQUEST_ROWS * 33,
        contenders={OURS: lambda: encoder.encode(rows)},
        targets=[Target(workload=name, text="< 30 µs", against=limit, least=1)],
        limits_s={limit: 30e-6},
    )


def _encoder(dtypes: list[str]) -> Encoder:
    features = tuple(
        CategoricalFeature(name=f"c{index}", dtype=dtype, num_buckets=2) for index, dtype in enumerate(dtypes)
    )
    task = BinaryTask(name="click", label="is_click")
    return Encoder(Schema(name="benchmark", features=features, tasks=(task,)))


def _request_values(count: int) -> list[object]:
    texts = text_table(1, count).to_pylist()[0].values()
    return [text if index % 2 == 0 else 1000 + index for index, text in enumerate(texts)]


def _check_first_and_last(encoder: Encoder, rows: pa.Table, name: str) -> None:
    native, ids = load_yardsticks(), encoder.encode(rows).ids
    expected = np.empty(rows.num_rows, np.int64)
    for column in (0, rows.num_columns - 1):
        native.xxh64(*buffers(rows.column(column)), DEFAULT_SEED, expected)
        check_same(ids[:, column], expected, name, "the xxHash library's XXH64")
