"""`polyrank train`: logs to a run directory."""

import argparse
from pathlib import Path

from .output import say


def add_parser(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Describe the verb."""
    parser = subparsers.add_parser("train", help="train a multi-task ranker on logs")
    parser.add_argument("data", type=Path, help="a file (.parquet, .csv or .csv.gz), or a directory of them")
    parser.add_argument("--schema", type=Path, required=True, help="schema.toml: features and tasks")
    parser.add_argument("--out", type=Path, required=True, help="the run directory to make")
    parser.add_argument("--config", type=Path, help="train.toml: how to train; the defaults when left out")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Train, and print each task's validation metrics."""
    from polyrank.schema import Schema
    from polyrank.staging import refuse_existing
    from polyrank.train import TrainConfig, fit

    refuse_existing(args.out)
    schema = Schema.load(args.schema)
    config = None if args.config is None else TrainConfig.load(args.config)
    result = fit(schema, args.data, out=args.out, config=config, progress=not args.quiet)
    for task, metrics in result.metrics.items():
        say(f"{task}: " + ", ".join(f"{name} {value:.6f}" for name, value in metrics.items()))
    say(f"run {result.run_id} in {result.path}")
    return 0
