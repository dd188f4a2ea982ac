"""Files that somebody damaged or made up are read, or refused in one line; nothing crashes, hangs or fills memory."""

import dataclasses
import io
import json
from collections.abc import Callable
from pathlib import Path

import msgspec
import pyarrow as pa
import pytest
from artefacts.hostile import bounded, hostile
from artefacts.pages import ROOT
from artefacts.shop_logs import LOOP, SCHEMA
from hypothesis import given, settings
from hypothesis import strategies as st
from pyarrow import csv, feather, parquet
from toy import TOY_TOML, toy_table

from polyrank.encoder import Encoder
from polyrank.export import ServingOptions
from polyrank.files import Wanted, read_table
from polyrank.loop import Loop
from polyrank.schema import Schema
from polyrank.train import TrainConfig

QUICK, MANY = 100, 2_000
ROWS = toy_table(30)
TRAINING = ROOT / "examples" / "kuairand" / "train.toml"
TOY = Schema.from_toml(TOY_TOML)

SERVING = b"""
max_batch_size = 2048
preferred_batch_sizes = [256, 1024]
warm_up = [1, 256]

[[instances]]
kind = "cpu"
count = 2

[memory]
shrink = "cpu:0"
"""


def written(write: Callable[[pa.Table, io.BytesIO], object], rows: pa.Table = ROWS) -> bytes:
    sink = io.BytesIO()
    write(rows, sink)
    return sink.getvalue()


def json_lines() -> bytes:
    return "".join(json.dumps(row) + "\n" for row in ROWS.to_pylist()).encode()


def csv_text() -> bytes:
    return written(csv.write_csv, ROWS.drop_columns(["history", "tags"]))


def uncompressed(rows: pa.Table, sink: io.BytesIO) -> None:
    feather.write_feather(rows, sink, compression="uncompressed")


def read_rows(file: Path) -> None:
    table = read_table(file, Wanted())
    flat = [each for each in TOY.features if each.name not in ("history", "tags")]
    schema = TOY if {"history", "tags"} <= set(table.column_names) else msgspec.structs.replace(TOY, features=flat)
    Encoder(schema).encode(table)


def read_loop(file: Path) -> None:
    (file.parent / "schema.toml").write_text(SCHEMA)
    Loop.load(file)


@dataclasses.dataclass(frozen=True)
class Kind:
    name: str
    valid: bytes
    read: Callable[[Path], object]


KINDS = (
    Kind("schema.toml", TOY_TOML.encode(), Schema.load),
    Kind("train.toml", TRAINING.read_bytes(), TrainConfig.load),
    Kind("serving.toml", SERVING, ServingOptions.load),
    Kind("loop.toml", LOOP.encode(), read_loop),
    Kind("rows.csv", csv_text(), read_rows),
    Kind("rows.parquet", written(parquet.write_table), read_rows),
    Kind("rows.arrow", written(feather.write_feather), read_rows),
    Kind("rows.feather", written(uncompressed), read_rows),
    Kind("rows.jsonl", json_lines(), read_rows),
)


def check(kind: Kind, folder: Path, content: bytes) -> None:
    file = folder / kind.name
    file.write_bytes(content)
    with bounded():
        kind.read(file)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("hostile")


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
@settings(max_examples=QUICK)
@given(data=st.data())
def test_hostile_file_is_read_or_refused(kind: Kind, folder: Path, data: st.DataObject) -> None:
    check(kind, folder, data.draw(hostile(kind.valid)))


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
@settings(max_examples=MANY)
@given(data=st.data())
def test_hostile_file_is_read_or_refused_in_many_cases(kind: Kind, folder: Path, data: st.DataObject) -> None:
    check(kind, folder, data.draw(hostile(kind.valid)))


DEEP = 100_000
AWKWARD = {
    "deep": ("a = " + "[" * DEEP + "]" * DEEP).encode(),
    "many parts": (".".join(["a"] * DEEP) + " = 1").encode(),
    "many digits": b"epochs = " + b"9" * 10_000,
    "no text": b"\xff\xfe\0",
    "nothing": b"",
    "long line": b"#" + b"x" * 5_000_000,
}


@pytest.mark.parametrize("content", AWKWARD.values(), ids=AWKWARD)
@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
def test_awkward_file_is_read_or_refused(kind: Kind, folder: Path, content: bytes) -> None:
    check(kind, folder, content)


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
def test_file_that_nobody_damaged_is_read(kind: Kind, tmp_path: Path) -> None:
    file = tmp_path / kind.name
    file.write_bytes(kind.valid)
    kind.read(file)
