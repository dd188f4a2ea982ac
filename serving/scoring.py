"""Scores of files: rows of any size in, one file of scores out, in parts that a later call goes on from."""

import dataclasses
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from polyrank.errors import ConfigError, DataError
from polyrank.files import SUFFIXES, UTF8, Wanted, ahead, list_files, scan
from polyrank.rows import Rows
from polyrank.signature import Signature
from polyrank.staging import staged_file

from .parts import State, part_file, part_files, parts_folder
from .scored_file import Scored, check_kept, check_out, join

if TYPE_CHECKING:
    import pyarrow as pa

    from polyrank.files import Piece

ROWS_IN_A_PART = 100_000


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


def score_files(scorer: Scorer, rows: Path, out: Path, options: ScoringOptions = ScoringOptions()) -> Scored:
    """Write the scores of the rows of a file, a directory of files, or a pattern, as Parquet, or CSV by name.

    Memory does not grow with the files. Parts lie in `<out>.parts` until all rows are done; `out` appears whole.

    Raises:
        ConfigError: `keep` names a column twice, one that a score has too, or one of a type that `out` cannot hold.
        DataError: rows cannot be read, lack a column, or a value does not fit its feature; the message names the file
            and the row.
        OutputError: `out` cannot be written, or is one of the rows or would be, `<out>.parts` holds something else,
            another process is at work on it, or what `resume` would go on from was made of other rows or by another
            model.
        PolyrankError: as `Ranker.score`.
    """
    files = [part.file for part in list_files(rows, SUFFIXES)]
    check_out(out, rows)
    _check_keep(scorer.signature, options.keep)
    schema = scorer.signature.schema
    columns = tuple(dict.fromkeys((*schema.feature_columns, *options.keep)))
    wanted = Wanted(
        columns=columns, text=schema.text_columns, integers=schema.integer_columns, encoding=options.encoding
    )
    state = State(
        rows=[(str(file), *_stamp(file)) for file in files],
        model=scorer.model,
        run_id=scorer.signature.run_id,
        keep=list(options.keep),
    )
    with parts_folder(out, state, resume=options.resume) as folder:
        _write_parts(scorer, _checked(scan(rows, wanted), options.keep, out), folder, options)
        parts = part_files(folder)
        if not parts:
            raise DataError(f"{rows} holds no row")
        return join(parts, out)


def _check_keep(signature: Signature, keep: Sequence[str]) -> None:
    for name in keep:
        if keep.count(name) > 1:
            raise ConfigError(f"keep names column {name!r} twice; name it once")
        if name in signature.outputs:
            raise ConfigError(f"keep names column {name!r}, which scores have too; rename it in the rows")


def _stamp(file: Path) -> tuple[int, int]:
    try:
        status = file.stat()
    except OSError as err:  # a link to nowhere
        raise DataError(f"{file} cannot be read: {(err.strerror or str(err)).lower()}") from err
    return status.st_size, status.st_mtime_ns


def _checked(pieces: "Iterator[Piece]", keep: Sequence[str], out: Path) -> "Iterator[Piece]":
    for piece in pieces:
        check_kept(keep, piece.table.schema, out)
        yield piece


def _write_parts(scorer: Scorer, pieces: "Iterator[Piece]", folder: Path, options: ScoringOptions) -> None:
    """Score piece after piece, while the next one is read."""
    import pyarrow.parquet as pq

    done = {int(part.stem.removeprefix("part-")): pq.read_metadata(part).num_rows for part in part_files(folder)}
    first = 0
    for piece in ahead(pieces):
        for start in range(0, piece.table.num_rows, ROWS_IN_A_PART):
            rows = piece.table.slice(start, ROWS_IN_A_PART)
            if done.get(first) != len(rows):
                with piece.named(start):
                    scores = scorer.score(rows)
                kept = {name: rows.column(name) for name in options.keep}
                _write_part(part_file(folder, first), kept, scores)
            first += len(rows)
            options.progress(first, None)


def _write_part(file: Path, kept: "dict[str, Any]", scores: "pa.Table") -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    columns = kept | dict(zip(scores.column_names, scores.columns, strict=True))
    with staged_file(file) as partial:
        pq.write_table(pa.table(columns).replace_schema_metadata(scores.schema.metadata), partial, compression="zstd")
