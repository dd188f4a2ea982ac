"""`polyrank publish`: a bundle to a version in a model repository."""

import argparse
import contextlib
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .client import add_client, client_options
from .output import place, say
from .wording import options_named

if TYPE_CHECKING:
    from polyrank.export import Published, PublishedRemotely, ServingOptions
    from polyrank.serving import ModelControl

_OPTIONS = {
    "name": "--name",
    "max_batch_size": "--max-batch-size",
    "queue_delay_us": "--queue-delay-us",
    "threads": "--threads",
    "keep": "--keep",
    "url": "--to",
    "timeout_s": "--timeout-s",
}
"""By the argument of the library that each is."""


def add_parser(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Describe the verb."""
    parser = subparsers.add_parser("publish", help="publish a bundle as the next version in a model repository")
    parser.add_argument("bundle", type=Path, help="the bundle directory")
    parser.add_argument(
        "repository",
        type=place,
        help="the Triton model repository, made when absent; or a URL such as s3://bucket/models",
    )
    parser.add_argument("--name", help="name of the model; the schema's name when left out")
    parser.add_argument("--config", type=Path, help="serving.toml: how Triton runs it; the defaults when left out")
    parser.add_argument("--max-batch-size", type=int, help="rows in a request at most (default 4096)")
    parser.add_argument(
        "--queue-delay-us", type=int, help="how long Triton may wait to batch requests, in µs (default 0)"
    )
    parser.add_argument("--threads", type=int, help="ONNX Runtime threads of an instance (default 2)")
    parser.add_argument(
        "--raw",
        action="store_true",
        default=None,
        help="publish NAME_raw too, which takes a tensor for each feature, as any HTTP client can send them",
    )
    parser.add_argument("--keep", type=int, metavar="N", help="remove all but the newest N versions and live ones")
    parser.add_argument("--to", metavar="URL", help="host:port of a server, to load and prove it there")
    parser.add_argument("--timeout-s", type=float, default=60.0, help="time for each call of --to (default 60)")
    add_client(parser)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Publish, and say where."""
    with options_named(**_OPTIONS):
        return _run(args)


def _run(args: argparse.Namespace) -> int:
    from polyrank.export import publish, publish_remote
    from polyrank.export.model_directory import is_remote

    choices: dict[str, Any] = {"name": args.name, "options": _options(args), "keep": args.keep}
    with contextlib.ExitStack() as stack:
        choices["server"] = control(args, args.to, stack)
        if is_remote(args.repository):
            sent = publish_remote(args.bundle, args.repository, **choices)
            say_where(sent, args.to)
        else:
            published = publish(args.bundle, args.repository, **choices)
            say_where(published, args.to)
    return 0


def control(args: argparse.Namespace, url: str | None, stack: contextlib.ExitStack) -> "ModelControl | None":
    """Connect to a server, if one is named, until `stack` ends."""
    from polyrank.serving import ModelControl
    from polyrank.serving.addresses import check_timeout

    check_timeout(args.timeout_s)
    options = client_options(args)
    if url is None:
        return None

    return stack.enter_context(ModelControl(url, timeout_s=args.timeout_s, options=options))


def say_where(published: "Published | PublishedRemotely", url: str | None) -> None:
    """Print where the versions of all models are, and how far a server's answers were from the trained model's."""
    say(f"{published.model} version {published.version} in {published.location}")
    if published.differences is not None:
        gaps = ", ".join(f"{task} {gap:.1e}" for task, gap in published.differences.items())
        say(f"live at {url}; golden rows differ by {gaps}")
    for other in (published.requests, published.raw):
        if other is not None:
            say_where(other, url)


def _options(args: argparse.Namespace) -> "ServingOptions":
    """Read the file, if there is one; what is said on the command line goes before it."""
    import msgspec

    from polyrank.export import ServingOptions

    written = ServingOptions() if args.config is None else ServingOptions.load(args.config)
    names = ("max_batch_size", "queue_delay_us", "threads", "raw")
    said = {name: getattr(args, name) for name in names if getattr(args, name) is not None}
    return msgspec.structs.replace(written, **said)
