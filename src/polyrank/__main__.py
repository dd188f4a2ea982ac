"""The command line: `polyrank VERB`, also as `python -m polyrank`."""

import argparse
import logging
import os
import sys
from collections.abc import Sequence

from polyrank import __version__
from polyrank.commands import VERBS
from polyrank.errors import PolyrankError


def main(argv: Sequence[str] | None = None) -> int:
    """Run one verb.

    Returns:
        0 when it is done, 1 after an error of ours (one line on standard error), 130 when interrupted. Wrong usage
        exits with 2 before anything runs.
    """
    args = build_parser().parse_args(argv)
    logging.basicConfig(format="%(message)s", stream=sys.stderr)
    logging.getLogger("polyrank").setLevel(logging.ERROR if args.quiet else logging.INFO)
    try:
        code: int = args.run(args)
        sys.stdout.flush()
    except PolyrankError as err:
        print(f"polyrank: {' '.join(str(err).splitlines())}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("polyrank: interrupted", file=sys.stderr)
        return 130
    except BrokenPipeError:
        # The reader of our output left, as `head` does; nothing is wrong and nobody is there to be told.
        # What is still buffered goes nowhere, or the interpreter would complain at its end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    return code


def build_parser() -> argparse.ArgumentParser:
    """Describe every verb."""
    parser = argparse.ArgumentParser(
        prog="polyrank", description="Multi-task recommender rankers from logs to live traffic."
    )
    parser.add_argument("--version", action="version", version=f"polyrank {__version__}")
    parser.add_argument("--quiet", action="store_true", help="say nothing but results and errors")
    verbs = parser.add_subparsers(dest="verb", required=True, metavar="VERB")
    for verb in VERBS:
        verb.add_parser(verbs)
    return parser


if __name__ == "__main__":
    sys.exit(main())
