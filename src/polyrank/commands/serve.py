"""`polyrank serve`: the embedded Triton server on a model repository, until Ctrl-C or SIGTERM."""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from polyrank.errors import ConfigError, ServerUnavailableError

from .output import say
from .server import show_progress
from .stopping import until_stopped
from .wording import options_named

if TYPE_CHECKING:
    from polyrank.serving.lockdown import Lockdown
    from polyrank.serving.server import Server
    from polyrank.serving.server_config import ServerConfig
    from polyrank.serving.triton_options import ServerTls

_OF_A_START = (
    *("model", "host", "http_port", "grpc_port", "metrics_port", "ready_timeout_s", "log_file", "accelerator"),
    *("restarts", "hang_s", "grace_s", "tls_certificate", "tls_key", "tls_ca", "locked_down", "control_key_file"),
    *("inference_key_file", "log_verbose", "triton_option"),
)
"""Options that no file for Docker Compose or Kubernetes takes over."""

_NUMBERS = ("http_port", "grpc_port", "metrics_port", "ready_timeout_s", "restarts", "hang_s", "grace_s", "log_verbose")


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
    parser.add_argument(
        "--restarts",
        type=int,
        default=5,
        help="start Triton again when it dies or hangs, so often within ten minutes (default %(default)s)",
    )
    parser.add_argument(
        "--hang-s", type=float, default=30.0, help="without an answer for so long it hangs (default %(default)s)"
    )
    parser.add_argument(
        "--grace-s", type=float, default=10.0, help="what requests in flight get at the end (default %(default)s)"
    )
    _add_tls(parser)
    _add_lockdown(parser)
    _add_container(parser)
    parser.add_argument("--log-verbose", type=int, default=0, metavar="LEVEL", help="1 logs requests with their ids")
    parser.add_argument(
        "--triton-option",
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="pass an option to Triton, such as http-thread-count=16; repeatable",
    )
    parser.set_defaults(run=run, parser=parser)


def _add_container(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group(
        "the official container", "print or write what serves the same there; nothing starts"
    )
    one = group.add_mutually_exclusive_group()
    one.add_argument("--print-docker", action="store_true", help="print the docker command and end")
    one.add_argument(
        "--write-deploy", type=Path, metavar="DIR", help="write files for Docker Compose and Kubernetes and end"
    )
    group.add_argument("--triton-release", metavar="YY.MM", help="default what the models were exported for")


def _add_tls(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("TLS", "of the gRPC endpoint; HTTP then listens on 127.0.0.1 alone, plain")
    group.add_argument("--tls-certificate", type=Path, metavar="PEM", help="the server's certificate")
    group.add_argument("--tls-key", type=Path, metavar="PEM", help="its private key")
    group.add_argument("--tls-ca", type=Path, metavar="PEM", help="let in only clients that these authorities signed")


def _add_lockdown(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("lock-down", "keys for what a server does; HTTP then listens on 127.0.0.1 alone")
    group.add_argument("--locked-down", action="store_true", help="refuse control without a key, which nobody has")
    group.add_argument("--control-key-file", type=Path, metavar="FILE", help="its key gives control, to publish with")
    group.add_argument("--inference-key-file", type=Path, metavar="FILE", help="only its key gives answers of models")


def run(args: argparse.Namespace) -> int:
    """Serve until told to stop; or only say how to serve in the official container.

    Raises:
        ServerUnavailableError: The server ended by itself.
        PolyrankError: It does not start; see `polyrank.serving.server.serve`.
        RepositoryError: No model says which release of Triton it is for.
    """
    if args.print_docker or args.write_deploy is not None:
        return _deploy(args)
    show_progress()
    with until_stopped():
        _serve(args)
    return 0


def _deploy(args: argparse.Namespace) -> int:
    from polyrank.serving.container import docker_command, triton_release
    from polyrank.serving.deployment import write_deployment

    if args.write_deploy is not None:
        _refuse_dropped(args)
    release = args.triton_release or triton_release(args.repository, args.model)
    if args.print_docker:
        say(docker_command(args.repository, args.model, _config(args), release))
    if args.write_deploy is not None:
        say(write_deployment(args.write_deploy, args.repository, release))
    return 0


def _refuse_dropped(args: argparse.Namespace) -> None:
    """Refuse an option that the files would be without: they would serve otherwise than was asked for."""
    for name in _OF_A_START:
        if getattr(args, name) != args.parser.get_default(name):
            option = f"--{name.replace('_', '-')}"
            args.parser.error(f"argument {option}: not allowed with --write-deploy; leave it out, and change the files")


def _serve(args: argparse.Namespace) -> None:
    from polyrank.serving.server import serve

    with serve(args.repository, models=args.model, config=_config(args)) as server:
        say(_summary(server))
        server.wait()
        raise ServerUnavailableError(f"the server ended by itself: {server.failure()}")


def _config(args: argparse.Namespace) -> "ServerConfig":
    from polyrank.serving.server_config import ServerConfig

    with options_named(host="--host", **{name: f"--{name.replace('_', '-')}" for name in _NUMBERS}):
        return ServerConfig(
            host=args.host,
            log_file=args.log_file,
            accelerator=args.accelerator,
            tls=_tls(args),
            lockdown=_lockdown(args),
            triton_options=_triton_options(args.triton_option),
            **{name: getattr(args, name) for name in _NUMBERS},
        )


def _tls(args: argparse.Namespace) -> "ServerTls | None":
    from polyrank.serving.triton_options import ServerTls

    if args.tls_certificate is None and args.tls_key is None and args.tls_ca is None:
        return None
    if args.tls_certificate is None or args.tls_key is None:
        raise ConfigError("TLS needs --tls-certificate and --tls-key, both")
    return ServerTls(certificate=args.tls_certificate, key=args.tls_key, ca=args.tls_ca)


def _lockdown(args: argparse.Namespace) -> "Lockdown | None":
    from polyrank.serving.lockdown import Lockdown

    files = {name: getattr(args, f"{name}_file") for name in ("control_key", "inference_key")}
    given = {name: file for name, file in files.items() if file is not None}
    if not args.locked_down:
        if given:
            raise ConfigError(f"--{next(iter(given)).replace('_', '-')}-file needs --locked-down")
        return None
    return Lockdown(**{name: _key(name, file) for name, file in given.items()})


def _key(name: str, file: Path) -> str:
    from polyrank.serving.lockdown import check_key

    try:
        key = file.read_text("ascii").strip()
    except (OSError, UnicodeDecodeError) as err:
        reason = err.strerror.lower() if isinstance(err, OSError) and err.strerror else "not ASCII text"
        raise ConfigError(f"--{name.replace('_', '-')}-file {file} cannot be read: {reason}") from err
    check_key(f"the key in {file}", key)
    return key


def _triton_options(words: list[str]) -> dict[str, str]:
    options: dict[str, str] = {}
    for word in words:
        name, equals, value = word.removeprefix("--").partition("=")
        if not equals:
            raise ConfigError(f"--triton-option must be NAME=VALUE, got {word!r}")
        if name in options:
            raise ConfigError(f"--triton-option names {name!r} twice; name it once")
        options[name] = value
    return options


def _summary(server: "Server") -> str:
    names = ", ".join(server.models)
    return f"ready: {names} at grpc {server.grpc_url}, http {server.url}, metrics {server.metrics_url}"
