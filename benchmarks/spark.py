"""How many rows a second `polyrank.spark` takes, beside the same rows without Spark: docs/spark.md.

python benchmarks/spark.py                   # a million rows of the simulated shop: some minutes, 4 GB
python benchmarks/spark.py --rows 20000      # that it runs, not how fast it is
"""

import argparse
import os
import platform
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pyspark
from contests import report
from contests.verbs import verb
from pyspark.sql import SparkSession

from polyrank.schema import Schema
from polyrank.spark import encode, fingerprints, score
from polyrank.train import TrainConfig, fit
from polyrank.train.datasets import storefront
from polyrank.train.datasets.shipped import schema_text
from polyrank.train.preparing import prepare

TRAINED_ROWS = 20_000
ROWS_IN_A_GROUP = 50_000
IN_SQL = "`fingerprints`, all in SQL"


def main() -> None:
    """Write rows, train a model of some of them, and time each way."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--cores", type=int, default=os.cpu_count())
    args = parser.parse_args()
    os.environ["PYSPARK_PYTHON"] = sys.executable
    schema = Schema.from_toml(schema_text("storefront"))
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        _prepare(place, schema, args.rows)
        print(
            f"{platform.machine()}, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}, Spark {pyspark.__version__}"
        )
        print(f"{args.rows:,} rows, Spark local[{args.cores}]; the second run of each, with Spark and without\n")
        alone = _without_spark(place, schema, args.rows)
        lines = [["`polyrank.spark`", "rows/s", "without Spark", "its rows/s"]]
        for what, speed in _with_spark(place, schema, args.rows, args.cores).items():
            lines.append([what, speed, *alone.get(what, ("", ""))])
    print(report.markdown(lines))


def _prepare(place: Path, schema: Schema, rows: int) -> None:
    table = storefront.simulate(rows)
    pq.write_table(table, place / "rows.parquet", row_group_size=ROWS_IN_A_GROUP)
    (place / "schema.toml").write_text(schema.to_toml())
    fit(schema, table.slice(0, TRAINED_ROWS), out=place / "run", config=TrainConfig(epochs=1), progress=False)
    verb("--quiet", "export", str(place / "run"), "--out", str(place / "bundle"))


def _without_spark(place: Path, schema: Schema, rows: int) -> dict[str, tuple[str, str]]:
    """Return what does the same without Spark, by what Spark does, and its rows a second in its second turn."""
    file, schema_file = str(place / "rows.parquet"), str(place / "schema.toml")
    hashed, scored = str(place / "hashed.parquet"), str(place / "scored.parquet")
    fingerprint = ("--quiet", "fingerprint", file, "--schema", schema_file, "--out", hashed)
    answer = ("--quiet", "score", str(place / "bundle"), file, "--out", scored)
    found = {}
    for turn in (1, 2):
        cache = place / f"cache{turn}"  # of its own: what is encoded is not encoded again
        jobs: dict[str, tuple[str, Callable[[], object]]] = {
            IN_SQL: ("`polyrank fingerprint`", lambda: verb(*fingerprint)),
            "`score`": ("`polyrank score`", lambda: verb(*answer)),
            "`encode`": (
                "the encoding before a training",
                lambda cache=cache: prepare(schema, file, TrainConfig(), cache=cache),
            ),
        }
        found = {what: (name, _speed(rows, job)) for what, (name, job) in jobs.items()}
    return found


def _with_spark(place: Path, schema: Schema, rows: int, cores: int) -> dict[str, str]:
    """Return the rows a second of each job, in its second turn."""
    session = SparkSession.builder.master(f"local[{cores}]").config("spark.driver.memory", "2g")
    spark = session.config("spark.sql.files.maxPartitionBytes", "8m").config("spark.ui.enabled", "false").getOrCreate()
    spark.sparkContext.setLogLevel("ERROR")
    frame = spark.read.parquet(str(place / "rows.parquet"))
    sql = Schema.from_toml(_without_texts(schema))

    def written(df: Any) -> Callable[[], object]:
        return lambda: df.write.mode("overwrite").parquet(str(place / "out"))

    speeds = {}
    for turn in (1, 2):
        timed = {
            IN_SQL: written(fingerprints(frame, sql)),
            "`fingerprints`, texts by the kernel": written(fingerprints(frame, schema)),
            "`score`": written(score(frame, place / "bundle", keep=["user_id", "item_id"])),
            "`encode`": lambda turn=turn: encode(frame, schema, place / f"shards{turn}"),
        }
        speeds = {what: _speed(rows, job) for what, job in timed.items()}
    spark.stop()
    return speeds


def _without_texts(schema: Schema) -> str:
    import msgspec

    from polyrank.features import TextFeature

    kept = tuple(feature for feature in schema.features if not isinstance(feature, TextFeature))
    return msgspec.structs.replace(schema, features=kept).to_toml()


def _speed(rows: int, job: Callable[[], object]) -> str:
    start = time.perf_counter()
    job()
    return f"{rows / (time.perf_counter() - start):,.0f}"


if __name__ == "__main__":
    main()
