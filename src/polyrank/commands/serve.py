"""`polyrank serve`: the embedded Triton server on a model repository, until Ctrl-C or SIGTERM."""

import argparse
import signal
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING

from polyrank.errors import ServerUnavailableError

from .output import say
from .server import show_progress

if TYPE_CHECKING:
    from polyrank.serving.server import Server


def add_parser(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the verb `serve`."""
    parser = subparsers.add_parser("serve", help="serve a model repository with the embedded Triton server")
    parser.add_argument("repository", type=Path, help="Triton model repository")
    parser.add_argument("--model", action="append", metavar="NAME", help="load this model; repeatable; default all")
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on (default %(default)s)")
    parser.add_argument("--http-port", type=int, default=8000, help="0 takes a free one (default %(default)s)")
    parser.add_argument("--grpc-port", type=int, default=8001, help="0 takes a free one (default %(default)s)")
    parser.add_argument("--metrics-port", type=int, default=8002, help="0 takes a free one (default %(default)s)")
    parser.add_argument("--ready-timeout-s", type=float, default=60.0, help="default %(default)s")
    parser.add_argument("--log-file", type=Path, help="where Triton writes; default a file in the cache folder")
    parser.add_argument("--accelerator", choices=("cpu", "gpu"), default="cpu", help="which ONNX Runtime to use")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Serve until told to stop.

    Raises:
        ServerUnavailableError: The server ended by itself.
        PolyrankError: It does not start; see `polyrank.serving.server.serve`.
    """
    show_progress()
    # SIGINT too: a shell without job control starts background jobs with it ignored.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, _interrupt)
    try:
        with _start(args) as server:
            say(_summary(server))
            server.wait()
            raise ServerUnavailableError(f"the server ended by itself: {server.failure()}")
    except KeyboardInterrupt:
        return 0


def _interrupt(_number: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt


def _start(args: argparse.Namespace) -> "Server":
    from polyrank.serving.server import ServerConfig, serve

    config = ServerConfig(
        host=args.host,
        http_port=args.http_port,
        grpc_port=args.grpc_port,
        metrics_port=args.metrics_port,
        ready_timeout_s=args.ready_timeout_s,
        log_file=args.log_file,
        accelerator=args.accelerator,
    )
    return serve(args.repository, models=args.model, config=config)


def _summary(server: "Server") -> str:
    names = ", ".join(server.models)
    return f"ready: {names} at grpc {server.url}, http {server.http_url}, metrics {server.metrics_url}"
