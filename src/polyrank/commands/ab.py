"""`polyrank ab`: whether arms of an experiment, or versions, differ by more than chance."""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from polyrank.files import UTF8, check_encoding, check_output, kinds

from .output import rows_place, say, table
from .pairs import pairs
from .wording import options_named

if TYPE_CHECKING:
    from collections.abc import Sequence

    from polyrank.schema import Schema

_NAMES = ("by", "baseline", "user", "confidence", "shares", "size")


def add_parser(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Describe the verb."""
    parser = subparsers.add_parser(
        "ab",
        help="compare arms of an experiment, or versions, by users",
        description="Compare the mean label of each task between arms of joined rows, with users as what was "
        "randomised.",
    )
    parser.add_argument(
        "rows",
        type=rows_place,
        metavar="ROWS",
        help=f"joined rows: a file, a directory of files or a pattern: {kinds()}",
    )
    parser.add_argument("--schema", type=Path, required=True, help="schema.toml")
    parser.add_argument("--by", default="arm", metavar="COLUMN", help="arm (default), version, or any other column")
    parser.add_argument(
        "--baseline", metavar="NAME", help="the arm to compare with (default: control, or the first in order)"
    )
    parser.add_argument("--user", metavar="COLUMN", help="of users (default as of join)")
    parser.add_argument("--confidence", type=float, default=0.95, help="of intervals (default 0.95)")
    parser.add_argument(
        "--shares",
        metavar="NAME=SHARE,...",
        help="of users that arms were to have, to check that none were lost: control=1,treatment=1",
    )
    parser.add_argument(
        "--size", type=float, help="a difference as a share of the mean: say how many users show it, such as 0.01"
    )
    parser.add_argument(
        "--interleaved", action="store_true", help="arms are those that items of one list came from: count wins"
    )
    parser.add_argument("--encoding", default=UTF8, help="of CSV and JSON Lines files (default utf-8)")
    parser.add_argument("--out", "-o", type=Path, help="write all that was found there, as JSON")
    parser.add_argument("--json", action="store_true", help="print it as JSON")
    parser.set_defaults(run=run, parser=parser)


def run(args: argparse.Namespace) -> int:
    """Compare, and print a line for each task and arm."""
    from polyrank.schema import Schema

    if args.interleaved and (args.shares is not None or args.size is not None):
        args.parser.error("--shares and --size are of users in arms, and go without --interleaved")
    if args.out is not None:
        check_output(args.out, rows=[args.rows], inputs=[args.schema])
    with options_named(**{name: f"--{name}" for name in _NAMES}):
        schema = Schema.load(args.schema)
        found, lines = _interleaved(args, schema) if args.interleaved else _compared(args, schema)
    if args.out is not None:
        found.save(args.out)
    say(found.to_json().rstrip("\n") if args.json else "\n".join(lines))
    return 0


def _compared(args: argparse.Namespace, schema: "Schema") -> "tuple[Any, list[str]]":
    from polyrank.experiments import check_size, compare, comparison_lines, comparison_rows, with_shares

    if args.size is not None:
        check_size(args.size)
    shares = None if args.shares is None else _shares(args.shares)
    found = compare(schema, _rows(args, schema), **_asked(args))
    if shares is not None:
        found = with_shares(found, shares)
    return found, [table(comparison_rows(found)), "", *comparison_lines(found, args.size)]


def _interleaved(args: argparse.Namespace, schema: "Schema") -> "tuple[Any, list[str]]":
    from polyrank.experiments import compare_interleaved, wins_rows
    from polyrank.impressions import REQUEST_ID

    found = compare_interleaved(schema, _rows(args, schema, REQUEST_ID), **_asked(args))
    return found, [table(wins_rows(found))]


def _asked(args: argparse.Namespace) -> dict[str, Any]:
    return {name: getattr(args, name) for name in ("by", "baseline", "user", "confidence")}


def _rows(args: argparse.Namespace, schema: "Schema", *more: str) -> Any:
    from polyrank.experiments import columns_compared
    from polyrank.files import Wanted, read_table

    columns: Sequence[str] = (*columns_compared(schema, by=args.by, user=args.user), *more)
    encoding = check_encoding("--encoding", args.encoding)
    text = (*schema.text_columns, args.by, *more)
    return read_table(args.rows, Wanted(columns=columns, text=text, integers=schema.integer_columns, encoding=encoding))


def _shares(text: str) -> dict[str, float]:
    form = "NAME=SHARE,..., such as control=1,treatment=1"
    return pairs("--shares", "arm", form, text.split(","), lambda _, share: float(share))
