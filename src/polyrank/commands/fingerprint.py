"""`polyrank fingerprint`: rows of a file with their fingerprints, or the SQL that computes them in a warehouse."""

import argparse
import contextlib
import json
from pathlib import Path
from typing import TYPE_CHECKING

from polyrank.files import UTF8, check_encoding, kinds

from .output import parquet_file, rows_place, say
from .progress import RowProgress

if TYPE_CHECKING:
    from polyrank.batch import Cross, HashedColumn, Summary


def add_parser(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Describe the verb."""
    parser = subparsers.add_parser(
        "fingerprint",
        help="hash columns of a file, or print the SQL that does",
        description="Write the rows of a file as Parquet, with a column NAME_fingerprint for each hashed column.",
    )
    parser.add_argument("rows", type=rows_place, nargs="?", help=f"the file to hash: {kinds()}")
    parser.add_argument("--out", "-o", type=parquet_file, help="the Parquet file to write")
    parser.add_argument(
        "--schema", type=Path, help="schema.toml: hash its categorical and bag features and its crosses"
    )
    for option, metavar, meaning in (
        ("--column", "NAME:DTYPE", "without a schema: hash a column as text or int64; repeatable"),
        ("--bag", "NAME:DTYPE", "without a schema: hash the values of a list column; repeatable"),
        ("--cross", "NAME,NAME", "hash columns as one value, a name with a comma in double quotes; repeatable"),
    ):
        parser.add_argument(option, action="append", default=[], metavar=metavar, help=meaning)
    parser.add_argument("--sql", metavar="DIALECT", help="print SQL for spark or clickhouse instead")
    parser.add_argument("--encoding", default=UTF8, help="of CSV and JSON Lines files (default utf-8)")
    parser.add_argument("--json", action="store_true", help="print the summary as JSON")
    parser.set_defaults(run=run, parser=parser)


def run(args: argparse.Namespace) -> int:
    """Hash the file, or print the SQL."""
    from polyrank.batch import fingerprint_file

    _check_usage(args)
    columns, crosses = _asked(args)
    if args.sql is not None:
        from polyrank.batch.sql import statement

        say(statement(args.sql, columns, crosses))
        return 0
    encoding = check_encoding("--encoding", args.encoding)
    with contextlib.closing(RowProgress(str(args.rows), quiet=args.quiet)) as progress:
        summary = fingerprint_file(args.rows, args.out, columns, crosses, progress=progress, encoding=encoding)
    say(_json(args, summary) if args.json else _line(args, summary))
    return 0


def _check_usage(args: argparse.Namespace) -> None:
    if args.cross and args.schema is None and not args.column:
        args.parser.error("--cross takes columns that are hashed: give them with --column, or --schema")
    if (args.schema is None) == (not args.column and not args.bag):
        args.parser.error("give either --schema, or --column and --bag")
    if args.sql is not None and (args.rows or args.out or args.json):
        args.parser.error("--sql prints a statement; it takes no rows, --out or --json")
    if args.sql is None and not (args.rows and args.out):
        args.parser.error("give the file to hash and --out, or --sql")


def _asked(args: argparse.Namespace) -> "tuple[tuple[HashedColumn, ...], tuple[Cross, ...]]":
    from polyrank.batch import hashed_columns, hashed_crosses, parse_column, parse_cross
    from polyrank.schema import Schema

    if args.schema is not None:
        schema = Schema.load(args.schema)
        columns, crosses = hashed_columns(schema), hashed_crosses(schema)
    else:
        singles = (parse_column(text) for text in args.column)
        columns = (*singles, *(parse_column(text, is_bag=True) for text in args.bag))
        crosses = ()
    return columns, (*crosses, *(parse_cross(text, columns) for text in args.cross))


def _line(args: argparse.Namespace, summary: "Summary") -> str:
    count = len(summary.missing)
    return f"{args.out}: {summary.num_rows:,} rows, {count} column{'' if count == 1 else 's'} of fingerprints"


def _json(args: argparse.Namespace, summary: "Summary") -> str:
    from polyrank.fingerprint import DEFAULT_SEED, HASH_NAME, HASH_VERSION

    return json.dumps(
        {
            "out": str(args.out),
            "rows": summary.num_rows,
            "missing": summary.missing,
            "hash": {"name": HASH_NAME, "version": HASH_VERSION, "seed": DEFAULT_SEED},
        }
    )
