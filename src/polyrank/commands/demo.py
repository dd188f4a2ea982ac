"""`polyrank demo --web`: a page on which a served model ranks the items of logs, until Ctrl-C or SIGTERM."""

import argparse
import contextlib
import socket
from pathlib import Path
from typing import TYPE_CHECKING

from polyrank.errors import DataError, RepositoryError
from polyrank.files import kinds

from .client import add_client, client_options
from .output import say
from .server import show_progress
from .stopping import until_stopped

if TYPE_CHECKING:
    import pyarrow as pa

    from polyrank.schema import Schema


def add_parser(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Describe the verb."""
    parser = subparsers.add_parser("demo", help="show what a served model ranks, on a page in the browser")
    parser.add_argument("--web", action="store_true", required=True, help="show it on a page, the only way so far")
    parser.add_argument(
        "--folder", type=Path, default=Path("build/demo"), help="what make demo made (default %(default)s)"
    )
    parser.add_argument(
        "--data",
        type=Path,
        default=Path("examples/kuairand"),
        help=f"logs: KuaiRand's folder, or one table of {kinds()} (default %(default)s)",
    )
    parser.add_argument("--port", type=int, default=8080, help="of the page; 0 takes a free one (default %(default)s)")
    parser.add_argument("--url", help="host:port of a running server; the embedded one is started when left out")
    add_client(parser)
    parser.add_argument("--name", help="of the model; the only one that the server has when left out")
    parser.add_argument("--user", metavar="COLUMN", help="names users; the schema's group, or their first feature")
    parser.add_argument("--item", metavar="COLUMN", help="names items; the first feature of items when left out")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Show the page until told to stop.

    Raises:
        PolyrankError: the extra is missing, the port is taken, the server does not start, or the logs do not fit.
    """
    from polyrank.serving.web.page_server import listen

    show_progress()
    with until_stopped(), contextlib.closing(listen(args.port)) as listener:
        _show(args, listener)
    return 0


def _show(args: argparse.Namespace, listener: socket.socket) -> None:
    from polyrank.serving import Ranker
    from polyrank.serving.web.app import Demo, make_app
    from polyrank.serving.web.logs import Logs
    from polyrank.serving.web.page_server import run as answer
    from polyrank.serving.web.page_server import url_of
    from polyrank.serving.web.versions import notes_of

    with contextlib.ExitStack() as stack:
        options = client_options(args)
        url = args.url or _started(args.folder, stack)
        with Ranker(url, args.name, options=options) as ranker:
            model, schema = ranker.model, ranker.signature.schema
        logs = Logs(_logs(args.data, schema), schema, user=args.user, item=args.item)
        notes = None if args.url else notes_of(_repository(args.folder), model)
        say(f"ready: {model}, {logs.num_users:,} users, {logs.items.num_rows:,} items at {url_of(listener)}")
        answer(make_app(Demo(url, model, logs, notes, options)), listener)


def _repository(folder: Path) -> Path:
    return folder / "model_repository"


def _started(folder: Path, stack: contextlib.ExitStack) -> str:
    """Start the embedded server.

    Raises:
        RepositoryError: there is no repository.
    """
    from polyrank.serving import serve

    if not _repository(folder).is_dir():
        raise RepositoryError(
            f"{_repository(folder)} is not a folder; `make demo` makes it, and --folder or --url name another"
        )
    return stack.enter_context(serve(_repository(folder))).url


def _logs(place: Path, schema: "Schema") -> "pa.Table":
    """Read the logs.

    Raises:
        DataError: they are not there, or cannot be read.
    """
    if not place.exists():
        raise DataError(f"{place} is not there; --data names the logs: KuaiRand's folder, or a table of {kinds()}")
    if (place / "interactions.parquet").is_file():
        from polyrank.train.datasets import kuairand

        return kuairand.load(place)
    from polyrank.files import Wanted, read_table

    return read_table(place, Wanted(text=schema.text_columns, integers=schema.integer_columns))
