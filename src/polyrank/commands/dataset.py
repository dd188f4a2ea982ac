"""`polyrank dataset`: a public data set as one Parquet file of logs."""

import argparse
from pathlib import Path

from polyrank.staging import staged_file

from .output import say


def add_parser(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Describe the verb."""
    parser = subparsers.add_parser("dataset", help="turn a public data set into one Parquet file of logs")
    parser.add_argument("name", choices=["kuairand"], help="which data set")
    parser.add_argument("folder", type=Path, help="where its files are, such as examples/kuairand")
    parser.add_argument("--out", "-o", type=Path, required=True, help="the Parquet file to write")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Load, join and write."""
    from polyrank.train.datasets import kuairand

    table = kuairand.load(args.folder)
    write_parquet(table, args.out)
    say(f"{args.out}: {table.num_rows:,} rows, {table.num_columns} columns")
    return 0


def write_parquet(table: object, out: Path) -> None:
    """Write a table, so that `out` is whole or as it was.

    Raises:
        OutputError: `out` cannot be written.
    """
    import pyarrow.parquet

    with staged_file(out) as partial:
        pyarrow.parquet.write_table(table, partial)
