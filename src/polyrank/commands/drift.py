"""`polyrank drift`: which features, labels and scores of a data set moved from those of another."""

import argparse
import contextlib
from pathlib import Path
from typing import TYPE_CHECKING

from polyrank.answering import answerer
from polyrank.files import UTF8, check_encoding, check_output, kinds

from .client import add_client, client_options
from .output import place, rows_place, say, table
from .progress import RowProgress
from .wording import options_named

if TYPE_CHECKING:
    from collections.abc import Iterator

    from polyrank.drift import Result, Scores
    from polyrank.schema import Schema

_OPTIONS = {"model", "name", "timeout_s", "psi", "missing", "new", "label"}


def add_parser(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Describe the verb."""
    parser = subparsers.add_parser(
        "drift",
        help="say which features, labels and scores moved between two data sets",
        description="Compare the rows of CURRENT with those of REFERENCE. Exits with 1 when something moved beyond its "
        "limit and beyond what chance gives once in 1,000.",
    )
    data = f"a file, a directory of files or a pattern: {kinds()}"
    parser.add_argument(
        "reference",
        type=rows_place,
        metavar="REFERENCE",
        help=f"the rows to compare with, such as those of training: {data}",
    )
    parser.add_argument("current", type=rows_place, metavar="CURRENT", help="the rows to compare, likewise")
    parser.add_argument("--schema", type=Path, help="schema.toml; that of --model when left out")
    _add_scores(parser)
    _add_limits(parser)
    parser.add_argument("--encoding", default=UTF8, help="of CSV and JSON Lines files (default utf-8)")
    parser.add_argument("--out", "-o", type=Path, help="write all that was found there, as JSON")
    parser.add_argument("--json", action="store_true", help="print it as JSON")
    parser.set_defaults(run=run, parser=parser)


def _add_scores(parser: argparse.ArgumentParser) -> None:
    scores = parser.add_mutually_exclusive_group()
    scores.add_argument(
        "--model",
        type=place,
        help="compare its scores too: the directory of a run or a bundle, or host:port of a server",
    )
    scores.add_argument(
        "--scores", action="store_true", help="compare scores that both have in columns named after the tasks"
    )
    parser.add_argument("--name", help="of the model; the only one that the server has if left out")
    parser.add_argument(
        "--timeout-s", type=float, default=60.0, help="of a server, for each 65,536 rows, in seconds (default 60)"
    )
    add_client(parser)


def _add_limits(parser: argparse.ArgumentParser) -> None:
    for option, default, meaning in (
        ("--psi", 0.2, "population stability index of values, lengths, labels and scores"),
        ("--missing", 0.05, "change of the share of rows without a value, or without an observed label"),
        ("--new", 0.2, "share of values that REFERENCE lacks, beyond what its rare values let expect"),
        ("--label", 0.1, "change of the mean label, as a share of what it was"),
    ):
        parser.add_argument(option, type=float, default=default, metavar="LIMIT", help=f"{meaning} (default {default})")


def run(args: argparse.Namespace) -> int:
    """Compare, and print a line for each feature, label and score."""
    if args.schema is None and args.model is None:
        args.parser.error("give --schema, or --model, whose schema says what is compared")
    for name in ("name", "timeout_s", "client"):
        if args.model is None and getattr(args, name) != args.parser.get_default(name):
            args.parser.error(f"--{name.replace('_', '-')} goes with --model")
    if args.out is not None:
        inputs = [Path(each) for each in (args.schema, args.model) if each is not None]
        check_output(args.out, rows=[args.reference, args.current], inputs=inputs)
    with options_named(**{name: f"--{name.replace('_', '-')}" for name in _OPTIONS}):
        result = _compared(args)
    if args.out is not None:
        result.save(args.out)
    _say(args, result)
    return int(bool(result.drifted))


def _compared(args: argparse.Namespace) -> "Result":
    from polyrank.drift import DriftOptions, Limits, compare

    limits = Limits(psi=args.psi, missing=args.missing, new=args.new, label=args.label)
    encoding = check_encoding("--encoding", args.encoding)
    with (
        _schema_and_scores(args) as (schema, scores),
        contextlib.closing(RowProgress("drift", quiet=args.quiet)) as progress,
    ):
        options = DriftOptions(limits=limits, scores=scores, encoding=encoding, progress=progress)
        return compare(schema, args.reference, args.current, options)


@contextlib.contextmanager
def _schema_and_scores(args: argparse.Namespace) -> "Iterator[tuple[Schema, Scores | None]]":
    from polyrank.drift import Scores, scores_in_columns
    from polyrank.result_files import Answering
    from polyrank.schema import Schema

    schema = None if args.schema is None else Schema.load(args.schema)
    if args.model is None:
        assert schema is not None  # noqa: S101 (`run` has seen to it; this tells the type checker)
        yield schema, scores_in_columns(schema) if args.scores else None
        return
    with answerer(args.model, name=args.name, timeout_s=args.timeout_s, client=client_options(args)) as opened:
        yield (
            schema or opened.schema,
            Scores(
                schema=opened.schema,
                answer=opened.answer,
                model=Answering(source=opened.source, name=opened.name, run_id=opened.run_id, version=opened.version),
                columns=opened.schema.feature_columns,
            ),
        )


def _say(args: argparse.Namespace, result: "Result") -> None:
    from polyrank.drift import drift_lines, drift_rows, drift_summary

    if args.json:
        say(result.to_json(), end="")
        return
    say(table(drift_rows(result)))
    say("\n".join(["", *drift_lines(result), drift_summary(result)]))
