"""`polyrank rank`: the best items for one user, through a server."""

import argparse
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from polyrank.errors import DataError
from polyrank.files import kinds

from .output import say, table

if TYPE_CHECKING:
    import pyarrow as pa


def add_parser(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Describe the verb."""
    parser = subparsers.add_parser("rank", help="rank items for one user, through a server")
    parser.add_argument("url", help="host:port of the server, as in localhost:8000")
    parser.add_argument(
        "--user", required=True, help="a JSON object of features, or the file that holds one; - reads it"
    )
    parser.add_argument("--items", required=True, type=Path, help=f"the items: {kinds()}")
    parser.add_argument("--key", help="column that names items; printed with each")
    parser.add_argument("--top-k", type=int, default=10, help="how many items (default 10)")
    parser.add_argument(
        "--weight",
        action="append",
        default=[],
        metavar="TASK=NUMBER",
        help="of a task in the score; repeatable; 1 for all when left out",
    )
    parser.add_argument("--exclude", action="append", default=[], metavar="KEY", help="leave this item out; repeatable")
    parser.add_argument("--name", help="of the model; the only one that the server has when left out")
    parser.add_argument("--timeout-s", type=float, default=10.0, help="time for the call, in seconds (default 10)")
    parser.add_argument("--json", action="store_true", help="print a JSON object for each item")
    parser.set_defaults(run=run, parser=parser)


def run(args: argparse.Namespace) -> int:
    """Rank, and print a line for each item."""
    from polyrank.serving import Ranker

    weights = dict(_weight(text, args.parser) for text in args.weight) or None
    user = _user(args.user)
    with Ranker(args.url, args.name, timeout_s=args.timeout_s) as ranker:
        items = ranker.items(_items(args.items, ranker), key=args.key)
        keys = [_typed(key, items.key_type) for key in args.exclude] or None
        found = ranker.rank(user, items, top_k=args.top_k, weights=weights, exclude=keys)
    if args.json:
        for row in found.to_pylist():
            say(json.dumps(row, default=str))
    else:
        say(f"{ranker.model} version {found.schema.metadata[b'polyrank.version'].decode()}, {len(items):,} items\n")
        say(table([found.column_names, *([_cell(value) for value in row.values()] for row in found.to_pylist())]))
    return 0


def _weight(text: str, parser: argparse.ArgumentParser) -> tuple[str, float]:
    task, _, number = text.partition("=")
    try:
        return task, float(number)
    except ValueError:
        parser.error(f"--weight must be TASK=NUMBER, as in click=0.5, got {text!r}")


def _user(text: str) -> dict[str, Any]:
    """Read the user.

    Raises:
        DataError: it is no JSON object.
    """
    source, written = "--user", text
    if not text.lstrip().startswith("{"):
        source = "standard input" if text == "-" else text
        try:
            written = sys.stdin.read() if text == "-" else Path(text).read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as err:
            reason = (err.strerror or str(err)).lower() if isinstance(err, OSError) else "not UTF-8 text"
            raise DataError(f"--user {text} cannot be read: {reason}; give a JSON object or its file") from err
    try:
        user = json.loads(written)
    except ValueError as err:
        raise DataError(f"{source} is not JSON: {err}") from err
    if not isinstance(user, dict):
        raise DataError(f"{source} must hold a JSON object of features, got {type(user).__name__}")
    return user


def _items(path: Path, ranker: Any) -> "pa.Table":
    from polyrank.files import Wanted, read_table

    schema = ranker.signature.schema
    return read_table(path, Wanted(text=schema.text_columns, integers=schema.integer_columns))


def _typed(key: str, kind: Any) -> Any:
    import pyarrow as pa

    if kind is None:
        return key
    try:
        return pa.scalar(key).cast(kind).as_py()
    except pa.ArrowException as err:
        raise DataError(f"--exclude must be keys of type {kind}, got {key!r}") from err


def _cell(value: object) -> str:
    if isinstance(value, float):
        return f"{value:.6g}"
    if isinstance(value, list):
        return "[" + ", ".join(map(_cell, value)) + "]"
    return str(value)
