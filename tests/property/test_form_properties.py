"""Random schemas over random tables: the batch is the same, however the rows arrive."""

import json
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.dataset
import pyarrow.feather
import pyarrow.parquet as pq
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_array_equal

from polyrank.encoder import Encoder
from polyrank.features import BagFeature, CategoricalFeature, Feature, NumericFeature
from polyrank.schema import Schema
from polyrank.tasks import BinaryTask
from polyrank.train import read_rows

TASKS = (BinaryTask(name="click", label="is_click"),)
# What every form holds exactly: pandas keeps integers with nulls as floats.
integers = st.integers(-(2**53), 2**53)
texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=12) | st.sampled_from(["", "NA", "null", "007", "-"])
numbers = st.floats(width=32, allow_nan=False, allow_infinity=False)
missing = st.sampled_from([(), ("-",), ("", "NA", "7")])


@st.composite
def feature(draw: st.DrawFn, name: str) -> tuple[Feature, pa.DataType, st.SearchStrategy[Any]]:
    """Return a feature, the Arrow type of its column, and its values."""
    dtype = draw(st.sampled_from(["int64", "text"]))
    values, kind = (integers, pa.int64()) if dtype == "int64" else (texts, pa.string())
    hashed: dict[str, Any] = {"name": name, "dtype": dtype, "num_buckets": 9, "missing": draw(missing)}
    match draw(st.sampled_from(["categorical", "bag", "numeric"])):
        case "categorical":
            return CategoricalFeature(**hashed), kind, st.none() | values
        case "bag":
            lists = st.lists(st.none() | values, max_size=4)
            return BagFeature(**hashed, max_length=draw(st.integers(1, 4))), pa.list_(kind), st.none() | lists
        case _:
            return NumericFeature(name=name), pa.float64(), st.none() | numbers


@st.composite
def tables(draw: st.DrawFn) -> tuple[Schema, pa.Table]:
    columns = [draw(feature(name)) for name in "abcde"[: draw(st.integers(1, 5))]]
    kinds = pa.schema([(one.name, kind) for one, kind, _ in columns])
    row = st.fixed_dictionaries({one.name: values for one, _, values in columns})
    rows = draw(st.lists(row, min_size=1, max_size=8))
    return Schema(name="toy", features=tuple(one for one, _, _ in columns), tasks=TASKS), pa.Table.from_pylist(
        rows, kinds
    )


def lines(table: pa.Table, path: Path) -> None:
    """Write rows as JSON Lines that leave nulls out."""
    rows = [{key: value for key, value in row.items() if value is not None} for row in table.to_pylist()]
    first = dict.fromkeys(table.column_names) | rows[0]
    path.write_text("".join(json.dumps(row) + "\n" for row in [first, *rows[1:]]))


FRAMES: dict[str, Callable[[pa.Table], Any]] = {
    "dicts": lambda table: table.to_pylist(),
    "pandas": lambda table: table.to_pandas(),
    "pandas of objects": lambda table: table.to_pandas(integer_object_nulls=True),
    "pandas of Arrow": lambda table: table.to_pandas(types_mapper=pd.ArrowDtype),
    "polars": pl.from_arrow,
    "lazy polars": lambda table: pl.DataFrame(pl.from_arrow(table)).lazy(),
    "reader": lambda table: table.to_reader(),
    "dataset": pa.dataset.dataset,
    "pieces": lambda table: pa.concat_tables([table[:1], table[1:]]),
}
FILES: dict[str, Callable[[pa.Table, Path], Any]] = {
    "a.parquet": pq.write_table,
    "a.feather": lambda table, path: pa.feather.write_feather(table, str(path), compression="uncompressed"),
    "b.feather": lambda table, path: pa.feather.write_feather(table, str(path), compression="zstd"),
    "a.jsonl": lines,
}


@given(tables())
def test_frames_give_the_batch_of_arrow(drawn: tuple[Schema, pa.Table]) -> None:
    schema, table = drawn
    encoder = Encoder(schema)
    expected = encoder.encode(table)
    for name, form in FRAMES.items():
        batch = encoder.encode(form(table))
        assert_array_equal(batch.ids, expected.ids, err_msg=name)
        assert_array_equal(batch.dense, expected.dense, err_msg=name)


@given(tables())
def test_files_give_the_batch_of_arrow(drawn: tuple[Schema, pa.Table]) -> None:
    schema, table = drawn
    encoder = Encoder(schema)
    expected = encoder.encode(table)
    with tempfile.TemporaryDirectory() as folder:
        for name, write in FILES.items():
            path = Path(folder, name)
            write(table, path)
            batch = encoder.encode(read_rows(path, columns=schema.feature_columns, text=schema.text_columns))
            assert_array_equal(batch.ids, expected.ids, err_msg=name)
            assert_array_equal(batch.dense, expected.dense, err_msg=name)
