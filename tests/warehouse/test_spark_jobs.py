"""`polyrank.spark.score` and `encode` on a cluster that loses processes, against what one process makes of the rows."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from numpy.testing import assert_array_equal
from warehouse.spark_cluster import cluster, executors, python_workers, with_one_killed

from polyrank.__main__ import main
from polyrank.schema import Schema
from polyrank.serving import LocalRanker
from polyrank.spark import encode, score
from polyrank.train import TrainConfig, fit
from polyrank.train.datasets import storefront
from polyrank.train.datasets.shipped import schema_text
from polyrank.train.encoded import RowEncoder, open_shards
from polyrank.train.encoded.shards import ShardStorage

pytestmark = [pytest.mark.spark, pytest.mark.timeout(900)]
NUM_ROWS = 1_000_000
TRAINED_ROWS = 20_000
CONFIG = TrainConfig(batch_size=512, epochs=1)
SCHEMA = Schema.from_toml(schema_text("storefront"))

VICTIMS = {"an executor": executors, "a worker of Python": python_workers}


@pytest.fixture(scope="module")
def spark(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    with cluster(tmp_path_factory.mktemp("spark")) as session:
        yield session


@pytest.fixture(scope="module")
def rows() -> pa.Table:
    rows = storefront.simulate(NUM_ROWS)
    return rows.append_column("row", pa.array(np.arange(NUM_ROWS)))


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory, rows: pa.Table) -> Path:
    path = tmp_path_factory.mktemp("rows") / "rows.parquet"
    pq.write_table(rows, path, row_group_size=50_000)
    return path


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory, rows: pa.Table) -> Path:
    folder = tmp_path_factory.mktemp("storefront")
    fit(SCHEMA, rows.slice(0, TRAINED_ROWS), out=folder / "run", config=CONFIG, progress=False)
    assert main(["--quiet", "export", str(folder / "run"), "--out", str(folder / "7")]) == 0
    (folder / "config.pbtxt").touch()  # beside it, so that the folder is a version of a model
    return folder / "7"


@pytest.mark.parametrize("victim", VICTIMS)
def test_scores_equal_those_of_one_process(
    spark: Any, file: Path, rows: pa.Table, bundle: Path, tmp_path: Path, victim: str
) -> None:
    scored = score(spark.read.parquet(str(file)), bundle, keep=["row"])
    with_one_killed(spark, lambda: scored.write.parquet(str(tmp_path / "scores")), VICTIMS[victim])
    actual = pq.read_table(tmp_path / "scores").sort_by("row")
    with LocalRanker(bundle) as local:
        expected = local.score(rows)
    assert actual.num_rows == NUM_ROWS
    assert actual.column_names == ["row", *expected.column_names]
    for name in expected.column_names:
        assert_array_equal(actual[name], expected[name])


def test_columns_of_scores_say_whose_they_are(spark: Any, file: Path, rows: pa.Table, bundle: Path) -> None:
    scored = score(spark.read.parquet(str(file)), bundle, keep=["row"])
    with LocalRanker(bundle) as local:
        metadata = local.score(rows.slice(0, 1)).schema.metadata
    expected = {key.decode(): value.decode() for key, value in metadata.items()}
    assert expected["polyrank.version"] == "7"
    assert [scored.schema[name].metadata for name in scored.columns] == [{}, *[expected] * (len(scored.columns) - 1)]


@pytest.fixture(scope="module")
def encoded(rows: pa.Table) -> dict[str, Any]:
    return RowEncoder(SCHEMA, CONFIG.validation).encode(rows).arrays()


def shard_arrays(folder: Path) -> dict[str, Any]:
    shards = open_shards(folder, SCHEMA, CONFIG)
    assert isinstance(shards, ShardStorage)
    pieces = [shards.piece(index).arrays() for index in range(len(shards.lengths))]
    return {name: np.concatenate([piece[name] for piece in pieces]) for name in pieces[0]}


@pytest.mark.parametrize("victim", VICTIMS)
def test_shards_hold_each_row_once_in_order(
    spark: Any, file: Path, encoded: dict[str, Any], tmp_path: Path, victim: str
) -> None:
    def job() -> Any:
        return encode(spark.read.parquet(str(file)).orderBy("row"), SCHEMA, tmp_path / "shards", config=CONFIG)

    found = with_one_killed(spark, job, VICTIMS[victim])
    assert found.num_rows == NUM_ROWS
    assert len(list((tmp_path / "shards").iterdir())) == found.num_shards + 1
    assert [path.name for path in tmp_path.iterdir()] == ["shards"]
    arrays = shard_arrays(tmp_path / "shards")
    assert arrays.keys() == encoded.keys()
    for name, array in arrays.items():
        assert_array_equal(array, encoded[name])


def test_training_on_shards_gives_the_weights_of_training_on_files(spark: Any, rows: pa.Table, tmp_path: Path) -> None:
    part = rows.slice(0, TRAINED_ROWS)
    pq.write_table(part, tmp_path / "rows.parquet")
    frame = spark.read.parquet(str(tmp_path / "rows.parquet")).repartition(5).orderBy("row")
    encode(frame, SCHEMA, tmp_path / "shards", config=CONFIG)
    runs = [
        fit(SCHEMA, tmp_path / name, out=tmp_path / f"run of {name}", config=CONFIG, progress=False).run_id
        for name in ("rows.parquet", "shards")
    ]
    assert runs[0] == runs[1]


def test_failed_job_leaves_nothing(spark: Any, rows: pa.Table, tmp_path: Path) -> None:
    from pyspark.errors import PySparkException

    part = rows.slice(0, 100)
    prices = pa.array([1.0] * 50 + [-1.0] + [1.0] * 49)
    pq.write_table(part.set_column(part.column_names.index("price"), "price", prices), tmp_path / "rows.parquet")
    frame = spark.read.parquet(str(tmp_path / "rows.parquet"))
    with pytest.raises(PySparkException, match=r"column 'price' holds -1\.0; its transform log1p takes numbers of 0"):
        encode(frame, SCHEMA, tmp_path / "shards", config=CONFIG)
    assert [path.name for path in tmp_path.iterdir()] == ["rows.parquet"]


def remote(df: Any) -> Any:
    """Return a frame that is not of this process's Spark."""
    parent = type(df).__mro__[1]
    return object.__new__(type("Remote", (parent,), {}))


Refused = Callable[[Any, Path, Path], object]
REFUSED: dict[str, tuple[Refused, str]] = {
    "no frame": (lambda _, bundle, __: score("rows", bundle), r"^df must be a DataFrame of Spark, got 'rows'$"),
    "a frame of Spark Connect": (
        lambda df, bundle, _: score(remote(df), bundle),
        r"^df must be of a classic Spark session, got one of Spark Connect; run this on the driver$",
    ),
    "a column is missing": (
        lambda df, bundle, _: score(df.withColumnRenamed("item_id", "item_ids"), bundle, keep=["row"]),
        r"^df has no column 'item_id'; did you mean 'item_ids'\? \(others are: ",
    ),
    "a column is there twice": (
        lambda df, bundle, _: score(df.select("*", "device"), bundle, keep=["row"]),
        r"^df has column 'device' 2 times; drop or rename one of them$",
    ),
    "a type is wrong": (
        lambda df, bundle, _: score(df.withColumn("device", df.hour.cast("timestamp")), bundle, keep=["row"]),
        r"^column 'device' is timestamp; cast it to text such as 2026-07-01T12:00:00, or to int64 units since 1970$",
    ),
    "a bag is no list": (
        lambda df, bundle, _: score(df.withColumn("history", df.hour), bundle, keep=["row"]),
        r"^column 'history' is bigint; a bag takes lists$",
    ),
    "keep is text": (
        lambda df, bundle, _: score(df, bundle, keep="row"),
        r"^keep must be a list of columns, as in keep=\['user_id'\], got 'row'$",
    ),
    "keep names a score": (
        lambda df, bundle, _: score(df, bundle, keep=["click"]),
        r"^keep names column 'click', which scores have too; rename it in df, or keep others, as in keep=",
    ),
    "df has a score": (lambda df, bundle, _: score(df, bundle), r"^df has column 'click', which scores have too; "),
    "no such bundle": (lambda df, _, folder: score(df, folder), r" is not a bundle: signature.json cannot be read"),
    "no rows": (
        lambda df, _, folder: encode(df.limit(0), SCHEMA, folder / "shards"),
        r"^df holds no row; nothing is left to train on$",
    ),
    "out is there": (
        lambda df, bundle, _: encode(df, SCHEMA, bundle),
        r"/7 already exists; choose another output directory or remove it$",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_cannot_be_done_is_one_line_at_once(
    spark: Any, file: Path, bundle: Path, tmp_path: Path, case: str
) -> None:
    from polyrank.errors import PolyrankError

    call, message = REFUSED[case]
    with pytest.raises(PolyrankError, match=message) as caught:
        call(spark.read.parquet(str(file)), bundle, tmp_path)
    assert "\n" not in str(caught.value)
