"""Scores of files: rows of any size in, one file of scores out, in parts that a later call goes on from."""

import contextlib
import dataclasses
import fcntl
import os
import shutil
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import msgspec

from polyrank.errors import ConfigError, DataError, OutputError, RowError
from polyrank.files import SUFFIXES, UTF8, Wanted, list_files, scan
from polyrank.rows import Rows
from polyrank.signature import Signature
from polyrank.staging import staged_file

if TYPE_CHECKING:
    import pyarrow as pa

    from polyrank.files import Piece

ROWS_IN_A_PART = 100_000
_STATE = "state.json"


class Scorer(Protocol):
    """What scores rows: `Ranker`, or `LocalRanker`."""

    @property
    def model(self) -> str:
        """Name of the model."""
        ...

    @property
    def version(self) -> str:
        """The version that was last heard of."""
        ...

    @property
    def signature(self) -> Signature:
        """Schema, layout and origin of the model."""
        ...

    def score(self, rows: Rows) -> "pa.Table":
        """Score rows."""
        ...


@dataclasses.dataclass(frozen=True, kw_only=True)
class ScoringOptions:
    """How files are scored.

    Attributes:
        keep: columns of the rows that go beside their scores.
        resume: go on from what an interrupted call left.
        encoding: of CSV and JSON Lines files.
        progress: called after each part with the rows done.
    """

    keep: Sequence[str] = ()
    resume: bool = False
    encoding: str = UTF8
    progress: Callable[[int, int | None], None] = lambda _done, _total: None


class _State(msgspec.Struct, frozen=True, kw_only=True):
    """What parts were made of: they are continued by nothing else."""

    rows: list[tuple[str, int, int]]
    model: str
    run_id: str
    keep: list[str]


@dataclasses.dataclass(frozen=True)
class Scored:
    """What was written: how many rows, by which versions."""

    num_rows: int
    versions: tuple[str, ...]


def score_files(scorer: Scorer, rows: Path, out: Path, options: ScoringOptions = ScoringOptions()) -> Scored:
    """Write the scores of the rows of a file, a directory of files, or a pattern, as Parquet, or CSV by name.

    Memory does not grow with the files. Parts lie in `<out>.parts` until all rows are done; `out` appears whole.

    Raises:
        ConfigError: `keep` names a column twice, or one that a score has too.
        DataError: rows cannot be read, lack a column, or a value does not fit its feature; the message names the file
            and the row.
        OutputError: `out` cannot be written, another process is at work on it, or what `resume` would go on from was
            made of other rows or by another model.
        PolyrankError: as `Ranker.score`.
    """
    if out.name.lower().endswith(".csv.gz"):
        raise OutputError(f"cannot write {out}: scores are written as Parquet or CSV; name a .parquet or .csv file")
    _check_keep(scorer.signature, options.keep)
    schema = scorer.signature.schema
    columns = tuple(dict.fromkeys((*schema.feature_columns, *options.keep)))
    wanted = Wanted(
        columns=columns, text=schema.text_columns, integers=schema.integer_columns, encoding=options.encoding
    )
    files = [(str(part.file), *_stamp(part.file)) for part in list_files(rows, SUFFIXES)]
    state = _State(rows=files, model=scorer.model, run_id=scorer.signature.run_id, keep=list(options.keep))
    with _folder(out, state, resume=options.resume) as folder:
        _write_parts(scorer, scan(rows, wanted), folder, options)
        parts = _parts(folder)
        if not parts:
            raise DataError(f"{rows} holds no row")
        scored = _join(parts, out)
        shutil.rmtree(folder, ignore_errors=True)
    return scored


def _check_keep(signature: Signature, keep: Sequence[str]) -> None:
    for name in keep:
        if keep.count(name) > 1:
            raise ConfigError(f"keep names column {name!r} twice; name it once")
        if name in signature.outputs:
            raise ConfigError(f"keep names column {name!r}, which scores have too; rename it in the rows")


def _stamp(file: Path) -> tuple[int, int]:
    status = file.stat()
    return status.st_size, status.st_mtime_ns


@contextlib.contextmanager
def _folder(out: Path, state: _State, *, resume: bool) -> Iterator[Path]:
    """Give the folder of parts, locked: empty, or with those that are continued."""
    folder = out.with_name(f"{out.name}.parts")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    except OSError as err:
        raise OutputError(
            f"cannot write {out}: {(err.strerror or str(err)).lower()}; choose another output file"
        ) from err
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as err:
            raise OutputError(f"another process is scoring to {out}; wait for it, or choose another file") from err
        _begin(folder, state, resume=resume)
        try:
            yield folder
        except BaseException:
            if not _parts(folder):  # nothing to go on from
                shutil.rmtree(folder, ignore_errors=True)
            raise
    finally:
        os.close(descriptor)


def _begin(folder: Path, state: _State, *, resume: bool) -> None:
    file = folder / _STATE
    if resume and file.exists():
        try:
            before = msgspec.json.decode(file.read_bytes(), type=_State)
        except msgspec.DecodeError as err:
            raise OutputError(f"{file} is damaged; score without resuming") from err
        for name in ("rows", "model", "run_id", "keep"):
            if getattr(before, name) != getattr(state, name):
                raise OutputError(
                    f"{folder} holds scores of another beginning: {name.replace('_', ' ')} differ; score without "
                    "resuming"
                )
        return
    for old in folder.iterdir():
        old.unlink()
    with staged_file(file) as partial:
        partial.write_bytes(msgspec.json.encode(state))


def _parts(folder: Path) -> list[Path]:
    return sorted(folder.glob("part-*.parquet"))


def _write_parts(scorer: Scorer, pieces: "Iterator[Piece]", folder: Path, options: ScoringOptions) -> None:
    """Score piece after piece, while the next one is read."""
    import pyarrow.parquet as pq

    done = {int(part.stem.removeprefix("part-")): pq.read_metadata(part).num_rows for part in _parts(folder)}
    first = 0
    for piece in _ahead(pieces):
        for start in range(0, piece.table.num_rows, ROWS_IN_A_PART):
            rows = piece.table.slice(start, ROWS_IN_A_PART)
            if done.get(first) != len(rows):
                with _named(piece, start):
                    scores = scorer.score(rows)
                kept = {name: rows.column(name) for name in options.keep}
                _write_part(folder / f"part-{first:012}.parquet", kept, scores)
            first += len(rows)
            options.progress(first, None)


def _ahead(pieces: "Iterator[Piece]") -> "Iterator[Piece]":
    with ThreadPoolExecutor(1, "polyrank-reader") as reader:
        waiting = reader.submit(next, pieces, None)
        while (piece := waiting.result()) is not None:
            waiting = reader.submit(next, pieces, None)
            yield piece


@contextlib.contextmanager
def _named(piece: "Piece", start: int) -> Iterator[None]:
    """Count the rows of an error from the start of the file, and name it."""
    try:
        yield
    except RowError as err:
        raise DataError(f"{piece.file}: {err.after(piece.first_row + start)}") from err
    except DataError as err:
        raise DataError(f"{piece.file}: {err}") from err


def _write_part(file: Path, kept: "dict[str, Any]", scores: "pa.Table") -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    columns = kept | dict(zip(scores.column_names, scores.columns, strict=True))
    with staged_file(file) as partial:
        pq.write_table(pa.table(columns).replace_schema_metadata(scores.schema.metadata), partial, compression="zstd")


def _join(parts: Sequence[Path], out: Path) -> Scored:
    """Write all parts as one file, and in its metadata which versions made them."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    schemas = [pq.read_schema(part) for part in parts]
    versions = dict.fromkeys((schema.metadata or {}).get(b"polyrank.version", b"") for schema in schemas)
    metadata = {**(schemas[0].metadata or {}), b"polyrank.version": b",".join(versions)}
    # Pieces of a CSV file may differ in the types of kept columns.
    schema = pa.unify_schemas([each.remove_metadata() for each in schemas], promote_options="permissive")
    is_csv = out.suffix.lower() == ".csv"
    num_rows = 0
    with staged_file(out) as partial, contextlib.ExitStack() as stack:
        write = None
        for part in parts:
            table = pq.read_table(part).replace_schema_metadata(None).cast(schema).replace_schema_metadata(metadata)
            table = _without_lists(table) if is_csv else table
            write = write or _writer(partial, table.schema, stack, is_csv=is_csv)
            write(table)
            num_rows += table.num_rows
    return Scored(num_rows, tuple(version.decode() for version in versions))


def _writer(file: Path, schema: "pa.Schema", stack: contextlib.ExitStack, *, is_csv: bool) -> Any:
    if is_csv:
        import pyarrow.csv

        return stack.enter_context(pyarrow.csv.CSVWriter(file, schema)).write_table
    import pyarrow.parquet as pq

    return stack.enter_context(pq.ParquetWriter(file, schema, compression="zstd")).write_table


def _without_lists(scores: "pa.Table") -> "pa.Table":
    """Make columns of lists of fixed size into one column each, `<name>.0` and so on: CSV has no lists."""
    import pyarrow as pa

    columns = {}
    for name, column in zip(scores.column_names, scores.columns, strict=True):
        if not pa.types.is_fixed_size_list(column.type):
            columns[name] = column
            continue
        values = column.combine_chunks().flatten().to_numpy().reshape(len(column), -1)  # (B, C)
        columns |= {f"{name}.{place}": pa.array(values[:, place]) for place in range(values.shape[1])}
    return pa.table(columns)
