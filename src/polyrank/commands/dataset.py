"""`polyrank dataset`: a public data set, or a simulated one, as one Parquet file of logs and the schema that fits."""

import argparse
import contextlib
import itertools
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from polyrank.staging import staged_file

from .output import parquet_file, say
from .progress import RowProgress
from .wording import options_named

if TYPE_CHECKING:
    import pyarrow as pa

DOWNLOADS = {
    "kuairand": ("six days of KuaiRand-Pure, short-video logs", "examples/kuairand has them"),
    "movielens": (
        "MovieLens 100k, 1M, 25M or latest",
        "unpack a download of https://grouplens.org/datasets/movielens",
    ),
    "census-income": (
        "Census-Income (KDD), income and marriage",
        "download them from https://archive.ics.uci.edu/dataset/117",
    ),
    "adult": ("Adult, income and marriage", "download them from https://archive.ics.uci.edu/dataset/2"),
}
"""What a set of files is, and where the files come from."""


def add_parser(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Describe the verb: one sub-command per data set."""
    parser = subparsers.add_parser("dataset", help="turn a data set into one Parquet file of logs, and its schema")
    sets = parser.add_subparsers(dest="name", required=True, metavar="NAME")
    for name, (meaning, source) in DOWNLOADS.items():
        one = _add_set(sets, name, meaning, run_folder)
        one.add_argument("folder", type=Path, nargs="?", help=f"where its files are; {source}")
    shop = _add_set(sets, "storefront", "a simulated shop, whose best possible AUC is known", run_storefront)
    shop.add_argument("folder", nargs="?", help=argparse.SUPPRESS)
    shop.add_argument("--rows", type=int, default=100_000, help="items shown to users (default: 100000)")
    shop.add_argument("--users", type=int, default=1_000, help="users of the shop (default: 1000)")
    shop.add_argument("--items", type=int, default=10_000, help="items of the shop (default: 10000)")
    shop.add_argument("--seed", type=int, default=0, help="the same seed gives the same rows (default: 0)")


def _add_set(
    sets: "argparse._SubParsersAction[argparse.ArgumentParser]", name: str, meaning: str, run: object
) -> argparse.ArgumentParser:
    parser = sets.add_parser(name, help=meaning, description=f"Write {meaning}.")
    parser.add_argument("--out", "-o", type=parquet_file, required=True, help="the Parquet file to write")
    parser.add_argument("--schema", type=Path, help="write the schema that fits here, for polyrank train")
    parser.set_defaults(run=run, parser=parser)
    return parser


def run_folder(args: argparse.Namespace) -> int:
    """Load a set of files, join and write."""
    if args.folder is None:
        args.parser.error(f"{args.name} is made of files; give their folder: {DOWNLOADS[args.name][1]}")
    _refuse_one_file(args)
    from polyrank.train import datasets

    one = getattr(datasets, args.name.replace("-", "_"))
    table = one.load(args.folder)
    with _staged_schema(args.schema, one.schema_name(table)):
        write_parquet(table, args.out)
    _report(args, table.num_rows, table.num_columns)
    return 0


def run_storefront(args: argparse.Namespace) -> int:
    """Simulate, write, and print what a model could reach at most."""
    if args.folder is not None:
        args.parser.error(f"storefront is simulated and reads no files; leave {args.folder!r} out")
    _refuse_one_file(args)
    from polyrank.train.datasets import storefront
    from polyrank.train.validation import describe

    with options_named(rows="--rows", users="--users", items="--items", seed="--seed"):
        batches = storefront.batches(args.rows, users=args.users, items=args.items, seed=args.seed)
    with _staged_schema(args.schema, "storefront"), staged_file(args.out) as partial:
        outcomes, num_columns = _write_batches(batches, partial, args)
    _report(args, outcomes.num_rows, num_columns)
    say(f"best possible: {describe(storefront.best_possible(outcomes))}")
    return 0


def write_parquet(table: object, out: Path) -> None:
    """Write a table, so that `out` is whole or as it was.

    Raises:
        OutputError: `out` cannot be written.
    """
    import pyarrow.parquet

    with staged_file(out) as partial:
        pyarrow.parquet.write_table(table, partial)


def _write_batches(batches: "Iterator[pa.RecordBatch]", file: Path, args: argparse.Namespace) -> "tuple[pa.Table, int]":
    """Write batches as they come; return what happened in all rows, and the number of columns."""
    import pyarrow as pa
    import pyarrow.parquet

    from polyrank.train.datasets import storefront

    first = next(batches)
    outcomes, done = [], 0
    with (
        contextlib.closing(RowProgress(str(args.out), quiet=args.quiet)) as progress,
        pyarrow.parquet.ParquetWriter(file, first.schema) as writer,
    ):
        for batch in itertools.chain([first], batches):
            writer.write_batch(batch)
            outcomes.append(batch.select(storefront.OUTCOMES))
            done += batch.num_rows
            progress(done, args.rows)
    return pa.Table.from_batches(outcomes), first.num_columns


@contextlib.contextmanager
def _staged_schema(out: Path | None, name: str) -> Iterator[None]:
    """Put the shipped schema `name` at `out` once the logs are in place."""
    if out is None:
        yield
        return
    from polyrank.train.datasets.shipped import schema_text

    with staged_file(out) as partial:
        partial.write_text(schema_text(name), encoding="utf-8")
        yield


def _refuse_one_file(args: argparse.Namespace) -> None:
    if args.schema is not None and args.schema.resolve() == args.out.resolve():
        args.parser.error(f"--schema and --out are both {args.out}; give two files")


def _report(args: argparse.Namespace, rows: int, columns: int) -> None:
    say(f"{args.out}: {rows:,} rows, {columns} columns")
    if args.schema is not None:
        say(f"{args.schema}: the schema of {args.name}")
