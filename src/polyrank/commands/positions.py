"""`polyrank positions`: how likely each place in a list is looked at."""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from polyrank.files import UTF8, check_encoding, check_output, kinds

from .output import rows_place, say, table
from .wording import options_named

if TYPE_CHECKING:
    from polyrank.positions import PositionOptions

_NAMES = ("task", "rank", "method", "user", "item", "score", "max_rank", "limit", "confidence")


def add_parser(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Describe the verb."""
    parser = subparsers.add_parser(
        "positions",
        help="estimate how likely each place in a list is looked at",
        description="Estimate, from joined rows, how likely each place in a list is looked at, beside the first.",
    )
    parser.add_argument(
        "rows",
        type=rows_place,
        metavar="ROWS",
        help=f"joined rows: a file, a directory of files or a pattern: {kinds()}",
    )
    parser.add_argument("--schema", type=Path, required=True, help="schema.toml")
    parser.add_argument("--out", "-o", type=Path, help="write what was found there, as JSON, for polyrank join")
    parser.add_argument("--task", help="a binary one (default: the schema's first)")
    parser.add_argument("--rank", default="rank", metavar="COLUMN", help="of places, from 1 (default rank)")
    parser.add_argument(
        "--method",
        default="auto",
        help="pairs: of ranks at which an item was shown to one user; em: regression by scores; auto (default): pairs "
        "where there are enough",
    )
    parser.add_argument("--user", metavar="COLUMN", help="of users (default as of join)")
    parser.add_argument("--item", metavar="COLUMN", help="of items (default as of join)")
    parser.add_argument(
        "--score", metavar="COLUMN", help="tells relevance for em (default: the task's answer in scores, or rank_score)"
    )
    parser.add_argument("--max-rank", type=int, default=20, help="leave out rows further down (default 20)")
    parser.add_argument("--limit", type=float, default=10.0, help="of a weight (default 10)")
    parser.add_argument("--confidence", type=float, default=0.95, help="of intervals (default 0.95)")
    parser.add_argument("--encoding", default=UTF8, help="of CSV and JSON Lines files (default utf-8)")
    parser.add_argument("--json", action="store_true", help="print what was found as JSON")
    parser.set_defaults(run=run, parser=parser)


def run(args: argparse.Namespace) -> int:
    """Estimate, and print a line for each rank."""
    from polyrank.files import Wanted, read_table
    from polyrank.positions import estimate, position_line, position_rows
    from polyrank.schema import Schema

    if args.out is not None:
        check_output(args.out, rows=[args.rows], inputs=[args.schema])
    encoding = check_encoding("--encoding", args.encoding)
    with options_named(**{name: f"--{name.replace('_', '-')}" for name in _NAMES}):
        options, schema = _options(args), Schema.load(args.schema)
        wanted = Wanted(text=schema.text_columns, integers=schema.integer_columns, encoding=encoding)
        found = estimate(schema, read_table(args.rows, wanted), options)
    if args.out is not None:
        found.save(args.out)
    say(found.to_json().rstrip("\n") if args.json else f"{table(position_rows(found))}\n\n{position_line(found)}")
    return 0


def _options(args: argparse.Namespace) -> "PositionOptions":
    from polyrank.positions import PositionOptions

    return PositionOptions(**{name: getattr(args, name) for name in _NAMES})
