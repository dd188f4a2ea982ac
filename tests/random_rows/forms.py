"""The forms that rows arrive in, each made of the same rows."""

import dataclasses
import json
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import duckdb
import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.csv
import pyarrow.dataset
import pyarrow.feather
import pyarrow.parquet as pq

from polyrank.files import Wanted, read_table, scan

from .cases import Case

_NULLABLE = {
    pa.int64(): pd.Int64Dtype(),
    pa.int8(): pd.Int8Dtype(),
    pa.uint64(): pd.UInt64Dtype(),
    pa.uint8(): pd.UInt8Dtype(),
    pa.bool_(): pd.BooleanDtype(),
    pa.float64(): pd.Float64Dtype(),
    pa.string(): pd.StringDtype(),
}


@dataclasses.dataclass(frozen=True)
class Form:
    """How to make the form; `exact` and `csv` are what `cases` takes."""

    make: Callable[[Case], Any]
    exact: bool = False
    csv: bool = False


def _objects(case: Case) -> Any:
    return pd.DataFrame({name: pd.Series([row[name] for row in case.rows], dtype=object) for name in case.types.names})


def _categories(case: Case) -> Any:
    frame = case.table.to_pandas()
    return frame.astype({field.name: "category" for field in case.types if pa.types.is_string(field.type)})


def _polars(case: Case) -> Any:
    return pl.DataFrame(pl.from_arrow(case.table))


def _polars_categories(case: Case) -> Any:
    texts, lists = pl.col(pl.String), pl.col(pl.List(pl.String))
    return _polars(case).with_columns(texts.cast(pl.Categorical), lists.cast(pl.List(pl.Categorical)))


def _chunks(case: Case) -> Any:
    table = case.table
    cut = table.num_rows // 2
    twice = pa.concat_tables([table, table]).combine_chunks()
    return pa.concat_tables([twice[table.num_rows : table.num_rows + cut], twice[cut : table.num_rows]])


def _through(suffix: str, write: Callable[[Case, Path], object], *, pieces: bool = False) -> Callable[[Case], Any]:
    def make(case: Case) -> Any:
        schema = case.schema.resolved()
        wanted = Wanted(columns=schema.feature_columns, text=schema.text_columns, integers=schema.integer_columns)
        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder, f"rows{suffix}")
            write(case, file)
            if pieces:
                return pa.concat_tables([piece.table for piece in scan(file, wanted)])
            return read_table(file, wanted)

    return make


def _write_arrow(case: Case, file: Path) -> None:
    with pa.OSFile(str(file), "wb") as sink, pa.ipc.new_file(sink, case.types) as writer:
        writer.write_table(case.table, max_chunksize=3)


def _write_lines(case: Case, file: Path) -> None:
    """Write objects that leave nulls out, but for the first."""
    rows = [{key: value for key, value in row.items() if value is not None} for row in case.rows]
    lines = [json.dumps(row, ensure_ascii=False) + "\n" for row in (case.rows[0], *rows[1:])]
    file.write_text("".join(lines), encoding="utf-8")


def _write_csv(case: Case, file: Path) -> None:
    # Logs have a label beside the features; one null alone would be an empty line, which is no row.
    labels = pa.repeat(1, len(case.rows))
    pa.csv.write_csv(case.table.append_column("is_click", labels), file)


def _write_parquet(case: Case, file: Path) -> None:
    pq.write_table(case.table, file, row_group_size=3)


def _dictionaries(case: Case) -> pa.Table:
    return pa.table({name: _with_dictionary(column) for name, column in zip(case.types.names, case.table, strict=True)})


def _with_dictionary(column: pa.ChunkedArray) -> pa.Array:
    array = column.combine_chunks()
    if pa.types.is_string(array.type):
        return array.dictionary_encode()
    if array.type == pa.list_(pa.string()):
        items = array.flatten().dictionary_encode()
        return pa.ListArray.from_arrays(array.offsets, items, mask=array.is_null())
    return array


FORMS = {
    "dicts": Form(lambda case: case.rows),
    "dicts of JSON": Form(lambda case: json.loads(json.dumps(case.rows))),
    "Arrow batch": Form(lambda case: case.table.to_batches()[0]),
    "Arrow slices": Form(_chunks),
    "Arrow dictionaries": Form(_dictionaries),
    "Arrow reader": Form(lambda case: case.table.to_reader()),
    "dataset": Form(lambda case: pa.dataset.dataset(case.table)),
    "polars": Form(_polars),
    "polars lazy": Form(lambda case: _polars(case).lazy()),
    "polars categories": Form(_polars_categories),
    "DuckDB": Form(lambda case: duckdb.from_arrow(case.table)),
    "pandas objects": Form(_objects),
    "pandas numpy": Form(lambda case: case.table.to_pandas(), exact=True),
    "pandas Arrow": Form(lambda case: case.table.to_pandas(types_mapper=pd.ArrowDtype)),
    "pandas nullable": Form(lambda case: case.table.to_pandas(types_mapper=_NULLABLE.get), exact=True),
    "pandas categories": Form(_categories, exact=True),
    "dicts of pandas": Form(lambda case: case.table.to_pandas().to_dict("records"), exact=True),
    "Parquet": Form(_through(".parquet", _write_parquet)),
    "Parquet pieces": Form(_through(".parquet", _write_parquet, pieces=True)),
    "Arrow file": Form(_through(".arrow", _write_arrow)),
    "Feather": Form(_through(".feather", lambda case, file: pa.feather.write_feather(case.table, str(file)))),
    "JSON Lines": Form(_through(".jsonl", _write_lines)),
    "CSV": Form(_through(".csv", _write_csv), csv=True),
}
