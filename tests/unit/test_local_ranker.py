"""A bundle in this process: rows in blocks on threads, answers as if each block were run alone."""

from concurrent.futures import CancelledError
from pathlib import Path

import numpy as np
import onnxruntime
import pyarrow as pa
import pytest
from toy import toy_table

from polyrank.encoder import Encoder
from polyrank.errors import ConfigError, DataError, RowError
from polyrank.schema import Schema
from polyrank.serving import LocalRanker
from polyrank.signature import Signature

ROWS = 3_001
"""Two blocks that are full, and one that ends in the middle of a kernel's stride."""


@pytest.fixture(scope="module")
def rows() -> pa.Table:
    return toy_table(ROWS, 7)


@pytest.fixture(scope="module")
def schema(toy_bundle: Path) -> Schema:
    return Signature.load(toy_bundle).schema


@pytest.fixture(scope="module")
def clicks(toy_bundle: Path, schema: Schema, rows: pa.Table) -> bytes:
    """Bits of `click` in runs of 1,024 rows, by ONNX Runtime alone."""
    session = onnxruntime.InferenceSession(str(toy_bundle / "model.onnx"), providers=["CPUExecutionProvider"])
    batch = Encoder(schema).encode(rows)
    runs = [session.run(["click"], batch[start : start + 1024].named())[0] for start in range(0, ROWS, 1024)]
    return np.concatenate(runs).tobytes()


def bits(scores: pa.Table) -> bytes:
    return bytes(scores["click"].to_numpy().tobytes())


@pytest.mark.parametrize("threads", [1, 2, 5])
def test_scores_are_the_same_bits_on_any_cores(toy_bundle: Path, rows: pa.Table, clicks: bytes, threads: int) -> None:
    with LocalRanker(toy_bundle, threads=threads) as ranker:
        assert bits(ranker.score(rows)) == clicks


def test_dicts_score_as_the_table_does(toy_bundle: Path, rows: pa.Table, clicks: bytes) -> None:
    with LocalRanker(toy_bundle) as ranker:
        assert bits(ranker.score(rows.to_pylist())) == clicks


def test_table_of_many_chunks_scores_alike(toy_bundle: Path, rows: pa.Table, clicks: bytes) -> None:
    chunks = pa.Table.from_batches(rows.to_batches(max_chunksize=700))
    with LocalRanker(toy_bundle) as ranker:
        assert bits(ranker.score(chunks)) == clicks


def test_what_is_begun_together_is_not_mixed(toy_bundle: Path, rows: pa.Table, clicks: bytes) -> None:
    with LocalRanker(toy_bundle, threads=3) as ranker:
        first, second = ranker.start(rows), ranker.start(rows[:1024])
        assert (bits(second.result()), bits(first.result())) == (clicks[: 4 * 1024], clicks)


@pytest.mark.parametrize("wrong", [3, 2_345])
def test_wrong_value_is_told_by_its_row_of_the_table(toy_bundle: Path, rows: pa.Table, wrong: int) -> None:
    plays = rows["plays"].to_pylist()
    plays[wrong] = plays[2_900] = -1
    place = rows.column_names.index("plays")
    table = rows.set_column(place, "plays", pa.array(plays))
    with LocalRanker(toy_bundle, threads=2) as ranker, pytest.raises(RowError, match="'plays'") as caught:
        ranker.score(table)
    assert caught.value.row == wrong


def test_column_that_is_missing_is_named(toy_bundle: Path, rows: pa.Table) -> None:
    with LocalRanker(toy_bundle) as ranker, pytest.raises(DataError, match="'age'"):
        ranker.score(rows.drop_columns(["age"]))


def test_closing_leaves_out_what_is_not_begun(toy_bundle: Path, rows: pa.Table) -> None:
    with LocalRanker(toy_bundle, threads=1) as ranker:
        pending = ranker.start(pa.concat_tables([rows] * 50))
    with pytest.raises(CancelledError):
        pending.result()


def test_use_after_close_is_told(toy_bundle: Path, rows: pa.Table) -> None:
    ranker = LocalRanker(toy_bundle, threads=1)
    ranker.close()
    with pytest.raises(ConfigError, match=r"^the ranker is closed; make a new one$"):
        ranker.score(rows)
