"""`polyrank rollback`: an older version of a model goes live again."""

import argparse
import contextlib

from .client import add_client
from .output import place
from .publish import control, say_where
from .wording import options_named


def add_parser(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Describe the verb."""
    parser = subparsers.add_parser("rollback", help="make an older version of a model the live one, as a new version")
    parser.add_argument("repository", type=place, help="the Triton model repository")
    parser.add_argument("--name", required=True, help="name of the model")
    parser.add_argument(
        "--to",
        type=_number,
        metavar="VERSION",
        help="the version to go back to; that before the live one when left out",
    )
    parser.add_argument("--url", help="host:port of a server, to load and prove it there")
    parser.add_argument("--timeout-s", type=float, default=60.0, help="time for each call of --url (default 60)")
    add_client(parser)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Roll back, and say where."""
    from polyrank.export import rollback

    with (
        options_named(name="--name", to="--to", url="--url", timeout_s="--timeout-s"),
        contextlib.ExitStack() as stack,
    ):
        server = control(args, args.url, stack)
        published = rollback(args.repository, name=args.name, to=args.to, server=server)
    say_where(published, args.url)
    return 0


def _number(text: str) -> int:
    """Return a version; `polyrank publish --to` takes the server, and so may be meant."""
    try:
        return int(text)
    except ValueError as err:
        raise argparse.ArgumentTypeError(f"must be a version, such as 3, got {text!r}; a server goes to --url") from err
