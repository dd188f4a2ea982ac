"""`polyrank evaluate`: how good the answers of a run, a bundle or a server are, for whom, and what they rest on."""

import argparse
import contextlib
from pathlib import Path
from typing import TYPE_CHECKING

from polyrank.files import check_output, kinds

from .client import add_client, client_options
from .output import place, rows_place, say
from .pairs import task_weights
from .progress import RowProgress
from .wording import options_named

if TYPE_CHECKING:
    from collections.abc import Iterator

    from polyrank.evaluation.options import EvaluationOptions, StepProgress

_OPTIONS = {
    "by": "--by",
    "encoding": "--encoding",
    "k": "--top-k",
    "known": "--known",
    "resamples": "--resamples",
    "level": "--level",
    "seed": "--seed",
    "importance_rows": "--importance-rows",
    "shuffles": "--shuffles",
    "catalogue_users": "--catalogue-users",
    "name": "--name",
    "timeout_s": "--timeout-s",
    "url": "--url",
    "validation_of": "--validation-of",
    "weights": "--weight",
}
"""By the argument of the library that each is."""


def add_parser(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Describe the verb."""
    parser = subparsers.add_parser(
        "evaluate",
        help="measure a run, a bundle or a server on labelled rows, whole and in parts",
        description="Metrics with confidence intervals by task and slice, calibration, order under task weights, "
        "trade-offs, what users would see of all items, and what columns are worth.",
    )
    parser.add_argument("model", type=place, help="directory of a run or bundle, or host:port of a server")
    parser.add_argument("rows", type=rows_place, help=f"labelled rows, as a file, a directory or a pattern: {kinds()}")
    parser.add_argument("--url", type=place, help="have this server answer; it must serve the run of MODEL")
    parser.add_argument("--name", help="of the model on its server; the only one that it has when left out")
    parser.add_argument(
        "--validation-of",
        type=Path,
        metavar="RUN",
        help="evaluate the rows of ROWS that this run, made of as many, validated on",
    )
    parser.add_argument(
        "--known", type=rows_place, metavar="ROWS", help="what was trained on, to tell new users and items"
    )
    parser.add_argument(
        "--by", action="append", default=[], metavar="COLUMN", help="part the rows by this column too; repeatable"
    )
    parser.add_argument(
        "--weight", action="append", default=[], metavar="TASK=NUMBER", help="in the score that orders; repeatable"
    )
    parser.add_argument("--top-k", type=int, default=10, metavar="K", help="rows that count as the best (default 10)")
    parser.add_argument("--user", type=place, metavar="COLUMN", help="that names users")
    parser.add_argument("--item", type=place, metavar="COLUMN", help="that names items")
    parser.add_argument("--resamples", type=int, default=100, help="of the bootstrap (default 100)")
    parser.add_argument("--level", type=float, default=0.95, help="of the confidence intervals (default 0.95)")
    parser.add_argument("--seed", type=int, default=0, help="of all that is drawn (default 0)")
    parser.add_argument(
        "--importance-rows",
        type=int,
        default=10_000,
        metavar="N",
        help="rows that columns are shuffled in; 0 none (default 10,000)",
    )
    parser.add_argument("--shuffles", type=int, default=3, metavar="N", help="of each column (default 3)")
    parser.add_argument(
        "--catalogue-users",
        type=int,
        default=100,
        metavar="N",
        help="users who are recommended of all items; 0 none (default 100)",
    )
    parser.add_argument("--encoding", help="of CSV and JSON Lines files (default that of --validation-of, or utf-8)")
    parser.add_argument("--timeout-s", type=float, default=60.0, help="of a call to a server (default 60)")
    add_client(parser)
    parser.add_argument("--out", "-o", type=Path, help="write all that was found there, as JSON, for polyrank report")
    parser.add_argument("--json", action="store_true", help="print all that was found as JSON")
    parser.set_defaults(run=run, parser=parser)


def run(args: argparse.Namespace) -> int:
    """Evaluate, and print what came out."""
    from polyrank.model_evaluation import evaluate_model

    from .evaluation_text import result_text

    with options_named(**_OPTIONS), _told(quiet=args.quiet) as progress:
        options = _checked(args, progress)
        found = evaluate_model(
            args.model,
            args.rows,
            validation_of=args.validation_of,
            url=args.url,
            name=args.name,
            timeout_s=args.timeout_s,
            client=client_options(args),
            options=options,
        )
    if args.out is not None:
        found.save(args.out)
    say(found.to_json().rstrip() if args.json else result_text(found))
    if args.out is not None and not args.json:
        say(f"\nall of it: {args.out}; as a page: polyrank report {args.out}")
    return 0


def _checked(args: argparse.Namespace, progress: "StepProgress") -> "EvaluationOptions":
    """Return the options, which are checked before anything is read."""
    from polyrank.evaluation.options import EvaluationOptions

    if args.out is not None:
        rows = [args.rows] if args.known is None else [args.rows, args.known]
        inputs = [Path(args.model)] if args.validation_of is None else [Path(args.model), args.validation_of]
        check_output(args.out, rows=rows, inputs=inputs)
    return EvaluationOptions(
        by=tuple(args.by),
        weights=task_weights(args.weight),
        k=args.top_k,
        user=args.user,
        item=args.item,
        known=args.known,
        resamples=args.resamples,
        level=args.level,
        seed=args.seed,
        importance_rows=args.importance_rows,
        shuffles=args.shuffles,
        catalogue_users=args.catalogue_users,
        encoding=args.encoding,
        progress=progress,
    )


@contextlib.contextmanager
def _told(*, quiet: bool) -> "Iterator[StepProgress]":
    """Say what is being done, each step with a progress of its own."""
    shown: dict[str, RowProgress] = {}

    def told(what: str, done: int, total: int | None) -> None:
        if what not in shown:
            for progress in shown.values():
                progress.close()
            shown[what] = RowProgress(what, quiet=quiet)
        shown[what](done, total)

    try:
        yield told
    finally:
        for progress in shown.values():
            progress.close()
