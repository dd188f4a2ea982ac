import json
import logging
import os
import shutil
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from numpy.testing import assert_array_equal
from toy import TOY_TOML, ToyRows

from polyrank.errors import DataError, OutputError
from polyrank.features import BucketizedFeature, NumericFeature
from polyrank.schema import Schema
from polyrank.train import TrainConfig, ValidationConfig, fit
from polyrank.train.encoded import EncodedRows, RowEncoder
from polyrank.train.encoded.arrow import from_record_batch, to_record_batch
from polyrank.train.encoded.identity import made_of
from polyrank.train.encoded.mapped import DamagedRowsError, MappedStorage
from polyrank.train.preparing import TrainingData, prepare

SMALL = TrainConfig(batch_size=64)


@pytest.fixture
def logs(tmp_path: Path, toy_rows: ToyRows) -> Path:
    pq.write_table(toy_rows(300), tmp_path / "logs.parquet", row_group_size=70)
    return tmp_path / "logs.parquet"


class Trial:
    """Prepares the same logs again and again, and says how many rows it had to encode."""

    def __init__(self, logs: Path, schema: Schema) -> None:
        self.logs, self.schema, self.cache = logs, schema, logs.parent / "cache"
        self.data: TrainingData | None = None

    def encoded(self, schema: Schema | None = None, config: TrainConfig = SMALL) -> int:
        counts: list[int] = []
        self.data = prepare(schema or self.schema, self.logs, config, cache=self.cache, progress=counts.append)
        return sum(counts)

    def made_of(self, file: Path) -> dict[str, Any]:
        """Read from a file what it was made of."""
        found: dict[str, Any] = json.loads(pa.ipc.open_file(file).schema.metadata[b"polyrank"])
        return found


@pytest.fixture
def trial(logs: Path, toy_schema: Schema) -> Trial:
    return Trial(logs, toy_schema)


def test_second_run_encodes_nothing_and_gives_the_same(trial: Trial, tmp_path: Path, toy_schema: Schema) -> None:
    runs = [
        fit(toy_schema, trial.logs, out=tmp_path / name, config=SMALL, cache=trial.cache, progress=False)
        for name in ("a", "b")
    ]
    assert trial.encoded() == 0
    assert runs[0].run_id == runs[1].run_id


def test_rows_have_one_cache_under_all_names_of_their_file(trial: Trial) -> None:
    trial.encoded()
    other = trial.logs.parent / "other"
    other.symlink_to(trial.logs.parent)
    for folder in (other, trial.logs.parent / ".." / trial.logs.parent.name):
        trial.logs = folder / trial.logs.name
        assert trial.encoded() == 0


def test_encoded_rows_are_those_of_the_table(trial: Trial, toy_rows: ToyRows) -> None:
    expected = RowEncoder(trial.schema, SMALL.validation).encode(toy_rows(300))
    for count in (300, 0):
        assert trial.encoded() == count
        assert trial.data is not None
        train, validation = trial.data.train, trial.data.validation
        for name, array in train.read().arrays().items():
            assert_array_equal(array, expected.arrays()[name][train.rows])
            assert_array_equal(getattr(validation.read(), name), expected.arrays()[name][validation.rows])


def touch(logs: Path) -> None:
    os.utime(logs)


def rewrite_with_old_times(logs: Path) -> None:
    before = logs.stat()
    table = pq.read_table(logs)
    changed = table.set_column(0, table.column_names[0], pa.array(table.column(0).to_numpy() + 1))
    pq.write_table(changed, logs, row_group_size=70)
    os.utime(logs, ns=(before.st_atime_ns, before.st_mtime_ns))


def replace(logs: Path) -> None:
    shutil.copy2(logs, logs.with_suffix(".new"))
    logs.with_suffix(".new").replace(logs)


@pytest.mark.parametrize("change", [touch, rewrite_with_old_times, replace])
def test_file_that_changed_is_encoded_again(trial: Trial, change: Callable[[Path], None]) -> None:
    trial.encoded()
    change(trial.logs)
    assert trial.encoded() == 300
    assert trial.encoded() == 0


def test_content_that_changed_trains_as_it_is_now(trial: Trial, toy_rows: ToyRows) -> None:
    trial.encoded()
    pq.write_table(toy_rows(310), trial.logs)
    trial.encoded()
    assert trial.data is not None
    assert len(trial.data.train) + len(trial.data.validation) == 310


def test_file_that_comes_or_goes_is_noticed(trial: Trial, toy_rows: ToyRows) -> None:
    folder = trial.logs.parent / "logs"
    folder.mkdir()
    trial.logs.rename(folder / "part-0.parquet")
    trial.logs = folder
    assert trial.encoded() == 300
    pq.write_table(toy_rows(20), folder / "part-1.parquet")
    assert trial.encoded() == 320
    (folder / "part-0.parquet").unlink()
    assert trial.encoded() == 20


def changed(schema: Schema, name: str, **fields: Any) -> Schema:
    features = tuple(
        msgspec.structs.replace(feature, **fields) if feature.name == name else feature for feature in schema.features
    )
    return msgspec.structs.replace(schema, features=features)


ENCODED_OTHERWISE: dict[str, Callable[[Schema], tuple[Schema, TrainConfig]]] = {
    "missing": lambda schema: (changed(schema, "device", missing=("other",)), SMALL),
    "length": lambda schema: (changed(schema, "tags", max_length=2), SMALL),
    "fewer tasks": lambda schema: (msgspec.structs.replace(schema, tasks=schema.tasks[:1]), SMALL),
    "group": lambda schema: (msgspec.structs.replace(schema, group="user_id"), SMALL),
    "split": lambda schema: (
        schema,
        TrainConfig(batch_size=64, validation=ValidationConfig(split="random")),
    ),
}


@pytest.mark.parametrize("change", ENCODED_OTHERWISE.values(), ids=ENCODED_OTHERWISE)
def test_rows_that_are_encoded_otherwise_are_encoded_again(
    trial: Trial, change: Callable[[Schema], tuple[Schema, TrainConfig]]
) -> None:
    trial.encoded()
    assert trial.encoded(*change(trial.schema)) == 300
    assert trial.encoded() == 0


def test_what_only_the_model_looks_at_encodes_nothing(trial: Trial) -> None:
    trial.encoded()
    wider = Schema.from_toml(TOY_TOML.replace("embedding_dim = 8", "embedding_dim = 16"))
    config = TrainConfig(epochs=2, seed=5, memory_mb=9, validation=ValidationConfig(share=0.3))
    assert trial.encoded(wider, config) == 0


def test_files_of_another_version_are_not_used(trial: Trial, monkeypatch: pytest.MonkeyPatch) -> None:
    trial.encoded()
    monkeypatch.setattr("polyrank.train.encoded.identity.version", lambda _: "0.0.1")
    assert trial.encoded() == 300


@pytest.mark.parametrize("size", [0, 7, 1_000, -1])
def test_damaged_file_is_made_anew(trial: Trial, size: int) -> None:
    trial.encoded()
    file = next(trial.cache.glob("*.arrow"))
    os.truncate(file, size % file.stat().st_size)
    assert trial.encoded() == 300
    assert trial.encoded() == 0


@pytest.mark.parametrize("place", [0.3, 0.5, 0.7])
def test_damage_in_the_rows_is_seen_and_mended(trial: Trial, place: float) -> None:
    trial.encoded()
    assert trial.data is not None
    expected = trial.data.train.read().arrays()
    file = next(trial.cache.glob("*.arrow"))
    with file.open("r+b") as raw:
        raw.seek(int(file.stat().st_size * place))
        byte = raw.read(1)
        raw.seek(-1, os.SEEK_CUR)
        raw.write(bytes([byte[0] ^ 1]))
    assert trial.encoded() == 300
    assert trial.data is not None
    for name, array in trial.data.train.read().arrays().items():
        assert_array_equal(array, expected[name])
    assert trial.encoded() == 0


def test_damage_while_training_is_one_line(trial: Trial) -> None:
    trial.encoded()
    file = next(trial.cache.glob("*.arrow"))
    stored = MappedStorage.open(file, trial.made_of(file))
    assert stored is not None
    with file.open("r+b") as raw:
        raw.seek(file.stat().st_size // 2)
        raw.write(b"\xff\xfe\x01")
    with pytest.raises(DamagedRowsError, match=rf"^encoded rows in {file} are damaged, and were removed; train again$"):
        list(map(stored.piece, range(len(stored.lengths))))
    assert not file.exists()


def test_file_that_changes_while_it_is_read_is_refused(trial: Trial) -> None:
    def change(_: int) -> None:
        os.utime(trial.logs)

    with pytest.raises(DataError, match=r"logs\.parquet changed while it was read; train when its writer is done$"):
        prepare(trial.schema, trial.logs, SMALL, cache=trial.cache, progress=change)
    assert list(trial.cache.iterdir()) == []


def test_rows_stay_readable_when_their_file_is_replaced(trial: Trial) -> None:
    trial.encoded()
    assert trial.data is not None
    before = trial.data.train.read().ids
    data = trial.data
    touch(trial.logs)
    assert trial.encoded() == 300
    assert_array_equal(data.train.read().ids, before)


def test_newest_ways_of_encoding_are_kept(trial: Trial) -> None:
    lengths = [Schema.from_toml(TOY_TOML.replace("max_length = 5", f"max_length = {length}")) for length in range(1, 6)]
    for schema in lengths:
        trial.encoded(schema)
    assert len(list(trial.cache.glob("*.arrow"))) == 3
    assert [trial.encoded(schema) for schema in lengths[2:]] == [0, 0, 0]


def test_files_that_were_not_used_for_long_are_removed(trial: Trial, toy_rows: ToyRows) -> None:
    trial.encoded()
    old = next(trial.cache.glob("*.arrow"))
    os.utime(old, (time.time(), time.time() - 31 * 86_400))
    trial.logs = trial.logs.with_name("others.parquet")
    pq.write_table(toy_rows(50), trial.logs)
    trial.encoded()
    assert not old.exists()


def test_old_files_of_the_user_stay_in_the_cache_folder(trial: Trial) -> None:
    trial.cache.mkdir()
    mine = [trial.cache / name for name in ("table.arrow", f"{'0' * 16}-{'0' * 16}.arrow.bak.arrow")]
    for file in mine:
        file.touch()
        os.utime(file, (0, 0))
    trial.encoded()
    assert all(file.exists() for file in mine)


@pytest.mark.parametrize("method", ["stat", "unlink"])
def test_old_file_that_another_training_removes_is_passed_over(
    trial: Trial, monkeypatch: pytest.MonkeyPatch, method: str
) -> None:
    trial.cache.mkdir()
    old = trial.cache / f"{'0' * 16}-{'0' * 16}.arrow"
    old.touch()
    os.utime(old, (0, 0))
    usual = getattr(Path, method)

    def too_late(path: Path, **options: Any) -> Any:
        if path == old:
            usual(path, **options)
            raise PermissionError(1, "Operation not permitted", str(path))
        return usual(path, **options)

    monkeypatch.setattr(Path, method, too_late)
    assert trial.encoded() == 300


def test_error_of_the_rows_keeps_its_own_advice(trial: Trial, monkeypatch: pytest.MonkeyPatch) -> None:
    message = "cannot write /tmp/copy: no space left on device; set TMPDIR to a folder with room"

    def full(*_: object) -> None:
        raise OutputError(message)

    monkeypatch.setattr("polyrank.train.encoded.cache.scan", full)
    with pytest.raises(OutputError, match=f"^{message}$"):
        trial.encoded()


@pytest.mark.parametrize(
    "fields",
    [
        {"kind": NumericFeature, "transform": ("standardize",), "mean": 1.0, "std": 2.0},
        {"kind": NumericFeature, "transform": ("minmax",), "minimum": 1.0, "maximum": 2.0},
        {"kind": NumericFeature, "transform": ("quantile",), "knots": (0.5,), "levels": (0.5,)},
        {"kind": BucketizedFeature, "quantiles": 3, "boundaries": (0.5,)},
    ],
    ids=["moments", "range", "knots", "boundaries"],
)
def test_what_training_fits_does_not_change_how_rows_are_encoded(toy_schema: Schema, fields: dict[str, Any]) -> None:
    kind, fitted = fields["kind"], {name: value for name, value in fields.items() if name != "kind"}
    given = {name: value for name, value in fitted.items() if name in ("transform", "quantiles")}
    before, after = (
        made_of(msgspec.structs.replace(toy_schema, features=(kind(name="at", **chosen),)), SMALL)
        for chosen in (given, fitted)
    )
    assert before == after


def test_boundaries_that_are_given_stay_in_the_description(toy_schema: Schema) -> None:
    features = (BucketizedFeature(name="at", boundaries=(0.5,)),)
    found = made_of(msgspec.structs.replace(toy_schema, features=features), SMALL)
    assert list(found["schema"]["features"][0]["boundaries"]) == [0.5]


def test_row_of_an_error_counts_from_the_start_of_its_file(
    tmp_path: Path, toy_schema: Schema, toy_rows: ToyRows
) -> None:
    table = toy_rows(3_000)
    users: list[object] = table["user_id"].to_pylist()
    users[2_500] = 46.5
    table = table.set_column(table.column_names.index("user_id"), "user_id", pa.array(users, pa.float64()))
    (tmp_path / "logs").mkdir()
    pq.write_table(toy_rows(100), tmp_path / "logs" / "part-0.parquet")
    pq.write_table(table, tmp_path / "logs" / "part-1.parquet", row_group_size=1_000)
    message = r"logs/part-1\.parquet: column 'user_id' holds 46\.5 at row 2,501; whole numbers expected"
    with pytest.raises(DataError, match=message):
        prepare(toy_schema, tmp_path / "logs", SMALL, cache=tmp_path / "cache")
    assert list((tmp_path / "cache").iterdir()) == []


@pytest.mark.parametrize("small_disk", ["100k"], indirect=True)
def test_full_disk_is_one_line_and_leaves_nothing(trial: Trial, small_disk: Path, toy_rows: ToyRows) -> None:
    pq.write_table(toy_rows(5_000), trial.logs)
    trial.cache = small_disk / "cache"
    with pytest.raises(
        OutputError,
        match=r"/cache/.*\.arrow: no space left on device; keep encoded rows elsewhere: --cache DIR, or",
    ):
        trial.encoded()
    assert list(trial.cache.iterdir()) == []


def test_record_batches_hold_every_column_and_width() -> None:
    rows = EncodedRows(
        ids=np.arange(6).reshape(2, 3),
        dense=np.empty((2, 0), np.float32),
        labels=np.array([[1], [np.nan]], np.float32),
        weights=np.ones((2, 2), np.float32),
        sample_weights=np.array([1, 2], np.float32),
        groups=np.array([-1, 5]),
        split_keys=np.array([0, 1]),
    )
    back = from_record_batch(to_record_batch(rows).slice(1))
    for name, array in rows.arrays().items():
        assert_array_equal(back.arrays()[name], array[1:])
        assert back.arrays()[name].dtype == array.dtype


def test_use_of_a_file_is_logged(trial: Trial, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO, "polyrank"):
        trial.encoded()
        trial.encoded()
    assert [message.partition(" /")[0] for message in caplog.messages] == [
        "encoded rows are kept in",
        "encoded rows come from",
    ]


def no_home() -> Path:
    raise RuntimeError("Could not determine home directory.")


@pytest.mark.parametrize("folder", [no_home, lambda: Path("/proc/absent")], ids=["no home", "read-only"])
def test_cache_folder_that_cannot_be_used_is_replaced(
    trial: Trial,
    folder: Callable[[], Path],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setattr("polyrank.caches.encoded_folder", folder)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "tmp"))
    prepare(trial.schema, trial.logs, SMALL)
    assert len(list((tmp_path / "tmp" / f"polyrank-{os.getuid()}" / "encoded").glob("*.arrow"))) == 1
    assert "since the cache folder cannot be used: " in caplog.messages[0]


def test_absent_file_is_none(tmp_path: Path) -> None:
    assert MappedStorage.open(tmp_path / "absent.arrow", {}) is None
