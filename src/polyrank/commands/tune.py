"""`polyrank tune`: search for a better configuration."""

import argparse
import shlex
from pathlib import Path

from .output import rows_place, say
from .wording import options_named


def add_parser(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Describe the verb."""
    parser = subparsers.add_parser("tune", help="search for a better training configuration, with Optuna")
    parser.add_argument("data", type=rows_place, help="the rows: a file, a directory of files, or a quoted pattern")
    parser.add_argument("--schema", type=Path, required=True, help="schema.toml: features and tasks")
    parser.add_argument("--config", type=Path, help="train.toml: what to search around; its [tune] says where")
    parser.add_argument("--metric", required=True, help="task and metric of the validation rows, such as click.auc")
    parser.add_argument("--trials", type=int, default=20, help="with those of --out already (default: 20)")
    parser.add_argument(
        "--timeout-s", type=float, help="seconds after which no other trial begins; no limit when left out"
    )
    parser.add_argument("--out", type=Path, required=True, help="folder of the search; one that is there is continued")
    parser.add_argument("--cache", type=Path, help="directory to keep encoded rows in")
    parser.add_argument("--json", action="store_true", help="print all trials as JSON")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Search, and print the best trial."""
    import msgspec

    from polyrank.schema import Schema
    from polyrank.train import TrainConfig
    from polyrank.train.tuning import tune

    with options_named(metric="--metric", trials="--trials", timeout_s="--timeout-s"):
        found = tune(
            Schema.load(args.schema),
            args.data,
            metric=args.metric,
            out=args.out,
            config=TrainConfig() if args.config is None else TrainConfig.load(args.config),
            trials=args.trials,
            timeout_s=args.timeout_s,
            cache=args.cache,
        )
    if args.json:
        say(msgspec.json.encode(msgspec.to_builtins(found, enc_hook=str)).decode())
        return 0
    say(f"trial {found.best.number} of {len(found.trials)}: {args.metric} {found.best.value:.6f}")
    for name, value in found.best.values.items():
        say(f"  {name} = {value:.6g}" if isinstance(value, float) else f"  {name} = {value}")
    train = ["polyrank", "train", str(args.data), "--schema", str(args.schema), "--config", str(found.config)]
    say(f"configuration in {found.config}; train with: {shlex.join(train)}")
    return 0
