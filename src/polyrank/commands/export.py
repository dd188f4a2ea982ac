"""`polyrank export`: a run directory to a bundle."""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from .output import say

if TYPE_CHECKING:
    from polyrank.export import Bundle


def add_parser(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Describe the verb."""
    parser = subparsers.add_parser("export", help="export a run to one ONNX graph with parity proven")
    parser.add_argument("run_directory", type=Path, metavar="RUN", help="the run directory")
    parser.add_argument("--out", type=Path, required=True, help="the bundle directory to make")
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
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Export, and say what for."""
    from polyrank.export import RequestOptions, export_onnx

    bundle = export_onnx(
        args.run_directory,
        out=args.out,
        triton=args.triton,
        onnxruntime=args.onnxruntime,
        verified_with=args.verify_with,
        requests=None if args.rows_only else RequestOptions(combination=args.score, top_k=args.top_k),
    )
    signature = bundle.signature
    release = f"Triton {signature.triton}" if signature.triton else f"ONNX Runtime {signature.onnxruntime}"
    checked = f", verified with ONNX Runtime {args.verify_with}" if args.verify_with else ""
    say(
        f"bundle of run {signature.run_id} in {bundle.path}: opset {signature.opset}, "
        f"IR version {signature.ir_version}, for {release}{checked}{_over(bundle)}"
    )
    return 0


def _over(bundle: "Bundle") -> str:
    """Say what the graphs are over, where there are two."""
    return "" if bundle.requests is None else "; over rows, and over one user with many items"
