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
from pyspark.sql import SparkSession

from polyrank.__main__ import main as polyrank
from polyrank.schema import Schema
from polyrank.spark import encode, fingerprints, score
from polyrank.train import TrainConfig, fit
from polyrank.train.datasets import storefront
from polyrank.train.datasets.shipped import schema_text
from polyrank.train.preparing import prepare

TRAINED_ROWS = 20_000
ROWS_IN_A_GROUP = 50_000


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
        print(f"{args.rows:,} rows, Spark local[{args.cores}]; its second run of each, when its processes are warm")
        _without_spark(place, schema, args.rows)
        _with_spark(place, schema, args.rows, args.cores)


def _prepare(place: Path, schema: Schema, rows: int) -> None:
    table = storefront.simulate(rows)
    pq.write_table(table, place / "rows.parquet", row_group_size=ROWS_IN_A_GROUP)
    (place / "schema.toml").write_text(schema.to_toml())
    fit(schema, table.slice(0, TRAINED_ROWS), out=place / "run", config=TrainConfig(epochs=1), progress=False)
    polyrank(["--quiet", "export", str(place / "run"), "--out", str(place / "bundle")])


def _without_spark(place: Path, schema: Schema, rows: int) -> None:
    file, schema_file = str(place / "rows.parquet"), str(place / "schema.toml")
    hashed, scored = str(place / "hashed.parquet"), str(place / "scored.parquet")
    _say(
        "polyrank fingerprint",
        rows,
        lambda: polyrank(["--quiet", "fingerprint", file, "--schema", schema_file, "--out", hashed]),
    )
    _say("polyrank score", rows, lambda: polyrank(["--quiet", "score", str(place / "bundle"), file, "--out", scored]))
    _say("encoding before a training", rows, lambda: prepare(schema, file, TrainConfig(), cache=place / "cache"))


def _with_spark(place: Path, schema: Schema, rows: int, cores: int) -> None:
    session = SparkSession.builder.master(f"local[{cores}]").config("spark.driver.memory", "2g")
    spark = session.config("spark.sql.files.maxPartitionBytes", "8m").config("spark.ui.enabled", "false").getOrCreate()
    spark.sparkContext.setLogLevel("ERROR")
    frame = spark.read.parquet(str(place / "rows.parquet"))
    sql = Schema.from_toml(_without_texts(schema))

    def written(df: Any) -> Callable[[], object]:
        return lambda: df.write.mode("overwrite").parquet(str(place / "out"))

    for turn in (1, 2):
        timed = {
            "fingerprints, all in SQL": written(fingerprints(frame, sql)),
            "fingerprints, texts by the kernel": written(fingerprints(frame, schema)),
            "score": written(score(frame, place / "bundle", keep=["user_id", "item_id"])),
            "encode": lambda turn=turn: encode(frame, schema, place / f"shards{turn}"),
        }
        for what, job in timed.items():
            _say(f"polyrank.spark: {what}", rows, job) if turn > 1 else job()
    spark.stop()


def _without_texts(schema: Schema) -> str:
    import msgspec

    from polyrank.features import TextFeature

    kept = tuple(feature for feature in schema.features if not isinstance(feature, TextFeature))
    return msgspec.structs.replace(schema, features=kept).to_toml()


def _say(what: str, rows: int, job: Callable[[], object]) -> None:
    start = time.perf_counter()
    job()
    seconds = time.perf_counter() - start
    print(f"{what}: {rows / seconds:,.0f} rows a second ({seconds:.1f} s)", flush=True)


if __name__ == "__main__":
    main()
