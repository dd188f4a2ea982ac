"""Folders of encoded rows that training reads as they are."""

import shutil
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pyarrow.parquet as pq
import pytest
from toy import TOY_TOML, ToyRows

from polyrank.__main__ import main
from polyrank.errors import DataError, OutputError
from polyrank.schema import Schema
from polyrank.spark.committing import ATTEMPTS, commit
from polyrank.spark.writing import write_shard
from polyrank.train import TrainConfig, ValidationConfig, fit
from polyrank.train.comparing import compare_runs
from polyrank.train.encoded.manifest import MANIFEST, difference_of
from polyrank.train.preparing import prepare

CONFIG = TrainConfig(batch_size=64, epochs=1)
PARTS = (100, 170, 30)
NUM_ROWS = sum(PARTS)

# With what training fits on rows: ranks of numbers, and neighbours of items.
FITTED_TOML = (
    TOY_TOML.replace('name = "score"\n', 'name = "score"\ntransform = ["quantile"]\n')
    + '[[features]]\nname = "near"\nkind = "neighbors"\nof = "item_id"\nby = "user_id"\n'
)


def write_parts(folder: Path, schema: Schema, toy_rows: ToyRows, *, abandoned: bool = False) -> None:
    """Write what tasks write: a shard of each part, and what an attempt that died has left."""
    rows, start, written = toy_rows(NUM_ROWS), 0, []
    (folder / ATTEMPTS).mkdir(parents=True)
    for place, count in enumerate(PARTS):
        file = folder / ATTEMPTS / f"{place}-attempt"
        found = write_shard(file, schema, CONFIG, iter([rows.slice(start, 20), rows.slice(start + 20, count - 20)]))
        assert found is not None
        num_rows, size_bytes, digest = found
        written.append(SimpleNamespace(file=file.name, num_rows=num_rows, size_bytes=size_bytes, digest=digest))
        start += count
    if abandoned:
        (folder / ATTEMPTS / "1-abandoned").write_bytes(b"half a fi")
    assert commit(written, folder, schema, CONFIG).num_rows == NUM_ROWS


@pytest.fixture
def shards(tmp_path: Path, toy_schema: Schema, toy_rows: ToyRows) -> Path:
    write_parts(tmp_path / "shards", toy_schema, toy_rows)
    return tmp_path / "shards"


@pytest.mark.parametrize("toml", [TOY_TOML, FITTED_TOML], ids=["toy", "fitted on rows"])
def test_training_gives_the_weights_of_training_on_files(tmp_path: Path, toy_rows: ToyRows, toml: str) -> None:
    schema = Schema.from_toml(toml)
    pq.write_table(toy_rows(NUM_ROWS), tmp_path / "rows.parquet")
    write_parts(tmp_path / "shards", schema, toy_rows)
    runs = [
        fit(schema, tmp_path / data, out=tmp_path / f"{data}-run", config=CONFIG, progress=False)
        for data in ("rows.parquet", "shards")
    ]
    assert runs[0].run_id == runs[1].run_id


def test_runs_are_compared_on_the_shards_they_were_trained_on(shards: Path, tmp_path: Path, toy_schema: Schema) -> None:
    for name in ("a", "b"):
        fit(toy_schema, shards, out=tmp_path / name, config=CONFIG, progress=False)
    assert compare_runs([tmp_path / "a", tmp_path / "b"], shards).rows == 30


def test_command_trains_on_shards(shards: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "schema.toml").write_text(TOY_TOML)
    assert main(["train", str(shards), "--schema", str(tmp_path / "schema.toml"), "--dry-run"]) == 0
    assert "rows        270 to train on, 30 to validate on" in capsys.readouterr().out


def test_files_of_other_attempts_are_removed(tmp_path: Path, toy_schema: Schema, toy_rows: ToyRows) -> None:
    write_parts(tmp_path / "shards", toy_schema, toy_rows, abandoned=True)
    names = sorted(file.name for file in (tmp_path / "shards").iterdir())
    assert names == [*(f"part-{place:05d}.arrow" for place in range(len(PARTS))), MANIFEST]


def test_shard_that_the_driver_does_not_see_is_refused(tmp_path: Path, toy_schema: Schema) -> None:
    (tmp_path / ATTEMPTS).mkdir()
    elsewhere = SimpleNamespace(file="1", num_rows=1, size_bytes=1, digest="")
    with pytest.raises(OutputError, match=r"which is not the same on driver and executors; name a directory that they"):
        commit([elsewhere], tmp_path, toy_schema, CONFIG)


def test_no_row_is_refused(tmp_path: Path, toy_schema: Schema) -> None:
    with pytest.raises(DataError, match=r"^df holds no row; nothing is left to train on$"):
        commit([], tmp_path, toy_schema, CONFIG)


def test_table_without_batches_writes_no_shard(tmp_path: Path, toy_schema: Schema) -> None:
    assert write_shard(tmp_path / "shard", toy_schema, CONFIG, iter([])) is None
    assert not list(tmp_path.iterdir())


OTHER_WAYS = {
    "another length": (
        (TOY_TOML.replace("max_length = 5", "max_length = 6"), CONFIG),
        r"\$\.schema\.features\[2\]\.max_length is 5 there and 6 here; encode the rows anew with polyrank\.spark\.enc",
    ),
    "another name": (
        (TOY_TOML.replace('"plays"', '"clicks"'), CONFIG),
        r'\$\.schema\.features\[7\]\.name is "plays" there and "clicks" here; ',
    ),
    "fewer tasks": (
        (TOY_TOML[: TOY_TOML.index('[[tasks]]\nname = "watch_s"')], CONFIG),
        r"\$\.schema\.tasks is 4 long there and 3 long here; ",
    ),
    "another split": (
        (TOY_TOML, TrainConfig(validation=ValidationConfig(split="random"))),
        r'\$\.split\[0\] is null there and "random" here; ',
    ),
}


@pytest.mark.parametrize("case", OTHER_WAYS)
def test_other_ways_of_encoding_are_refused(shards: Path, case: str) -> None:
    (toml, config), message = OTHER_WAYS[case]
    with pytest.raises(DataError, match=rf"/shards holds shards that were encoded in another way: {message}"):
        prepare(Schema.from_toml(toml), shards, config)


def test_what_only_the_model_looks_at_may_differ(shards: Path) -> None:
    other = TOY_TOML.replace("embedding_dim = 8", "embedding_dim = 4").replace("weight = 0.5", "weight = 2.0")
    assert len(prepare(Schema.from_toml(other), shards, CONFIG).train) == 270


def cut(file: Path) -> None:
    file.write_bytes(file.read_bytes()[:-100])


def flip(file: Path) -> None:
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 1
    file.write_bytes(content)


DAMAGES: dict[str, tuple[Callable[[Path], object], str]] = {
    "missing": (Path.unlink, r"^shard .*/part-00001\.arrow is missing; copy it there, or encode the rows anew with"),
    "cut short": (cut, r"^shard .*/part-00001\.arrow is damaged: it is not what was written; copy it again, or"),
    "a bit": (flip, r"shard .*/part-00001\.arrow is damaged: it is not what was written; copy it again, or encode"),
    "another": (
        lambda file: shutil.copy(file.with_name("part-00000.arrow"), file),
        r"^shard .*/part-00001\.arrow is damaged: ",
    ),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_damage_is_one_line_and_nothing_is_removed(shards: Path, toy_schema: Schema, damage: str) -> None:
    change, message = DAMAGES[damage]
    change(shards / "part-00001.arrow")
    files = sorted(shards.iterdir())
    with pytest.raises(DataError, match=message):
        prepare(toy_schema, shards, CONFIG)
    assert sorted(shards.iterdir()) == files


@pytest.mark.parametrize("text", ["{", '{"shards": []}', '{"way": {}, "shards": [], "more": 1}'])
def test_manifest_that_is_none_is_refused(shards: Path, toy_schema: Schema, text: str) -> None:
    (shards / MANIFEST).write_text(text)
    with pytest.raises(DataError, match=r"/shards\.json is no list of shards: .*; encode the rows anew with polyrank"):
        prepare(toy_schema, shards, CONFIG)


def test_unreadable_manifest_is_refused(shards: Path, toy_schema: Schema) -> None:
    (shards / MANIFEST).unlink()
    (shards / MANIFEST).mkdir()
    with pytest.raises(DataError, match=r"/shards\.json cannot be read: is a directory$"):
        prepare(toy_schema, shards, CONFIG)


def test_more_shards_than_files_may_be_opened_are_refused(
    shards: Path, toy_schema: Schema, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("resource.getrlimit", lambda _: (130, 130))
    with pytest.raises(DataError, match=r"holds 3 shards, and this process may open 2; raise the limit \(ulimit -n\)"):
        prepare(toy_schema, shards, CONFIG)


def test_what_only_one_way_says_is_a_difference() -> None:
    assert difference_of({"a": 1}, {"a": 1, "b": None}) == "$.b is absent there and null here"
