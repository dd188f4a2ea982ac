"""`polyrank export`: a run directory to a bundle."""

import argparse
from pathlib import Path

from .output import say


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
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Export, and say what for."""
    from polyrank.export import export_onnx

    bundle = export_onnx(
        args.run_directory,
        out=args.out,
        triton=args.triton,
        onnxruntime=args.onnxruntime,
        verified_with=args.verify_with,
    )
    signature = bundle.signature
    release = f"Triton {signature.triton}" if signature.triton else f"ONNX Runtime {signature.onnxruntime}"
    checked = f", verified with ONNX Runtime {args.verify_with}" if args.verify_with else ""
    say(
        f"bundle of run {signature.run_id} in {bundle.path}: opset {signature.opset}, "
        f"IR version {signature.ir_version}, for {release}{checked}"
    )
    return 0
