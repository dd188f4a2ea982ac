"""Where the time of a scoring goes: each of its parts by itself, as `polyrank score` does it."""

import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pyarrow as pa

from polyrank.encoder import Encoder
from polyrank.files import scan
from polyrank.serving import LocalRanker
from polyrank.serving.blocks import BLOCK_ROWS
from polyrank.serving.scoring import ROWS_IN_A_PART, score_files

from .bundles import Prepared

TURNS = 3


class _Answered:
    """A scorer that has all answers: what is left of a scoring is reading and writing."""

    def __init__(self, ranker: LocalRanker, scores: pa.Table) -> None:
        self._scores = scores
        self.model, self.version, self.signature = ranker.model, ranker.version, ranker.signature

    def score(self, rows: pa.Table) -> pa.Table:
        """Return scores, of other rows."""
        return self._scores[: len(rows)]


def stages(prepared: Prepared) -> list[list[str]]:
    """Return a line for each part; together they take longer than the command, in which they overlap."""
    tables = [piece.table for piece in scan(prepared.file, prepared.wanted())]
    encoder = Encoder(prepared.schema, threads=1)
    with LocalRanker(prepared.bundle) as ranker, tempfile.TemporaryDirectory() as folder:
        some = ranker.score(tables[0].slice(0, ROWS_IN_A_PART))
        answered = _Answered(ranker, pa.concat_tables([some] * -(-ROWS_IN_A_PART // len(some))))
        parts: dict[str, Callable[[], object]] = {
            "read": lambda: [None for _ in scan(prepared.file, prepared.wanted())],
            "encode, one thread": lambda: _encode(encoder, tables),
            "read and write": lambda: score_files(answered, prepared.file, Path(folder, "scores.parquet")),
        }
        return [_line(name, work) for name, work in parts.items()]


def _encode(encoder: Encoder, tables: list[pa.Table]) -> None:
    out = encoder.encode(tables[0].slice(0, BLOCK_ROWS))
    for block in _blocks(tables):
        encoder.encode(block, out=out[: len(block)])


def _blocks(tables: list[pa.Table]) -> Iterator[pa.Table]:
    for table in tables:
        yield from (table.slice(start, BLOCK_ROWS) for start in range(0, len(table), BLOCK_ROWS))


def _line(name: str, work: Callable[[], object]) -> list[str]:
    seconds, used = [], []
    for _ in range(TURNS):
        start, before = time.perf_counter(), time.process_time()
        work()
        seconds.append(time.perf_counter() - start)
        used.append(time.process_time() - before)
    return [name, f"{statistics.median(seconds):.2f}", f"{statistics.median(used):.2f}"]
