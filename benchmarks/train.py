"""How fast and how well multi-task rankers train, by Polyrank and by others: docs/benchmarks.md.

python benchmarks/train.py speed --ml-1m FOLDER                  # installs the peers, a minute each; then ten minutes
python benchmarks/train.py speed --ml-1m FOLDER --without-peers  # Polyrank and the plain loop alone
python benchmarks/train.py quality --ml-1m FOLDER                # test AUC over seeds; peers too
python benchmarks/train.py scarce --ml-1m FOLDER                 # 2 % of the labels of one task
python benchmarks/train.py tables                                # tables of 10 thousand to 20 million rows
python benchmarks/train.py trees --ml-100k FOLDER --census-income FOLDER   # LightGBM, from the group `bench`
python benchmarks/train.py storefront                            # the shop whose best possible AUC is known
"""

import argparse
import dataclasses
import sys
import time
from collections.abc import Callable
from pathlib import Path

from contests import report
from contests.measure import cores, pinned
from training import quality, scarce, speed, storefront, tables, trees
from training.contenders import VARIANTS
from training.results import Lines

PACKAGES = ("polyrank", "torch", "numpy", "pyarrow", "lightgbm")
KUAIRAND = Path(__file__).parents[1] / "examples" / "kuairand"


@dataclasses.dataclass(frozen=True)
class JobRun:
    """A job, how it measures, and the folders that it cannot do without."""

    run: Callable[[argparse.Namespace], list[Lines]]
    how: str
    needs: tuple[str, ...] = ()


def main() -> None:
    """Run one job and print its tables."""
    arguments = _arguments()
    facts = report.machine(PACKAGES)
    start = time.monotonic()
    with pinned(cores()[0]):
        found = JOBS[arguments.job].run(arguments)
    if not arguments.markdown:
        how = JOBS[arguments.job].how.format_map(vars(arguments))
        print(report.describe(facts, how), end="\n\n")
    for lines in found:
        print(report.markdown(lines) if arguments.markdown else report.aligned(lines), end="\n\n")
    print(f"{arguments.job} took {time.monotonic() - start:,.0f} s", file=sys.stderr)


def _speed(arguments: argparse.Namespace) -> list[Lines]:
    wanted = speed.Wanted(
        architectures=arguments.architectures or speed.ARCHITECTURES,
        batch_sizes=arguments.batch_sizes,
        variants=arguments.variants,
        peers=not arguments.without_peers,
        rounds=arguments.rounds,
        window_rows=arguments.window_rows,
    )
    rows, warmth = speed.measure(arguments.ml_1m, wanted)
    return [[list(report.HEADINGS), *map(report.cells, rows)], speed.waits(warmth)]


def _quality(arguments: argparse.Namespace) -> list[Lines]:
    lines = quality.measure(
        arguments.ml_1m,
        architectures=arguments.architectures or ("shared_bottom",),
        seeds=arguments.seeds,
        epochs=arguments.epochs,
        peers=not arguments.without_peers,
    )
    return [lines]


def _trees(arguments: argparse.Namespace) -> list[Lines]:
    folders = {name: getattr(arguments, name) for name in trees.DATA_SETS}
    return [trees.measure({name: folder for name, folder in folders.items() if folder}, seeds=arguments.seeds)]


WINDOWS = "medians of {rounds} windows in turns, of processor time on one core"
SEEDS = "means and deviations over {seeds} seeds"
JOBS = {
    "speed": JobRun(_speed, WINDOWS, ("ml_1m",)),
    "quality": JobRun(_quality, SEEDS, ("ml_1m",)),
    "scarce": JobRun(lambda arguments: [scarce.measure(arguments.ml_1m, seeds=arguments.seeds)], SEEDS, ("ml_1m",)),
    "tables": JobRun(lambda arguments: [tables.measure(arguments.rounds, window_rows=arguments.window_rows)], WINDOWS),
    "trees": JobRun(_trees, SEEDS),
    "storefront": JobRun(
        lambda arguments: [storefront.measure(rows=arguments.impressions, seeds=arguments.seeds)], SEEDS
    ),
}


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("job", choices=JOBS)
    parser.add_argument("--ml-1m", type=Path, metavar="FOLDER", help="MovieLens-1M, unpacked")
    parser.add_argument("--ml-100k", type=Path, metavar="FOLDER", help="MovieLens-100k, unpacked; of trees")
    parser.add_argument("--census-income", type=Path, metavar="FOLDER", help="Census-Income (KDD), unpacked; of trees")
    parser.add_argument(
        "--kuairand", type=Path, metavar="FOLDER", default=KUAIRAND, help="of trees; the example's logs"
    )
    parser.add_argument("--rounds", type=int, default=5, help="windows of each contender (default: 5)")
    parser.add_argument("--seeds", type=int, default=3, help="how often everyone trains (default: 3)")
    parser.add_argument("--epochs", type=int, default=3, help="of peers and plain loop, for quality (default: 3)")
    parser.add_argument("--architectures", nargs="+", choices=speed.ARCHITECTURES, help="of speed and quality")
    parser.add_argument("--batch-sizes", nargs="+", type=int, default=speed.BATCH_SIZES, help="of speed")
    parser.add_argument(
        "--variants", nargs="+", choices=VARIANTS, default=list(VARIANTS), help="of Polyrank, for speed"
    )
    parser.add_argument("--window-rows", type=int, default=65_536, help="samples of a window (default: 65536)")
    parser.add_argument("--impressions", type=int, default=2_000_000, help="of storefront (default: 2000000)")
    parser.add_argument("--without-peers", action="store_true", help="install and run no peers")
    parser.add_argument("--markdown", action="store_true", help="print the tables alone, as in docs/benchmarks.md")
    arguments = parser.parse_args()
    for name in JOBS[arguments.job].needs:
        if getattr(arguments, name) is None:
            parser.error(f"{arguments.job} needs --{name.replace('_', '-')}")
    return arguments


if __name__ == "__main__":
    main()
