"""`polyrank export`: a run directory to a bundle."""

import argparse
from pathlib import Path

from .output import say


def add_parser(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Describe the verb."""
    parser = subparsers.add_parser("export", help="export a run to one ONNX graph with parity proven")
    parser.add_argument("run_directory", type=Path, metavar="RUN", help="the run directory")
    parser.add_argument("--out", type=Path, required=True, help="the bundle directory to make")
    parser.add_argument("--triton", metavar="YY.MM", help="Triton release that will serve it; the newest when left out")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Export, and say what for."""
    from polyrank.export import export_onnx
    from polyrank.export.releases import LATEST

    bundle = export_onnx(args.run_directory, out=args.out, triton=args.triton or LATEST)
    signature = bundle.signature
    say(
        f"bundle of run {signature.run_id} in {bundle.path}: opset {signature.opset}, "
        f"IR version {signature.ir_version}, for Triton {signature.triton}"
    )
    return 0
