"""`polyrank export`: a run directory to a bundle."""

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from .output import say

if TYPE_CHECKING:
    from polyrank.export import Bundle
    from polyrank.export.exploring import Choice


def add_parser(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Describe the verb."""
    parser = subparsers.add_parser("export", help="export a run to one ONNX graph with parity proven")
    parser.add_argument("run_directory", type=Path, metavar="RUN", help="the run directory")
    result = parser.add_mutually_exclusive_group(required=True)
    result.add_argument("--out", type=Path, help="the bundle directory to make")
    result.add_argument("--explore", action="store_true", help="make none, but say what each precision costs and gains")
    target = parser.add_mutually_exclusive_group()
    target.add_argument("--triton", metavar="YY.MM", help="Triton release that will serve it; the newest when left out")
    target.add_argument("--onnxruntime", metavar="X.Y", help="ONNX Runtime that will load it, in place of a release")
    parser.add_argument(
        "--verify-with",
        metavar="X.Y",
        help="ONNX Runtime from pip, in an environment of its own, that must answer like the model too",
    )
    parser.add_argument(
        "--score",
        choices=("sum", "product"),
        default="sum",
        help="how the graph over one user and many items combines the tasks by their weights (default: sum)",
    )
    parser.add_argument("--top-k", type=int, metavar="K", help="best items that it names besides; none when left out")
    parser.add_argument("--rows-only", action="store_true", help="export the graph over rows alone")
    for part, what in (("embeddings", "embedding tables"), ("dense", "layers; int8 is for CPUs")):
        parser.add_argument(
            f"--{part}", choices=("fp32", "fp16", "int8"), default="fp32", help=f"numbers of {what} (default fp32)"
        )
    parser.add_argument(
        "--prune-rows", action="store_true", help="let rows that training never changed share one, where it saves space"
    )
    parser.add_argument("--json", action="store_true", help="with --explore: print JSON")
    parser.set_defaults(run=run, parser=parser)


def run(args: argparse.Namespace) -> int:
    """Export, and say what for."""
    from polyrank.export import ExportOptions, RequestOptions, export_onnx
    from polyrank.signature import Precision

    _check_options(args)
    if args.explore:
        return _explore(args)
    precision = Precision(embeddings=args.embeddings, dense=args.dense, prune_rows=args.prune_rows)
    options = ExportOptions(
        triton=args.triton,
        onnxruntime=args.onnxruntime,
        verified_with=args.verify_with,
        precision=precision,
        requests=None if args.rows_only else RequestOptions(combination=args.score, top_k=args.top_k),
    )
    bundle = export_onnx(args.run_directory, out=args.out, options=options)
    signature = bundle.signature
    release = f"Triton {signature.triton}" if signature.triton else f"ONNX Runtime {signature.onnxruntime}"
    reduced = f", {signature.precision}" if signature.precision != Precision() else ""
    checked = f", verified with ONNX Runtime {args.verify_with}" if args.verify_with else ""
    say(
        f"bundle of run {signature.run_id} in {bundle.path}: opset {signature.opset}, "
        f"IR version {signature.ir_version}, for {release}{reduced}{checked}{_over(bundle)}"
    )
    return 0


def _check_options(args: argparse.Namespace) -> None:
    """Refuse options that would decide nothing."""
    of_requests = ("score", "top_k")
    of_bundles = ("embeddings", "dense", "prune_rows", "verify_with", *of_requests, "rows_only")
    vain = [("--explore", name) for name in of_bundles] if args.explore else [("--out", "json")]
    vain += [("--rows-only", name) for name in of_requests if args.rows_only]
    for chosen, name in vain:
        if getattr(args, name) != args.parser.get_default(name):
            args.parser.error(f"argument --{name.replace('_', '-')}: not allowed with argument {chosen}")


def _over(bundle: "Bundle") -> str:
    """Say what the graphs are over, where there are two."""
    return "" if bundle.requests is None else "; over rows, and over one user with many items"


def _explore(args: argparse.Namespace) -> int:
    """Print a line for each precision, and which is recommended."""
    import msgspec

    from polyrank.export.exploring import BATCH_SIZES, explore, recommended
    from polyrank.export.releases import resolve_target
    from polyrank.models import TrainedRanker

    target = resolve_target(args.triton, args.onnxruntime)
    choices = explore(TrainedRanker.load(args.run_directory), args.run_directory, target)
    best = recommended(choices)
    if args.json:
        report = {"choices": choices, "recommended": best.precision}
        say(msgspec.json.format(msgspec.json.encode(report)).decode())
        return 0
    titles = ("precision", "bytes", "largest loss", "difference", *(f"µs of {size:,}" for size in BATCH_SIZES))
    lines = [titles, *(_cells(choice, BATCH_SIZES) for choice in choices)]
    widths = [max(len(line[column]) for line in lines) for column in range(len(titles))]
    for line in lines:
        say("  ".join([line[0].ljust(widths[0]), *(map(str.rjust, line[1:], widths[1:]))]))
    say(f"recommended: {best.precision}, {choices[0].size_bytes / best.size_bytes:.1f} times smaller")
    return 0


def _cells(choice: "Choice", sizes: Sequence[int]) -> tuple[str, ...]:
    worst = choice.worst
    loss = "unknown" if worst is None else f"{worst.task} {worst.metric} {worst.loss:.5f}"
    mark = "" if choice.is_accurate else " (refused)"
    times = (f"{choice.latency_us[size]:,.0f}" for size in sizes)
    return str(choice.precision), f"{choice.size_bytes:,}", loss + mark, f"{choice.difference:.1e}", *times
