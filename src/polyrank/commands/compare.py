"""`polyrank compare`: models of all tasks against one for each, or runs against one another."""

import argparse
import dataclasses
import importlib.util
import logging
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from .output import place, rows_place, say
from .wording import options_named

if TYPE_CHECKING:
    from polyrank.train.comparing import Answerer, Comparison

logger = logging.getLogger(__name__)


def add_parser(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Describe the verb."""
    parser = subparsers.add_parser(
        "compare",
        help="train multi-task models and one model per task, or take runs, and say how they differ",
        description="With --schema, train models on DATA and compare them. Without, compare two runs or more with the "
        "first of them.",
    )
    parser.add_argument("data", type=place, nargs="+", metavar="DATA | RUN", help="the rows, or run directories")
    parser.add_argument("--schema", type=Path, help="schema.toml: features, and at least two tasks")
    parser.add_argument("--config", type=Path, help="train.toml: how to train each; the defaults when left out")
    parser.add_argument(
        "--architectures",
        default="shared_bottom,mmoe,ple",
        help="of the models of all tasks, separated by commas (default: shared_bottom,mmoe,ple)",
    )
    parser.add_argument("--seeds", type=int, default=3, help="trainings of each model (default: 3)")
    parser.add_argument("--out", type=Path, help="folder of the runs; those that are there are not trained again")
    parser.add_argument(
        "--data", dest="rows", type=rows_place, help="of runs: the rows that they were trained on, for intervals"
    )
    parser.add_argument("--cache", type=Path, help="directory to keep encoded rows in")
    parser.add_argument("--json", action="store_true", help="print all that was found as JSON")
    parser.set_defaults(run=run, parser=parser)


def run(args: argparse.Namespace) -> int:
    """Compare, and print what came out."""
    from polyrank.train.comparing import report_text

    found = _runs(args) if args.schema is None else _trainings(args)
    found = _with_costs(found)
    say(_json(found) if args.json else report_text(found))
    return 0


def _trainings(args: argparse.Namespace) -> "Comparison":
    from polyrank.schema import Schema
    from polyrank.train import TrainConfig
    from polyrank.train.comparing import ComparisonConfig, compare

    if len(args.data) > 1 or args.rows is not None:
        args.parser.error("with --schema give the rows once: a file, a directory of files, or a quoted pattern")
    if args.out is None:
        args.parser.error("--out is missing: the folder of the runs")
    names = tuple(name.strip() for name in args.architectures.split(","))
    config = TrainConfig() if args.config is None else TrainConfig.load(args.config)
    with options_named(architectures="--architectures", seeds="--seeds"):
        comparison = ComparisonConfig(architectures=names, seeds=args.seeds)
        return compare(
            Schema.load(args.schema), args.data[0], out=args.out, config=config, comparison=comparison, cache=args.cache
        )


def _runs(args: argparse.Namespace) -> "Comparison":
    from polyrank.train.comparing import compare_runs

    for name in ("config", "out", "architectures", "seeds"):
        if getattr(args, name) != args.parser.get_default(name):
            args.parser.error(f"--{name} goes with --schema, which trains models")
    return compare_runs(args.data, args.rows, cache=args.cache)


def _with_costs(found: "Comparison") -> "Comparison":
    """Measure in what answers fastest of what is installed: ONNX Runtime, or PyTorch."""
    from polyrank.errors import ExportError
    from polyrank.train.comparing import costs_of

    if all(importlib.util.find_spec(name) for name in ("onnx", "onnxruntime", "onnxscript")):
        import onnxruntime

        engine = f"ONNX Runtime {onnxruntime.__version__}"
        try:
            with tempfile.TemporaryDirectory(prefix="polyrank-") as folder:
                costs = costs_of(found.runs, lambda run: _onnx_answerer(run, Path(folder)))
            return dataclasses.replace(found, costs=costs, engine=engine)
        except ExportError as err:  # what was trained is not lost for it
            logger.warning("latency is that of PyTorch: %s", err)
    import torch

    return dataclasses.replace(found, costs=costs_of(found.runs), engine=f"PyTorch {torch.__version__}")


def _onnx_answerer(run: Path, folder: Path) -> "Answerer":
    from polyrank.export import ExportOptions, export_onnx
    from polyrank.export.answers import open_session

    out = Path(tempfile.mkdtemp(dir=folder)) / "bundle"
    bundle = export_onnx(run, out=out, options=ExportOptions(requests=None))
    session = open_session(bundle.model_file, threads=1)
    return lambda batch: session.run(None, batch.named())


def _json(found: "Comparison") -> str:
    import msgspec

    return msgspec.json.encode(msgspec.to_builtins(found, enc_hook=str, str_keys=True)).decode()
