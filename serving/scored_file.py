"""The file of scores: what it may be called, what it can hold, and how parts become it."""

import contextlib
import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from polyrank.errors import ConfigError, OutputError
from polyrank.files import Location, check_output
from polyrank.staging import staged_file

from .origins import VERSION
from .parts import folder_of, part_file

if TYPE_CHECKING:
    import pyarrow as pa


@dataclasses.dataclass(frozen=True)
class Scored:
    """What was written: how many rows, by which versions."""

    num_rows: int
    versions: tuple[str, ...]


def check_out(out: Path, rows: Location) -> None:
    """Refuse a file of scores that cannot be written, or that is, or would be, one of the rows.

    Raises:
        OutputError: it is such a file.
        DataError: there are no rows.
    """
    if out.suffix.lower() not in ("", ".parquet", ".csv"):
        raise OutputError(f"cannot write {out}: scores are written as Parquet or CSV; name a .parquet or .csv file")
    check_output(out, rows=[rows], beside=[part_file(folder_of(out), 0)])


def check_kept(keep: Sequence[str], schema: "pa.Schema", out: Path) -> None:
    """Refuse columns to keep of a type that the file of scores does not hold.

    Raises:
        ConfigError: there is one.
    """
    import pyarrow as pa
    import pyarrow.csv
    import pyarrow.parquet as pq

    for name in keep:
        kind = schema.field(name).type
        if not _is_written(pq.ParquetWriter, kind):
            raise ConfigError(f"keep names column {name!r} of type {kind}, which Parquet does not hold; leave it out")
        part = kind.value_type if pa.types.is_fixed_size_list(kind) else kind
        if _is_csv(out) and not _is_written(pyarrow.csv.CSVWriter, part):
            raise ConfigError(
                f"keep names column {name!r} of type {kind}, which CSV does not hold; write Parquet, to a .parquet "
                "file, or leave the column out"
            )


def _is_written(writer: Any, kind: "pa.DataType") -> bool:
    import pyarrow as pa

    try:
        writer(pa.BufferOutputStream(), pa.schema([("column", kind)])).close()
    except pa.ArrowException:
        return False
    return True


def _is_csv(out: Path) -> bool:
    return out.suffix.lower() == ".csv"


def join(parts: Sequence[Path], out: Path) -> Scored:
    """Write all parts as one file, and in its metadata which versions made them."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    schemas = [pq.read_schema(part) for part in parts]
    versions = dict.fromkeys((schema.metadata or {}).get(VERSION.encode(), b"") for schema in schemas)
    metadata = {**(schemas[0].metadata or {}), VERSION.encode(): b",".join(versions)}
    # Pieces of a CSV file may differ in the types of kept columns.
    schema = pa.unify_schemas([each.remove_metadata() for each in schemas], promote_options="permissive")
    dictionaries = None if _is_csv(out) else _repeating(parts[0])
    num_rows = 0
    with staged_file(out) as partial, contextlib.ExitStack() as stack:
        write = None
        for part in parts:
            table = (
                pq.ParquetFile(part).read().replace_schema_metadata(None).cast(schema).replace_schema_metadata(metadata)
            )
            table = _without_lists(table) if _is_csv(out) else table
            write = write or _writer(partial, table.schema, stack, dictionaries)
            write(table)
            num_rows += table.num_rows
    return Scored(num_rows, tuple(version.decode() for version in versions))


def _writer(file: Path, schema: "pa.Schema", stack: contextlib.ExitStack, dictionaries: list[str] | None) -> Any:
    """Return what writes tables: CSV, or Parquet with `dictionaries` for these columns."""
    if dictionaries is None:
        import pyarrow.csv

        return stack.enter_context(pyarrow.csv.CSVWriter(file, schema)).write_table
    import pyarrow.parquet as pq

    writer = pq.ParquetWriter(file, schema, compression="zstd", use_dictionary=dictionaries)
    return stack.enter_context(writer).write_table


def _repeating(part: Path) -> list[str]:
    """Return paths of columns that dictionaries may make smaller: all but float32, as scores are."""
    import pyarrow.parquet as pq

    schema = pq.read_metadata(part).schema
    columns = [schema.column(place) for place in range(len(schema))]
    return [column.path for column in columns if column.physical_type != "FLOAT"]


def _without_lists(scores: "pa.Table") -> "pa.Table":
    """Make columns of lists of fixed size into one column each, `<name>.0` and so on: CSV has no lists."""
    import pyarrow as pa
    import pyarrow.compute as pc

    columns = {}
    for name, column in zip(scores.column_names, scores.columns, strict=True):
        if not pa.types.is_fixed_size_list(column.type):
            columns[name] = column
            continue
        columns |= {f"{name}.{place}": pc.list_element(column, place) for place in range(column.type.list_size)}
    return pa.table(columns)
