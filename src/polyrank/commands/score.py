"""`polyrank score`: rows of files through a server, or a bundle in this process, scores to a file."""

import argparse
import contextlib
from collections.abc import Iterator
from pathlib import Path

from polyrank.answering import open_scorer
from polyrank.errors import ConfigError, DataError, PolyrankError
from polyrank.files import UTF8, Progress, check_encoding, kinds

from .client import add_client, client_options
from .output import place, rows_place, say
from .progress import RowProgress
from .wording import options_named


def add_parser(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Describe the verb."""
    parser = subparsers.add_parser("score", help="score the rows of files, through a server or with a bundle")
    parser.add_argument(
        "model", type=place, help="host:port of a server, as in localhost:8000, or the directory of a bundle"
    )
    parser.add_argument("rows", type=rows_place, help=f"a file, a directory of files or a pattern: {kinds()}")
    parser.add_argument(
        "--out", "-o", type=Path, required=True, help="the .parquet or .csv file to write: one column per task"
    )
    parser.add_argument(
        "--name", "--model", dest="name", help="of the model; the only one that the server has if left out"
    )
    parser.add_argument(
        "--keep", action="append", default=[], metavar="COLUMN", help="write this column of the rows too; repeatable"
    )
    parser.add_argument("--resume", action="store_true", help="go on from where an interrupted scoring to --out was")
    parser.add_argument("--encoding", default=UTF8, help="of CSV and JSON Lines files (default utf-8)")
    parser.add_argument(
        "--timeout-s", type=float, default=60.0, help="time for each 100,000 rows, in seconds (default 60)"
    )
    add_client(parser)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Read, score and write."""
    from polyrank.serving.scoring import ScoringOptions, score_files

    encoding = check_encoding("--encoding", args.encoding)
    with contextlib.ExitStack() as stack:
        stack.enter_context(options_named(url="model", name="--name", timeout_s="--timeout-s", keep="--keep"))
        scorer = stack.enter_context(open_scorer(args.model, args.name, args.timeout_s, client_options(args)))
        shown = stack.enter_context(contextlib.closing(RowProgress(str(args.rows), quiet=args.quiet)))
        progress = stack.enter_context(_resumable(shown))
        options = ScoringOptions(keep=args.keep, resume=args.resume, encoding=encoding, progress=progress)
        scored = score_files(scorer, args.rows, args.out, options)
    versions = f" version{'' if len(scored.versions) == 1 else 's'} {', '.join(scored.versions)}"
    by = f"{scorer.model}{versions if any(scored.versions) else ''}"
    say(f"{args.out}: {scored.num_rows:,} rows scored by {by}")
    return 0


@contextlib.contextmanager
def _resumable(progress: Progress) -> Iterator[Progress]:
    """Give a progress that counts, and say in what ends the block that the rows that are done are kept."""
    done = 0

    def counted(rows: int, total: int | None) -> None:
        nonlocal done
        done = rows
        progress(rows, total)

    try:
        yield counted
    except (PolyrankError, KeyboardInterrupt) as err:
        # What rows or options are wrong in must be changed, and then nothing is gone on with.
        if done and not isinstance(err, DataError | ConfigError):
            err.args = (f"{err}; {done:,} rows are kept: --resume goes on from them",)
        raise
