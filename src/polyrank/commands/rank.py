"""`polyrank rank`: the best items for one user, through a server."""

import argparse
import json
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from polyrank.errors import ConfigError, DataError
from polyrank.files import kinds
from polyrank.reasons import system_reason

from .client import add_client, client_options
from .output import rows_place, say, table
from .pairs import task_weights
from .wording import options_named

if TYPE_CHECKING:
    import pyarrow as pa

    from polyrank.files import Location
    from polyrank.serving import Ranker


def add_parser(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Describe the verb."""
    parser = subparsers.add_parser("rank", help="rank items for one user, through a server")
    parser.add_argument("url", help="host:port of the server, as in localhost:8000")
    parser.add_argument(
        "--user", required=True, help="a JSON object of features, or the file that holds one; - reads it"
    )
    parser.add_argument(
        "--items", required=True, type=rows_place, help=f"a file, a directory of files or a pattern: {kinds()}"
    )
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
    add_client(parser)
    parser.add_argument("--json", action="store_true", help="print a JSON object for each item")
    parser.set_defaults(run=run, parser=parser)


def run(args: argparse.Namespace) -> int:
    """Rank, and print a line for each item."""
    from polyrank.serving import Ranker
    from polyrank.serving.origins import origin_of

    weights = task_weights(args.weight)
    if args.exclude and args.key is None:
        raise ConfigError("--exclude needs the key of items; name its column with --key COLUMN")
    user = _user(args.user)
    with (
        options_named(timeout_s="--timeout-s", top_k="--top-k", weights="--weight"),
        Ranker(args.url, args.name, timeout_s=args.timeout_s, options=client_options(args)) as ranker,
    ):
        items = ranker.items(_items(args.items, args.key, ranker), key=args.key)
        keys = [_typed(key, items.key_type) for key in args.exclude] or None
        found = ranker.rank(user, items, top_k=args.top_k, weights=weights, exclude=keys)
    if args.json:
        for row in found.to_pylist():
            say(json.dumps(row, default=str))
    else:
        say(f"{ranker.model} version {origin_of(found).version}, {len(items):,} items\n")
        say(table([found.column_names, *([_cell(value) for value in row.values()] for row in found.to_pylist())]))
    return 0


def _user(text: str) -> dict[str, Any]:
    """Read the user.

    Raises:
        DataError: it is no JSON object.
    """
    if text == "-":
        return _object("standard input", _text(text))
    if not text.strip() or _is_json(text):
        return _object("--user", text)
    return _object(text, _text(text))


def _is_json(text: str) -> bool:
    """Say whether a word is JSON, or begins as an object of JSON does, and not a file."""
    if text.lstrip().startswith("{"):
        return True
    try:
        json.loads(text)
    except (ValueError, RecursionError):
        return False
    return not os.access(text, os.F_OK)


def _text(path: str) -> str:
    try:
        return sys.stdin.read() if path == "-" else Path(path).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as err:
        reason = system_reason(err) if isinstance(err, OSError) else "not UTF-8 text"
        raise DataError(f"--user {path} cannot be read: {reason}; give a JSON object or its file") from err


def _object(source: str, text: str) -> dict[str, Any]:
    try:
        user = json.loads(text) if text.strip() else text
    except (ValueError, RecursionError) as err:
        raise DataError(f"{source} is not JSON: {err}") from err
    if not isinstance(user, dict):
        got = "null" if user is None else type(user).__name__ if text.strip() else "nothing"
        raise DataError(f'{source} must hold a JSON object of features, got {got}; give one, as in {{"user_id": 46}}')
    return user


def _items(path: "Location", key: str | None, ranker: "Ranker") -> "pa.Table":
    """Read the columns of items, which every file must have."""
    from polyrank.files import Wanted, read_table
    from polyrank.halves import item_features
    from polyrank.schema import columns_for

    schema = ranker.signature.schema
    own = item_features(schema) - ranker.served.mixed_crosses
    columns = [*columns_for([feature for feature in schema.features if feature.name in own])]
    if columns and key is not None and key not in columns:
        columns.append(key)
    wanted = Wanted(columns=columns or None, text=schema.text_columns, integers=schema.integer_columns)
    items: pa.Table = read_table(path, wanted)
    if not len(items):
        raise DataError(f"{path} holds no row")
    return items


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
