"""`polyrank verify`: golden rows of a bundle through a server that runs."""

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from polyrank.errors import ModelNotReadyError, RepositoryError
from polyrank.triton_config import CONFIG_FILE

from .client import add_client, client_options
from .output import say, table, tell
from .wording import options_named

if TYPE_CHECKING:
    from polyrank.export import LiveCheck


def add_parser(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Describe the verb."""
    parser = subparsers.add_parser(
        "verify",
        help="compare a server's answers with those of the trained model",
        description="Send the golden rows of a bundle to a server. Exits with 1 when an answer differs.",
    )
    parser.add_argument("url", help="host:port of the server, as in localhost:8000")
    parser.add_argument("bundle", help="the bundle, the model repository, a model in it or one of its versions")
    parser.add_argument("--name", help="of the model; that of the bundle's schema, or of the folder, when left out")
    parser.add_argument(
        "--tolerance", type=float, help="largest difference allowed, up to 1; that of the graph when left out"
    )
    parser.add_argument("--timeout-s", type=float, default=10.0, help="time for each call, in seconds (default 10)")
    add_client(parser)
    parser.add_argument("--json", action="store_true", help="print all that is known as JSON")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Compare, and print a line for each output."""
    import dataclasses
    import json

    from polyrank.export import check_live
    from polyrank.serving import ModelControl

    names, checks, has_failed = _names(Path(args.bundle), args.name), [], False
    with (
        options_named(timeout_s="--timeout-s", tolerance="--tolerance"),
        ModelControl(args.url, timeout_s=args.timeout_s, options=client_options(args)) as server,
    ):
        for name in names:
            try:
                found = check_live(server, args.bundle, name=name, tolerance=args.tolerance)
            except (ModelNotReadyError, RepositoryError) as err:
                if len(names) == 1:
                    raise
                tell(f"polyrank: {err}\n")
                has_failed = True
                continue
            checks += found
            for check in () if args.json else found:
                _say_check(check)
    if args.json:
        described = [dataclasses.asdict(check) | {"is_well": check.is_well} for check in checks]
        say(json.dumps(described, indent=2, default=str))
    return 1 if has_failed or not all(check.is_well for check in checks) else 0


def _names(bundle: Path, name: str | None) -> Sequence[str | None]:
    """Return the models of a repository, of which one may fail without the others; else what is named."""
    found = sorted(file.parent.name for file in bundle.glob(f"*/{CONFIG_FILE}"))
    return found if name is None and found else [name]


def _say_check(check: "LiveCheck") -> None:
    say(f"{check.model} version {check.version} of run {check.run_id}, golden rows of {check.bundle}")
    rows = [("output", "difference", "limit", "")]
    for name, gap in check.differences.items():
        rows.append((name, f"{gap:.1e}", f"{check.tolerance:.0e}", "ok" if gap <= check.tolerance else "differs"))
    say(table(rows))
    say(f"{check.rows} rows in a request: p50 {check.p50_ms:.2f} ms, p99 {check.p99_ms:.2f} ms\n")
