from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from polyrank.errors import DataError
from polyrank.schema import Schema
from polyrank.train.datasets import kuairand
from polyrank.train.datasets.shipped import schema_text

EXAMPLE = Path(__file__).parents[2] / "examples" / "kuairand"
TABLES = {
    "interactions": {
        "user_id": [2, 1, 2],
        "video_id": [10, 20, 20],
        "time_ms": [30, 10, 20],
        "play_time_ms": [500, 100, 3000],
        "duration_ms": [1000, 0, 2000],
    },
    "users": {"user_id": [1, 2], "degree": ["low", "high"]},
    "videos": {"video_id": [20, 10], "tags": [["a"], ["b", "c"]]},
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name, columns in TABLES.items():
        pq.write_table(pa.table(columns), tmp_path / f"{name}.parquet")
    return tmp_path


def test_interactions_are_joined_oldest_first(folder: Path) -> None:
    assert kuairand.load(folder).to_pydict() == {
        "user_id": [1, 2, 2],
        "video_id": [20, 20, 10],
        "time_ms": [10, 20, 30],
        "play_time_ms": [100, 3000, 500],
        "duration_ms": [0, 2000, 1000],
        "degree": ["low", "high", "high"],
        "tags": [["a"], ["a"], ["b", "c"]],
        "watch_ratio": [None, 1.5, 0.5],
    }


@pytest.mark.parametrize("name", ["interactions", "users", "videos"])
def test_missing_file_is_named(folder: Path, name: str) -> None:
    (folder / f"{name}.parquet").unlink()
    with pytest.raises(DataError, match=rf"{name}\.parquet does not exist"):
        kuairand.load(str(folder))


@pytest.mark.parametrize(
    ("name", "column"),
    [
        ("interactions", "time_ms"),
        ("interactions", "user_id"),
        ("interactions", "video_id"),
        ("interactions", "play_time_ms"),
        ("users", "user_id"),
        ("videos", "video_id"),
        ("interactions", "duration_ms"),
    ],
)
def test_missing_column_is_named_with_its_file(folder: Path, name: str, column: str) -> None:
    path = folder / f"{name}.parquet"
    pq.write_table(pq.read_table(path).drop_columns([column]), path)
    with pytest.raises(DataError, match=rf"{name}\.parquet: column '{column}' is missing; is this KuaiRand\?$"):
        kuairand.load(folder)


@pytest.mark.parametrize(("name", "key"), [("users", "user_id"), ("videos", "video_id")])
def test_unknown_key_is_named(folder: Path, name: str, key: str) -> None:
    path = folder / f"{name}.parquet"
    pq.write_table(pq.read_table(path)[1:], path)
    with pytest.raises(DataError, match=rf"^{key} \d+ of the interactions is not in its table of attributes$"):
        kuairand.load(folder)


def test_example_fits_its_schema(kuairand_slice: pa.Table) -> None:
    schema = Schema.load(EXAMPLE / "schema.toml")
    assert set(schema.training_columns) <= set(kuairand_slice.column_names)
    assert not set(schema.feature_columns) & set(kuairand.OUTCOMES)


def test_schema_of_the_example_is_the_shipped_one() -> None:
    assert (EXAMPLE / "schema.toml").read_text() == schema_text("kuairand")


def test_example_is_in_time_order(kuairand_slice: pa.Table) -> None:
    assert (np.diff(kuairand_slice["time_ms"].to_numpy()) >= 0).all()
