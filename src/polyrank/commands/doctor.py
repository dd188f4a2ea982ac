"""`polyrank doctor`: what is wrong with this machine, or with a server, and what to do."""

import argparse
from typing import TYPE_CHECKING

from .client import add_client, client_options
from .output import say

if TYPE_CHECKING:
    from polyrank.serving.doctor import Finding


def add_parser(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Describe the verb."""
    parser = subparsers.add_parser("doctor", help="check this machine, and a server, for what may go wrong")
    parser.add_argument("url", nargs="?", metavar="URL", help="host:port of a server, as in localhost:8000")
    parser.add_argument("--accelerator", choices=("cpu", "gpu"), default="cpu", help="what models shall run on")
    add_client(parser)
    parser.add_argument("--json", action="store_true", help="print the findings as JSON")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Print a line for each finding; return 1 when anything fails.

    Raises:
        ConfigError: The address is none.
    """
    import msgspec

    from polyrank.serving.doctor import examine

    found = []
    for each in examine(args.url, accelerator=args.accelerator, client=client_options(args)):
        found.append(each)
        if not args.json:
            say(_line(each))
    if args.json:
        say(msgspec.json.format(msgspec.json.encode(found)).decode())
    return int(any(each.status == "fail" for each in found))


def _line(finding: "Finding") -> str:
    advice = f" -> {finding.advice}" if finding.advice else ""
    return f"{finding.status:<4}  {finding.name:<16}  {finding.found}{advice}"
