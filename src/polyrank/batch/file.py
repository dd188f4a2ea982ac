"""Fingerprints of a file: rows in, the same rows with columns of fingerprints out, a batch at a time."""

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from polyrank.errors import DataError, OutputError
from polyrank.files import UTF8, Location, Progress
from polyrank.fingerprint import MISSING
from polyrank.reasons import first_line
from polyrank.staging import staged_file

from .columns import Cross, Hashed, HashedColumn, check_unique
from .hashing import fingerprint_type, hash_batch
from .source import open_rows
from .stream import RowStream


@dataclasses.dataclass(frozen=True, slots=True)
class Summary:
    """What was written: how many rows, and how many fingerprints of each column are missing (-1)."""

    num_rows: int
    missing: dict[str, int]


def fingerprint_file(
    rows: Location,
    out: Path,
    columns: Sequence[HashedColumn],
    crosses: Sequence[Cross] = (),
    *,
    progress: Progress = lambda _done, _total: None,
    encoding: str = UTF8,
) -> Summary:
    """Write the rows of a file as Parquet, with a column `<name>_fingerprint` for each hashed column.

    A bag's column holds lists. Rows pass through in batches of about 32 MiB, so memory does not grow with the file.
    `out` appears whole or not at all. `encoding` is that of CSV and JSON Lines files.

    Raises:
        ConfigError: there is nothing to hash, or something twice.
        DataError: `rows` cannot be read, lacks a column, or a value has no canonical form; the message names file,
            column, value and row.
        OutputError: `out` cannot be written, or is `rows`.
    """
    import pyarrow as pa

    outputs: tuple[Hashed, ...] = (*columns, *crosses)
    check_unique(outputs)
    _check_apart(rows, out)
    parts = (part for cross in crosses for part in cross.parts)
    read = tuple(dict.fromkeys((*columns, *parts)))
    with open_rows(rows, read, encoding) as stream, staged_file(out) as partial:
        schema = _output_schema(rows, stream, outputs)
        try:
            return _write(partial, schema, stream, outputs, progress)
        except pa.ArrowNotImplementedError as err:  # the schema's types are checked before the first row
            raise DataError(f"{rows}: Parquet does not hold what a column holds: {first_line(err)}") from err
        except DataError as err:
            raise err if str(err).startswith(f"{rows}") else DataError(f"{rows}: {err}") from err


def _check_apart(rows: Location, out: Path) -> None:
    """Refuse to put the output in the place of the input, whose format and types it does not keep."""
    if not isinstance(rows, Path):
        return
    try:
        is_same = rows.samefile(out)
    except OSError:  # one is not there
        return
    if is_same and rows.is_file():
        raise OutputError(f"cannot write {out}: it is the file to hash; choose another output file")


def _output_schema(file: Location, stream: RowStream, outputs: Sequence[Hashed]) -> Any:
    import pyarrow as pa

    schema = stream.schema
    for column in outputs:
        if column.output in schema.names:
            raise DataError(f"{file}: column {column.output!r} is there already; rename it or leave it out")
        schema = schema.append(pa.field(column.output, fingerprint_type(column)))
    return schema


def _write(partial: Path, schema: Any, stream: RowStream, outputs: Sequence[Hashed], progress: Progress) -> Summary:
    import pyarrow as pa
    import pyarrow.parquet as pq

    done, missing = 0, dict.fromkeys((column.output for column in outputs), 0)
    with partial.open("wb") as sink, pq.ParquetWriter(sink, schema, compression="zstd") as writer:
        for kept, to_hash in stream.batches:
            hashed = [hash_batch(to_hash, column, done) for column in outputs]
            writer.write_batch(pa.RecordBatch.from_arrays([*kept.columns, *hashed], schema=schema))
            done += kept.num_rows
            for column, fingerprints in zip(outputs, hashed, strict=True):
                missing[column.output] += _count_missing(fingerprints)
            progress(done, stream.num_rows)
    return Summary(num_rows=done, missing=missing)


def _count_missing(fingerprints: Any) -> int:
    import pyarrow as pa
    import pyarrow.compute as pc

    values = fingerprints.flatten() if pa.types.is_list(fingerprints.type) else fingerprints
    return int(pc.sum(pc.equal(values, MISSING)).as_py() or 0)
