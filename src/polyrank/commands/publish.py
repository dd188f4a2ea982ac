"""`polyrank publish`: a bundle to a version in a model repository."""

import argparse
from pathlib import Path

from .output import say


def add_parser(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Describe the verb."""
    parser = subparsers.add_parser("publish", help="publish a bundle as the next version in a model repository")
    parser.add_argument("bundle", type=Path, help="the bundle directory")
    parser.add_argument("repository", type=Path, help="the Triton model repository; made when absent")
    parser.add_argument("--name", help="name of the model; the schema's name when left out")
    parser.add_argument("--max-batch-size", type=int, default=4096, help="rows in a request at most (default 4096)")
    parser.add_argument(
        "--queue-delay-us", type=int, default=0, help="how long Triton may wait to batch requests, in µs (default 0)"
    )
    parser.add_argument("--threads", type=int, default=2, help="ONNX Runtime threads of an instance (default 2)")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Publish, and say where."""
    from polyrank.export import publish
    from polyrank.export.model_config import ServingOptions

    options = ServingOptions(
        max_batch_size=args.max_batch_size, queue_delay_us=args.queue_delay_us, threads=args.threads
    )
    published = publish(args.bundle, args.repository, name=args.name, options=options)
    say(f"{published.model} version {published.version} in {published.path}")
    return 0
