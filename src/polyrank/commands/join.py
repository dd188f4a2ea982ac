"""`polyrank join`: impressions with the labels that outcomes give them."""

import argparse
import contextlib
from pathlib import Path
from typing import TYPE_CHECKING

from polyrank.files import UTF8, check_encoding, check_output, kinds

from .output import parquet_file, rows_place, say, table
from .pairs import pairs
from .progress import RowProgress
from .wording import options_named

if TYPE_CHECKING:
    from polyrank.attribution import JoinOptions

_OPTIONS = {
    **{name: f"--{name}" for name in ("until", "since", "user", "item", "time", "items", "position", "positions")},
    "windows_s": "--window",
    "window_s": "--window-default",
}


def add_parser(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Describe the verb."""
    parser = subparsers.add_parser(
        "join",
        help="join outcomes to impressions: rows to train on",
        description="Write the rows of IMPRESSIONS with a label for each task out of OUTCOMES, as Parquet.",
    )
    data = f"a file, a directory of files or a pattern: {kinds()}"
    parser.add_argument("impressions", type=rows_place, metavar="IMPRESSIONS", help=f"what was shown: {data}")
    parser.add_argument("outcomes", type=rows_place, metavar="OUTCOMES", help="what came of it: a row for each event")
    parser.add_argument("--schema", type=Path, required=True, help="schema.toml, whose tasks name the labels")
    parser.add_argument("--out", "-o", type=parquet_file, required=True, help="the Parquet file to write")
    _add_times(parser)
    _add_columns(parser)
    parser.add_argument("--encoding", default=UTF8, help="of CSV and JSON Lines files (default utf-8)")
    parser.add_argument("--json", action="store_true", help="print what became of outcomes as JSON")
    parser.set_defaults(run=run, parser=parser)


def _add_times(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--window",
        action="append",
        default=[],
        metavar="TASK=DURATION",
        help="how long after an impression an outcome of the task counts, such as click=30m; repeatable",
    )
    parser.add_argument("--window-default", default="1h", metavar="DURATION", help="of the other tasks (default 1h)")
    when = "a time such as 2026-07-01T12:00:00Z, or an integer in the schema's time unit"
    parser.add_argument(
        "--until", metavar="TIME", help=f"leave out what is shown or happens then or later: {when} (default: nothing)"
    )
    parser.add_argument("--since", metavar="TIME", help="leave out what was shown before, likewise")


def _add_columns(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--user", metavar="COLUMN", help="of users (default: the schema's group, or its first categorical one of users)"
    )
    parser.add_argument(
        "--item", metavar="COLUMN", help="of items (default: the schema's first categorical feature of items)"
    )
    parser.add_argument("--time", default="time", metavar="COLUMN", help="of the times of outcomes (default time)")
    parser.add_argument("--items", type=Path, metavar="FILE", help="features of items that impressions lack, by item")
    parser.add_argument("--position", metavar="COLUMN", help="a column to write the place in the shown list to")
    parser.add_argument(
        "--positions",
        type=Path,
        metavar="FILE",
        help="of polyrank positions: weigh clicks by how likely their place is looked at",
    )


def run(args: argparse.Namespace) -> int:
    """Join, write, and print what became of outcomes."""
    from polyrank.attribution import count_lines, count_rows, join_to_file
    from polyrank.impressions import recover_before_reading
    from polyrank.schema import Schema

    inputs = [each for each in (args.schema, args.items, args.positions) if each is not None]
    if isinstance(args.impressions, Path):
        recover_before_reading(args.impressions)
    check_output(args.out, rows=[args.impressions, args.outcomes], inputs=inputs)
    encoding = check_encoding("--encoding", args.encoding)
    with options_named(**_OPTIONS), contextlib.closing(RowProgress("join", quiet=args.quiet)) as progress:
        options = _options(args)
        schema = Schema.load(args.schema)
        counts = join_to_file(
            schema, args.impressions, args.outcomes, args.out, options, encoding=encoding, progress=progress
        )
    if args.json:
        say(counts.to_json(), end="")
    else:
        say("\n".join([table(count_rows(counts)), "", *count_lines(counts, str(args.out))]))
    return 0


def _options(args: argparse.Namespace) -> "JoinOptions":
    from polyrank.attribution import JoinOptions, seconds

    names = ("until", "since", "user", "item", "time", "items", "position", "positions")
    return JoinOptions(
        windows_s=_windows(args.window),
        window_s=seconds("window_s", args.window_default),
        **{name: getattr(args, name) for name in names},
    )


def _windows(words: list[str]) -> dict[str, float]:
    from polyrank.attribution import seconds

    form = "TASK=DURATION, such as click=30m"
    return pairs("--window", "task", form, words, lambda task, text: seconds(f"--window {task}", text))
