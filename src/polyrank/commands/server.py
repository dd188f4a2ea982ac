"""`polyrank server`: the embedded server's private runtime environment."""

import argparse
import logging
import sys

from .output import say


def add_parser(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the verb `server` with its actions."""
    parser = subparsers.add_parser("server", help="install or check the embedded server's runtime environment")
    parser.add_argument("action", choices=("install", "check"), help="what to do")
    parser.add_argument("--force", action="store_true", help="install anew even when it is complete")
    parser.add_argument("--accelerator", choices=("cpu", "gpu"), default="cpu", help="which ONNX Runtime it holds")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Install or check the environment and print where it is.

    Raises:
        ServerRuntimeError: It is unusable, or cannot be installed.
    """
    from polyrank.serving.runtime import check_runtime, install_runtime

    show_progress()
    if args.action == "install":
        runtime = install_runtime(force=args.force, accelerator=args.accelerator)
    else:
        runtime = check_runtime(accelerator=args.accelerator)
    versions = ", ".join(f"{name} {version}" for name, version in runtime.versions.items())
    say(f"server runtime {runtime.path} is complete: {versions}")
    return 0


def show_progress() -> None:
    """Send progress to standard error, unless the caller has set logging up."""
    logging.basicConfig(level=logging.INFO, format="%(message)s", stream=sys.stderr)
