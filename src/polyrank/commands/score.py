"""`polyrank score`: rows of a file through a server, scores to a file."""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from polyrank.errors import DataError, OutputError
from polyrank.staging import staged_file

from .dataset import write_parquet
from .output import say

if TYPE_CHECKING:
    import pyarrow as pa


def add_parser(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Describe the verb."""
    parser = subparsers.add_parser("score", help="score the rows of a Parquet file through a server")
    parser.add_argument("url", help="host:port of the server's gRPC endpoint, as in localhost:8001")
    parser.add_argument("rows", type=Path, help="the Parquet file to score")
    parser.add_argument(
        "--out", "-o", type=Path, required=True, help="the Parquet or CSV file to write: one column per task"
    )
    parser.add_argument("--model", help="name of the model; the only one that is served when left out")
    parser.add_argument("--timeout-s", type=float, default=60.0, help="time for all of it, in seconds (default 60)")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Read, score and write."""
    from polyrank.serving import Ranker

    if args.out.name.lower().endswith(".csv.gz"):
        raise OutputError(
            f"cannot write {args.out}: scores are written as Parquet or CSV; name a .parquet or .csv file"
        )
    rows = read_parquet(args.rows)
    with Ranker(args.url, args.model, timeout_s=args.timeout_s) as ranker:
        scores = ranker.score(rows)
    write_scores(scores, args.out)
    say(f"{args.out}: {scores.num_rows:,} rows scored by {ranker.model} version {ranker.version}")
    return 0


def write_scores(scores: "pa.Table", out: Path) -> None:
    """Write scores as CSV where the name says so, else as Parquet.

    CSV has no lists: of a multiclass task it gets a column for each class, `<task>.0` and so on, which no task can be
    named, and of an ordinal one a column for each level, `<task>_probabilities.0` and so on. Its numbers are the
    shortest that read back as the same float32.

    Raises:
        OutputError: `out` cannot be written.
    """
    if out.suffix.lower() != ".csv":
        write_parquet(scores, out)
        return
    import pyarrow.csv

    with staged_file(out) as partial:
        pyarrow.csv.write_csv(_without_lists(scores), partial)


def _without_lists(scores: "pa.Table") -> "pa.Table":
    import pyarrow as pa

    columns = {}
    for name, column in zip(scores.column_names, scores.columns, strict=True):
        if not pa.types.is_fixed_size_list(column.type):
            columns[name] = column
            continue
        values = column.combine_chunks().flatten().to_numpy().reshape(len(column), -1)  # (B, C)
        columns |= {f"{name}.{place}": pa.array(values[:, place]) for place in range(values.shape[1])}
    return pa.table(columns)


def read_parquet(path: Path) -> "pa.Table":
    """Read a Parquet file, or all those of a directory.

    Raises:
        DataError: there is none, or it cannot be read.
    """
    import pyarrow.parquet

    from polyrank.files import readable

    if not path.exists():
        raise DataError(f"{path} does not exist; give a Parquet file")
    if path.name.lower().endswith((".csv", ".csv.gz")):
        raise DataError(f"{path} is CSV; give a Parquet file")
    with readable(path):
        rows = pyarrow.parquet.read_table(path)
    if rows.num_columns == 0:
        raise DataError(f"{path} holds no column; give a Parquet file, or a directory of them")
    return rows
