"""`polyrank report`: what other commands wrote, as one HTML page."""

import argparse
from pathlib import Path

from .output import say
from .wording import options_named


def add_parser(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Describe the verb."""
    parser = subparsers.add_parser(
        "report",
        help="one HTML page: is the model good, for whom is it bad, and is it what is served",
        description="Write one HTML page that opens without a network. What has the run id of the first run comes "
        "first, and other runs are compared with it.",
    )
    parser.add_argument(
        "paths",
        type=Path,
        nargs="+",
        metavar="PATH",
        help="a run directory, a bundle or published version, or what evaluate --out, loadtest --json or compare "
        "--json wrote",
    )
    parser.add_argument("--out", "-o", type=Path, default=Path("report.html"), help="the page (default report.html)")
    parser.add_argument("--title", help="of the page (default: the name of the schema)")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Read, and write the page."""
    from polyrank.reporting import write_report

    with options_named(paths="PATH", out="--out", title="--title"):
        written = write_report(args.paths, args.out, title=args.title)
    say(f"{written}: {written.stat().st_size / 2**20:.1f} MiB, opens without a network")
    return 0
