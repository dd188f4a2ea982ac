"""`polyrank schema`: a schema from data, one against data, and what an editor needs to know of one."""

import argparse
import contextlib
import math
import shlex
from pathlib import Path
from typing import TYPE_CHECKING

from polyrank.errors import OutputError
from polyrank.files import UTF8, check_encoding
from polyrank.staging import staged_file

from .output import rows_place, say
from .progress import RowProgress

if TYPE_CHECKING:
    from collections.abc import Callable

DATA = "the rows: a file, a directory of files, or a quoted pattern such as 'logs/*.parquet', as train takes them"
ENCODING = "of CSV and JSON Lines files, such as latin-1 (default: utf-8)"


def add_parser(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Describe the verb: one sub-command for each thing to do with a schema."""
    parser = subparsers.add_parser("schema", help="propose a schema from data, check one, or help an editor with it")
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
    _add_infer(actions)
    _add_check(actions)
    editor = actions.add_parser("json", help="print the JSON Schema of schema.toml, for editors")
    editor.set_defaults(run=run_json)


def _add_infer(actions: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    infer = actions.add_parser("infer", help="propose a schema from data, with a reason for each choice, to be edited")
    infer.add_argument("data", type=rows_place, help=DATA)
    infer.add_argument("--out", "-o", type=Path, help="the file to write; printed when left out")
    infer.add_argument("--label", action="append", default=[], metavar="COLUMN", help="a task's label; repeatable")
    infer.add_argument("--encoding", default=UTF8, help=ENCODING)
    infer.add_argument("--force", action="store_true", help="write over a file that exists")
    infer.set_defaults(run=run_infer)


def _add_check(actions: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    check = actions.add_parser(
        "check", help="say what data find wrong with a schema; exit status 1 if there are errors"
    )
    check.add_argument("schema", type=Path, help="schema.toml")
    check.add_argument("data", type=rows_place, help=DATA)
    check.add_argument("--json", action="store_true", help="print the report as JSON")
    check.add_argument("--strict", action="store_true", help="exit with 1 if there are warnings, too")
    check.add_argument(
        "--known", action="append", default=[], metavar="COLUMN", help="its warnings are notes; repeatable"
    )
    check.add_argument(
        "--sample-rows",
        type=_number(int, "1 or above", lambda value: value >= 1),
        default=100_000,
        help="rows to look for leaks in (default: 100000)",
    )
    check.add_argument("--encoding", default=UTF8, help=ENCODING)
    check.add_argument(
        "--seed",
        type=_number(int, "0 or above", lambda value: value >= 0),
        default=0,
        help="of the sample (default: 0)",
    )
    check.add_argument(
        "--validation-hours",
        type=_number(float, "above 0 and finite", lambda value: 0 < value < float("inf")),
        help="as validation.hours of the training configuration",
    )
    check.add_argument(
        "--validation-share",
        type=_number(float, "above 0 and below 1", lambda value: 0 < value < 1),
        default=0.1,
        help="as validation.share (default: 0.1)",
    )
    check.add_argument("--validation-column", metavar="COLUMN", help="as validation.column; instead of the other two")
    check.set_defaults(run=run_check)


def run_infer(args: argparse.Namespace) -> int:
    """Propose a schema, and write or print it."""
    from polyrank.inspection import InferConfig, proposal_text, propose, schema_name

    encoding = check_encoding("--encoding", args.encoding)
    if args.out is not None and args.out.exists() and not args.force:
        raise OutputError(f"{args.out} already exists; choose another place, or write over it with --force")
    with contextlib.closing(RowProgress(str(args.data), quiet=args.quiet)) as progress:
        proposal = propose(args.data, InferConfig(labels=tuple(args.label), encoding=encoding), progress=progress)
    text = proposal_text(proposal, schema_name(args.data.name.split(".")[0]), args.data.name)
    if args.out is None:
        say(text, end="")
        return 0
    with staged_file(args.out) as partial:
        partial.write_text(text, encoding="utf-8")
    counts = f"{len(proposal.features)} features, {len(proposal.tasks)} tasks, {len(proposal.left_out)} left out"
    say(f"{args.out}: {counts}; read and edit it, then: polyrank schema check {args.out} {shlex.quote(str(args.data))}")
    return 0


def run_check(args: argparse.Namespace) -> int:
    """Check, and print what was found."""
    import msgspec

    from polyrank.inspection import CheckConfig, check, report_text
    from polyrank.schema import Schema

    config = CheckConfig(
        sample_rows=args.sample_rows,
        seed=args.seed,
        validation_hours=args.validation_hours,
        validation_share=args.validation_share,
        validation_column=args.validation_column,
        known=tuple(args.known),
        encoding=check_encoding("--encoding", args.encoding),
    )
    with contextlib.closing(RowProgress(str(args.data), quiet=args.quiet)) as progress:
        report = check(Schema.load(args.schema), args.data, config, progress=progress)
    say(msgspec.json.encode(report).decode() if args.json else report_text(report))
    return int(report.count("error") > 0 or (args.strict and report.count("warning") > 0))


def run_json(_: argparse.Namespace) -> int:
    """Print the JSON Schema."""
    from polyrank.inspection import editor_text

    say(editor_text(), end="")
    return 0


def _number(kind: type[float], limit: str, fits: "Callable[[float], bool]") -> "Callable[[str], float]":
    """Return what reads a number within a limit."""

    def read(text: str) -> float:
        try:
            value = kind(text)
        except ValueError:
            value = math.nan
        if not fits(value):
            what = "a whole number" if kind is int else "a number"
            raise argparse.ArgumentTypeError(f"must be {what} {limit}, got {text!r}")
        return value

    return read
