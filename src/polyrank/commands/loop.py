"""`polyrank loop`: from new rows to a live version, again and again."""

import argparse
import contextlib
from pathlib import Path
from typing import TYPE_CHECKING

from polyrank.errors import StepError

from .output import say, table, tell

if TYPE_CHECKING:
    from polyrank.loop import Loop, Report, Status


def add_parser(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Describe the verb."""
    parser = subparsers.add_parser(
        "loop",
        help="join new rows, train, prove, publish, watch and roll back, as loop.toml says",
        description="Do all steps of the loop that can be done now, and say what it waits for.",
        usage="polyrank loop [status] LOOP.TOML [--step | --follow] [--json]",
    )
    parser.add_argument(
        "action", nargs="?", choices=("run", "status"), default="run", help="status: how the loop stands"
    )
    parser.add_argument("settings", type=Path, metavar="LOOP.TOML", help="what the loop reads and how it decides")
    pace = parser.add_mutually_exclusive_group()
    pace.add_argument("--step", action="store_true", help="do one step")
    pace.add_argument("--follow", action="store_true", help="go on for ever, and look every $.loop.poll_s seconds")
    parser.add_argument("--json", action="store_true", help="print all that is known as JSON")
    parser.set_defaults(run=run, parser=parser)


def run(args: argparse.Namespace) -> int:
    """Run the loop, or say how it stands."""
    from polyrank.loop import Loop, status_of

    if args.action == "status":
        if args.step or args.follow:
            args.parser.error(f"argument --{'step' if args.step else 'follow'}: not allowed with status")
        _say_status(status_of(Loop.load(args.settings)), as_json=args.json)
        return 0
    _run(Loop.load(args.settings, shows_progress=not args.quiet), args)
    return 0


def _run(loop: "Loop", args: argparse.Namespace) -> None:
    from polyrank.loop import follow, run_loop

    if args.follow:
        waited = None
        with contextlib.closing(follow(loop, on_failure=_tell_failure)) as reports:
            for report in reports:
                if report.waits_for is None or report.waits_for != waited:
                    _say(report, as_json=args.json)
                waited = report.waits_for
        return
    with contextlib.closing(run_loop(loop, one_step=args.step)) as reports:
        for report in reports:
            _say(report, as_json=args.json)


def _tell_failure(err: StepError) -> None:
    tell(f"polyrank: {' '.join(str(err).splitlines())}\n")


def _say(report: "Report", *, as_json: bool) -> None:
    """Print a line for a step."""
    if as_json:
        import msgspec

        say(msgspec.json.encode(report).decode())
        return
    where = f"cycle {report.cycle}  {report.step}"
    if report.record is None:
        say(f"{where} waits for {report.waits_for}")
    else:
        found = report.record.found
        say(f"{where} {found.outcome}: {found.reason}")


def _say_status(status: "Status", *, as_json: bool) -> None:
    if as_json:
        import msgspec

        say(msgspec.json.format(msgspec.json.encode(status)).decode())
        return
    from polyrank.loop.status import status_lines, status_rows

    if status.cycles:
        say(table(status_rows(status)) + "\n")
    say("\n".join(status_lines(status)))
