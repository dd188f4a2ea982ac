"""Scores of files: rows of any size in, one file of scores out, in parts that a later call goes on from."""

import dataclasses
import functools
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from polyrank.errors import ConfigError, DataError
from polyrank.files import SUFFIXES, UTF8, Location, RemotePath, Wanted, ahead, list_files, scan
from polyrank.reasons import system_reason
from polyrank.rows import Rows
from polyrank.signature import Signature
from polyrank.staging import staged_file

from .local import LocalRanker
from .parts import State, part_file, part_files, parts_folder
from .scored_file import Scored, check_kept, check_out, join

if TYPE_CHECKING:
    import pyarrow as pa

    from polyrank.files import Piece

ROWS_IN_A_PART = 100_000
_BEGUN = 2
"""Parts that are scored while one is waited for and written: all threads have work at the end of a part."""


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


def score_files(scorer: Scorer, rows: Location, out: Path, options: ScoringOptions = ScoringOptions()) -> Scored:
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


def _stamp(file: Location) -> tuple[int, int]:
    if isinstance(file, RemotePath):
        return file.stamp()
    try:
        status = file.stat()
    except OSError as err:  # a link to nowhere
        raise DataError(f"{file} cannot be read: {system_reason(err)}") from err
    return status.st_size, status.st_mtime_ns


def _checked(pieces: "Iterator[Piece]", keep: Sequence[str], out: Path) -> "Iterator[Piece]":
    for piece in pieces:
        check_kept(keep, piece.table.schema, out)
        yield piece


@dataclasses.dataclass(frozen=True, kw_only=True)
class _Part:
    """Rows of one part; `scores` gives their scores, and is None where the part is there already."""

    piece: "Piece"
    start: int
    first: int
    rows: "pa.Table"
    scores: "Callable[[], pa.Table] | None"


def _write_parts(scorer: Scorer, pieces: "Iterator[Piece]", folder: Path, options: ScoringOptions) -> None:
    """Write part after part, while the next ones are scored, and those after them are read."""
    import pyarrow.parquet as pq

    done = {int(part.stem.removeprefix("part-")): pq.read_metadata(part).num_rows for part in part_files(folder)}
    for part in _begun(_parts(scorer, ahead(pieces), done)):
        if part.scores is not None:
            with part.piece.named(part.start):
                scores = part.scores()
            kept = {name: part.rows.column(name) for name in options.keep}
            _write_part(part_file(folder, part.first), kept, scores)
        options.progress(part.first + len(part.rows), None)


def _parts(scorer: Scorer, pieces: "Iterator[Piece]", done: Mapping[int, int]) -> Iterator[_Part]:
    first = 0
    for piece in pieces:
        for start in range(0, piece.table.num_rows, ROWS_IN_A_PART):
            rows = piece.table.slice(start, ROWS_IN_A_PART)
            scores = None if done.get(first) == len(rows) else _scores(scorer, rows)
            yield _Part(piece=piece, start=start, first=first, rows=rows, scores=scores)
            first += len(rows)


def _scores(scorer: Scorer, rows: "pa.Table") -> "Callable[[], pa.Table]":
    """Return what gives the scores of rows: begun at once in this process, asked of a server when it is their turn."""
    return scorer.start(rows).result if isinstance(scorer, LocalRanker) else functools.partial(scorer.score, rows)


def _begun(parts: Iterator[_Part]) -> Iterator[_Part]:
    """Yield parts with `_BEGUN` more behind each; those before rows that cannot be read come before that is said."""
    waiting: deque[_Part] = deque()
    try:
        for part in parts:
            waiting.append(part)
            if len(waiting) > _BEGUN:
                yield waiting.popleft()
    except DataError:
        yield from waiting
        raise
    yield from waiting


def _write_part(file: Path, kept: "dict[str, Any]", scores: "pa.Table") -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    columns = kept | dict(zip(scores.column_names, scores.columns, strict=True))
    table = pa.table(columns).replace_schema_metadata(scores.schema.metadata)
    with staged_file(file) as partial:
        pq.write_table(table, partial, compression="lz4", use_dictionary=False)  # read once, and soon
