"""`polyrank versions`: what a model repository holds."""

import argparse
from typing import TYPE_CHECKING

from .output import place, say, table

if TYPE_CHECKING:
    from polyrank.export import VersionInfo

_HEAD = ("model", "version", "", "run", "published (UTC)", "MB", "validation")


def add_parser(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Describe the verb."""
    parser = subparsers.add_parser("versions", help="list the versions in a model repository")
    parser.add_argument("repository", type=place, help="the Triton model repository")
    parser.add_argument("--name", help="of one model; all when left out")
    parser.add_argument("--json", action="store_true", help="print all that is known as JSON")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Print a line for each version, the newest first."""
    import msgspec

    from polyrank.export import list_versions

    found = list_versions(args.repository, name=args.name)
    if args.json:
        say(msgspec.json.format(msgspec.json.encode(found)).decode())
        return 0
    say(table([_HEAD, *map(_row, found)]))
    return 0


def _row(info: "VersionInfo") -> tuple[str, ...]:
    origin = "" if info.origin is None else f" (of {info.origin})"
    # The first metric of a task is the one it is judged by.
    first = [(task, *next(iter(metrics.items()))) for task, metrics in info.validation.items() if metrics]
    shown = [f"{task} {name} {'undefined' if value is None else f'{value:.4f}'}" for task, name, value in first]
    return (
        info.model,
        f"{info.version}{origin}",
        "live" if info.is_live else "",
        info.run_id or "-",
        "-" if info.published is None else f"{info.published:%Y-%m-%d %H:%M}",
        f"{info.size_bytes / 1e6:.1f}",
        f"damaged: {info.damage}" if info.damage else ", ".join(shown) or "-",
    )
