"""`polyrank train`: logs to a run directory."""

import argparse
import dataclasses
import json
import os
from pathlib import Path
from typing import TYPE_CHECKING

from polyrank.files import kinds

from .output import rows_place, say

if TYPE_CHECKING:
    from polyrank.train import Plan


def add_parser(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Describe the verb."""
    parser = subparsers.add_parser("train", help="train a multi-task ranker on logs")
    parser.add_argument(
        "data",
        type=rows_place,
        help=f"a file ({kinds()}), a directory, a quoted pattern such as 'logs/2026-*/*.parquet', or a URL of those",
    )
    parser.add_argument("--schema", type=Path, required=True, help="schema.toml: features and tasks")
    parser.add_argument("--out", type=Path, help="the run directory to make")
    parser.add_argument("--dry-run", action="store_true", help="say what a training would take, and train nothing")
    parser.add_argument("--json", action="store_true", help="print what --dry-run finds as JSON")
    parser.add_argument("--resume", action="store_true", help="go on from the checkpoint of an interrupted training")
    parser.add_argument(
        "--from", type=Path, dest="warm_start", metavar="RUN", help="an older run, whose weights training starts from"
    )
    parser.add_argument("--tensorboard", type=Path, metavar="DIR", help="write event files for TensorBoard there")
    parser.add_argument("--config", type=Path, help="train.toml: how to train; the defaults when left out")
    parser.add_argument(
        "--cache", type=Path, help="directory to keep encoded rows in; 'encoded' in the cache folder when left out"
    )
    parser.add_argument("--encoding", help="of CSV and JSON Lines files, such as latin-1 (default utf-8)")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Train, and print each task's validation metrics; of several processes the first does."""
    if os.environ.get("WORLD_SIZE", "1") == "1":  # torch is imported later, when what is cheap to check is in order
        return _run(args)
    from polyrank.train.processes import joined

    with joined() as processes:
        return _run(args, prints=processes.is_first)


def _check_options(args: argparse.Namespace) -> None:
    from polyrank.errors import ConfigError

    if args.out is None and not args.dry_run:
        raise ConfigError("--out is missing; name the run directory to make, or ask with --dry-run what it would take")
    if args.json and not args.dry_run:
        raise ConfigError("--json goes with --dry-run; the metrics of a training are in metrics.json of its run")
    trains = {"--resume": args.resume, "--from": args.warm_start, "--tensorboard": args.tensorboard}
    for option in [name for name, value in trains.items() if value and args.dry_run]:
        raise ConfigError(f"{option} does not go with --dry-run, which trains nothing; leave one of them out")


def _run(args: argparse.Namespace, *, prints: bool = True) -> int:
    import msgspec

    from polyrank.files import check_encoding
    from polyrank.metrics import headline
    from polyrank.schema import Schema
    from polyrank.staging import refuse_existing
    from polyrank.train import TrainConfig, dry_run, fit
    from polyrank.train.checkpoints import refuse_checkpoint

    _check_options(args)
    if not args.dry_run:
        refuse_existing(args.out)
        if not args.resume:
            refuse_checkpoint(args.out)
    schema = Schema.load(args.schema)
    config = TrainConfig() if args.config is None else TrainConfig.load(args.config)
    if args.encoding is not None:
        config = msgspec.structs.replace(config, encoding=check_encoding("--encoding", args.encoding))
    if args.dry_run:
        plan = dry_run(schema, args.data, config=config, cache=args.cache)
        if prints:
            _say_plan(plan, as_json=args.json)
        return 0
    result = fit(
        schema,
        args.data,
        out=args.out,
        config=config,
        cache=args.cache,
        resume=args.resume,
        warm_start=args.warm_start,
        tensorboard=args.tensorboard,
        progress=not args.quiet,
    )
    for task, metrics in headline(schema, result.metrics).items() if prints else ():
        intervals = result.evaluation.intervals[task]
        say(f"{task}: " + ", ".join(_shown(name, value, intervals.get(name)) for name, value in metrics.items()))
    if prints:
        say(f"run {result.run_id} in {result.path}")
    return 0


def _say_plan(plan: "Plan", *, as_json: bool) -> None:
    if as_json:
        say(json.dumps(dataclasses.asdict(plan), indent=2))
        return
    say(f"rows        {plan.train_rows:,} to train on, {plan.validation_rows:,} to validate on")
    say(f"steps       {plan.steps_per_epoch:,} an epoch")
    say(f"parameters  {sum(plan.table_parameters.values()):,} of embedding tables, {plan.layer_parameters:,} of layers")
    for name, count in sorted(plan.table_parameters.items(), key=lambda item: -item[1]):
        say(f"              {name} {count:,}")
    parts = ", ".join(f"{name.replace('_', ' ')} {size:,.1f}" for name, size in plan.memory_mb.items())
    say(f"memory      {sum(plan.memory_mb.values()):,.1f} MiB: {parts}; the process itself and a batch come on top")
    estimate = "unknown, of too few steps" if plan.epoch_s is None else f"about {plan.epoch_s:,.1f} s"
    say(f"epoch       {estimate}, an estimate without validation; layers compiled: {'yes' if plan.compiles else 'no'}")


def _shown(name: str, value: float, interval: tuple[float, float] | None) -> str:
    ends = "" if interval is None else f" [{interval[0]:.4f}, {interval[1]:.4f}]"
    return f"{name} {value:.6f}{ends}"
