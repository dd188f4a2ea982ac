"""`polyrank publish`: a bundle to a version in a model repository."""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from .output import say

if TYPE_CHECKING:
    from polyrank.export.serving_options import ServingOptions


def add_parser(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Describe the verb."""
    parser = subparsers.add_parser("publish", help="publish a bundle as the next version in a model repository")
    parser.add_argument("bundle", type=Path, help="the bundle directory")
    parser.add_argument("repository", type=Path, help="the Triton model repository; made when absent")
    parser.add_argument("--name", help="name of the model; the schema's name when left out")
    parser.add_argument("--config", type=Path, help="serving.toml: how Triton runs it; the defaults when left out")
    parser.add_argument("--max-batch-size", type=int, help="rows in a request at most (default 4096)")
    parser.add_argument(
        "--queue-delay-us", type=int, help="how long Triton may wait to batch requests, in µs (default 0)"
    )
    parser.add_argument("--threads", type=int, help="ONNX Runtime threads of an instance (default 2)")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Publish, and say where."""
    from polyrank.export import publish

    published = publish(args.bundle, args.repository, name=args.name, options=_options(args))
    say(f"{published.model} version {published.version} in {published.path}")
    return 0


def _options(args: argparse.Namespace) -> "ServingOptions":
    """Read the file, if there is one; what is said on the command line goes before it."""
    import msgspec

    from polyrank.export.serving_options import ServingOptions

    written = ServingOptions() if args.config is None else ServingOptions.load(args.config)
    names = ("max_batch_size", "queue_delay_us", "threads")
    said = {name: getattr(args, name) for name in names if getattr(args, name) is not None}
    return msgspec.structs.replace(written, **said)
