"""`polyrank loadtest`: latency of a server against load, and the highest rate that keeps a p99."""

import argparse
import math
from pathlib import Path
from typing import TYPE_CHECKING

from polyrank.files import kinds

from .client import add_client, client_options
from .output import rows_place, say, table, tell
from .wording import options_named

if TYPE_CHECKING:
    from polyrank.reporting.records import LoadTest
    from polyrank.serving.load_target import LoadOptions, LoadTarget
    from polyrank.serving.loadtest import Load

_OPTIONS = {
    "rate": "--rates",
    "p99_ms": "--p99-ms",
    "seconds": "--seconds",
    "timeout_s": "--timeout-s",
    "connections": "--connections",
    "seed": "--seed",
    "picture": "--picture",
}
"""By the argument of the library that each is."""

_HEAD = ("requests/s", "answered/s", "p50 ms", "p90 ms", "p99 ms", "p99.9 ms", "max ms", "errors")


def add_parser(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Describe the verb."""
    parser = subparsers.add_parser(
        "loadtest",
        help="measure a server's latency under load",
        description="Send requests that arrive at random at given rates, answered or not, and time each from its "
        "arrival. Exits with 1 when a rate is not held.",
    )
    parser.add_argument("url", help="host:port of the server, as in localhost:8000")
    parser.add_argument(
        "rows", type=rows_place, help=f"real rows to send, as a file, a directory of files or a pattern: {kinds()}"
    )
    parser.add_argument("--name", help="of the model; the only one that the server has when left out")
    what = parser.add_mutually_exclusive_group()
    what.add_argument("--batch", type=int, default=100, metavar="ROWS", help="rows of each request (default 100)")
    what.add_argument("--items", type=int, metavar="N", help="send rankings instead, each of one user and N items")
    parser.add_argument("--rates", type=float, nargs="+", metavar="N", help="requests per second, one after another")
    parser.add_argument("--p99-ms", type=float, help="find the highest rate whose p99 is within this")
    parser.add_argument("--seconds", type=float, default=10.0, help="of each rate (default 10)")
    parser.add_argument("--timeout-s", type=float, default=5.0, help="of a request (default 5)")
    parser.add_argument("--connections", type=int, default=64, help="open at once (default 64)")
    parser.add_argument("--seed", type=int, default=0, help="of the arrivals (default 0)")
    add_client(parser)
    parser.add_argument("--picture", type=Path, help="draw latency against load: an .svg, .png or .pdf file")
    parser.add_argument("--json", action="store_true", help="print all that was measured as JSON")
    parser.set_defaults(run=run, parser=parser)


def run(args: argparse.Namespace) -> int:
    """Measure, and print a line for each rate."""
    if (args.rates is None) == (args.p99_ms is None):
        args.parser.error("give either --rates, or --p99-ms to search for the highest")
    with options_named(**_OPTIONS, rows="--batch" if args.items is None else "--items"):
        return _run(args)


def _run(args: argparse.Namespace) -> int:
    from polyrank.serving.load_target import load_target

    options = _checked(args)
    target = load_target(args.url, args.name, _rows(args, options), options)
    highest, loads = _measured(args, target, options)
    found = _as_json(args, target, options, loads, highest)
    if args.json:
        say(found)
    else:
        _say(args, found, loads)
    if args.picture is not None:
        draw_loads(found, args.picture)
    is_held = all(load.holds for load in loads) if highest is None else highest > 0
    return 0 if is_held else 1


def _checked(args: argparse.Namespace) -> "LoadOptions":
    """Return the options, all of which are checked before anything is sent."""
    from polyrank.reporting.stills import check_still
    from polyrank.serving.load_target import LoadOptions
    from polyrank.serving.loadtest import check_limit, check_rate

    options = LoadOptions(
        rows=args.batch if args.items is None else args.items,
        ranks=args.items is not None,
        seconds=args.seconds,
        timeout_s=args.timeout_s,
        connections=args.connections,
        seed=args.seed,
        client=client_options(args),
    )
    for rate in args.rates or ():
        check_rate(rate, options)
    if args.p99_ms is not None:
        check_limit(args.p99_ms)
    if args.picture is not None:
        check_still(args.picture)
    return options


def _rows(args: argparse.Namespace, options: "LoadOptions") -> object:
    from polyrank.files import Wanted, read_table
    from polyrank.serving import Ranker

    with Ranker(args.url, args.name, timeout_s=args.timeout_s, options=options.client) as ranker:
        schema = ranker.signature.schema
    wanted = Wanted(columns=schema.feature_columns, text=schema.text_columns, integers=schema.integer_columns)
    return read_table(args.rows, wanted)


def _measured(
    args: argparse.Namespace, target: "LoadTarget", options: "LoadOptions"
) -> "tuple[float | None, list[Load]]":
    from polyrank.serving.loadtest import highest_rate, measure

    def told(load: "Load") -> None:
        if not args.quiet:
            p99 = "no answer" if math.isnan(load.p99_ms) else f"p99 {load.p99_ms:.2f} ms"
            tell(f"{load.rate:,.0f} requests/s: {p99}{'' if load.holds else ', not held'}\n")

    if args.p99_ms is not None:
        return highest_rate(target, args.p99_ms, options, told)
    loads = []
    for rate in args.rates:
        loads.append(measure(target, rate, options))
        told(loads[-1])
    return None, loads


def _as_json(
    args: argparse.Namespace, target: "LoadTarget", options: "LoadOptions", loads: "list[Load]", highest: float | None
) -> str:
    import msgspec

    found = {
        "model": target.served.model,
        "version": target.served.version,
        "run_id": target.served.signature.run_id,
        "batch": options.rows,
        "ranks": options.ranks,
        "seconds": args.seconds,
        "highest_rate": highest,
        "p99_ms": args.p99_ms,
        "loads": [msgspec.to_builtins(load) | {"holds": load.holds} for load in loads],
    }
    return msgspec.json.format(msgspec.json.encode(found)).decode()


def draw_loads(found: str, file: Path) -> None:
    """Draw what a load test measured, as it is written in JSON.

    Raises:
        DataError: nothing was answered at any rate.
        ConfigError, OutputError, MissingExtraError: as `check_still`.
    """
    from polyrank.errors import DataError
    from polyrank.reporting.pictures.loads import load_picture
    from polyrank.reporting.stills import write_still

    test = _read(found)
    picture = load_picture(test)
    if picture is None:
        raise DataError("nothing was answered at any rate, so there is nothing to draw")
    write_still(picture, file, f"{test.model} version {test.version}, {test.request}")


def _read(found: str) -> "LoadTest":
    import msgspec

    from polyrank.reporting.records import LoadTest

    return msgspec.json.decode(found, type=LoadTest)


def _say(args: argparse.Namespace, found: str, loads: "list[Load]") -> None:
    test = _read(found)
    say(f"{test.model} version {test.version}, {test.request}\n")
    say(table([_HEAD, *map(_row, sorted(loads, key=lambda load: load.rate))]))
    for reason in dict.fromkeys(reason for load in loads for reason in load.errors):
        say(f"error: {reason}")
    if test.highest_rate is not None:
        rows = f"{test.highest_rate * test.batch:,.0f} {'items' if test.ranks else 'rows'}/s"
        say(f"\nhighest rate with p99 within {args.p99_ms:g} ms: {test.highest_rate:,.0f} requests/s, {rows}")


def _row(load: "Load") -> tuple[str, ...]:
    times = (load.p50_ms, load.p90_ms, load.p99_ms, load.p999_ms, load.max_ms)
    shown = ("-" if math.isnan(value) else f"{value:.2f}" for value in times)
    errors = sum(load.errors.values())
    return (f"{load.rate:,.0f}", f"{load.answered:,.0f}", *shown, f"{errors:,}" if errors else "")
