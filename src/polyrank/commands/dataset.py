"""`polyrank dataset`: a public data set as one Parquet file of logs."""

import argparse
import contextlib
import os
from pathlib import Path

from polyrank.errors import OutputError


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
    print(f"{args.out}: {table.num_rows:,} rows, {table.num_columns} columns")
    return 0


def write_parquet(table: object, out: Path) -> None:
    """Write a table under a hidden name and rename it, so that `out` is whole or absent.

    Raises:
        OutputError: `out` cannot be written.
    """
    import pyarrow.parquet

    if not out.name:
        raise OutputError(f"cannot write {out}: it names no file")
    partial = out.with_name(f".{out.name}.partial")
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        pyarrow.parquet.write_table(table, partial)
        partial.replace(out)
    except OSError as err:
        # pyarrow's own text names the hidden file.
        reason = str(err) if err.errno is None else os.strerror(err.errno)
        raise OutputError(f"cannot write {out}: {reason.lower()}") from err
    finally:
        with contextlib.suppress(OSError):  # it is renamed by now, or was never written
            partial.unlink()
