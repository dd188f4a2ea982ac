"""The command line: `polyrank VERB`, also as `python -m polyrank`."""

import argparse
import errno
import logging
import os
import signal
import sys
from collections.abc import Sequence
from pathlib import Path

from polyrank import __version__
from polyrank.arguments import is_utf8
from polyrank.commands import VERBS
from polyrank.commands.output import Parser, tell
from polyrank.commands.stopping import StopRequested, stoppable
from polyrank.errors import ConfigError, OtherRankError, PolyrankError


def main(argv: Sequence[str] | None = None) -> int:
    """Run one verb.

    Returns:
        0 when it is done, 1 after an error of ours (one line on standard error), 128 and the signal's number when
        interrupted. Wrong usage exits with 2 before anything runs.
    """
    if sys.stderr is None:  # what Python makes of `2>&-`
        sys.stderr = Path(os.devnull).open("w")  # noqa: SIM115 (open until the process ends)
    os.environ.setdefault("GRPC_VERBOSITY", "NONE")  # it writes lines of its own beside our one
    try:
        with stoppable():
            return _run(argv)
    except OtherRankError as err:
        if not _is_told(err):
            tell(f"polyrank: {err}\n")
        return 1
    except PolyrankError as err:
        tell(f"polyrank: {' '.join(str(err).splitlines())}\n")
        return 1
    except OSError as err:  # what any step, an import among them, may meet
        if err.errno not in (errno.EMFILE, errno.ENFILE):
            raise
        what = "" if err.filename is None else f"cannot open {err.filename}: "
        tell(f"polyrank: {what}{os.strerror(err.errno).lower()}; raise their limit with ulimit -n\n")
        return 1
    except StopRequested as stop:
        if not _is_told(stop.__cause__):
            tell(f"polyrank: {stop}\n")
        return 128 + stop.number
    except KeyboardInterrupt:
        tell("polyrank: interrupted\n")
        return 128 + signal.SIGINT


def _is_told(err: BaseException | None) -> bool:
    """Say whether another rank of a training has said why all end."""
    return isinstance(err, OtherRankError) and err.is_told


def _run(argv: Sequence[str] | None) -> int:
    _check_arguments(sys.argv[1:] if argv is None else argv)
    args = build_parser().parse_args(argv)
    logging.basicConfig(format="%(message)s", stream=sys.stderr)
    logging.getLogger("polyrank").setLevel(logging.ERROR if args.quiet else logging.INFO)
    code: int = args.run(args)
    return code


def _check_arguments(argv: Sequence[str]) -> None:
    """Refuse bytes that are no text: neither Arrow nor JSON takes a name that has them."""
    for argument in argv:
        if not is_utf8(argument):
            raise ConfigError(f"arguments must be UTF-8 text, got {argument!a}; rename the file or column")


def build_parser() -> argparse.ArgumentParser:
    """Describe every verb."""
    parser = Parser(prog="polyrank", description="Multi-task recommender rankers from logs to live traffic.")
    parser.add_argument("--version", action="version", version=f"polyrank {__version__}")
    parser.add_argument("--quiet", action="store_true", help="say nothing but results and errors")
    verbs = parser.add_subparsers(dest="verb", required=True, metavar="VERB")
    for verb in VERBS:
        verb.add_parser(verbs)
    return parser


if __name__ == "__main__":
    sys.exit(main())
