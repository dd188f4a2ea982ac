"""A closed loop on the simulated shop, through the real parts: docs/loop-simulation.md.

python benchmarks/loop.py                       # ten cycles with Triton, ImpressionLog and polyrank loop: five minutes
python benchmarks/loop.py --kills 2             # the same, each turn of the loop killed twice before it may end
python benchmarks/loop.py --cycles 2 --visits 100 --users 50 --items 50    # small: a minute
"""

import argparse
import json
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import msgspec
from closed_loop import shown, story
from closed_loop.world import Sizes
from contests import report

PACKAGES = ("polyrank", "torch", "onnxruntime", "numpy", "pyarrow")
TARGET = 0.9
"""Share of the oracle's click rate that the last day should reach."""


def main() -> None:
    """Run the loop, and print what came of it."""
    arguments = _arguments()
    sizes = Sizes(**{field: getattr(arguments, field) for field in Sizes.__struct_fields__})
    with tempfile.TemporaryDirectory() as made:
        folder = arguments.folder or Path(made, "application")
        told = story.tell(folder, sizes, kills=arguments.kills, with_newcomers=not arguments.without_newcomers)
    _print(told, report.markdown if arguments.markdown else report.aligned)
    if arguments.json:
        found = {"machine": report.machine(PACKAGES)} | msgspec.to_builtins(told)
        arguments.json.write_text(json.dumps(found, indent=1) + "\n")
    if arguments.picture:
        shown.draw(told, arguments.picture)
    print(f"{told.seconds:,.0f} s, of which the loop {sum(told.turn_s):,.0f}; killed {told.kills}", file=sys.stderr)


def _print(told: story.Story, written: Callable[[shown.Lines], str]) -> None:
    makers = shown.days_table, shown.clicks_table, shown.items_table, shown.cold_table
    tables = [maker(told) for maker in makers]
    print("\n\n".join(written(lines) for lines in tables if len(lines) > 1), end="\n\n")
    share = told.days[-1]["share"]
    verdict = "reached" if share >= TARGET else "missed"
    print(f"lists of the last day have {share:.1%} of the oracle's click rate: target of {TARGET:.0%} {verdict}")


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for field in msgspec.structs.fields(Sizes):
        parser.add_argument(f"--{field.name.replace('_', '-')}", type=field.type, default=field.default)
    parser.add_argument("--kills", type=int, default=0, help="how often each turn of the loop is killed")
    parser.add_argument("--without-newcomers", action="store_true", help="end with the last cycle")
    parser.add_argument("--folder", type=Path, help="keep the application's files here")
    parser.add_argument("--markdown", action="store_true", help="print tables as in docs/loop-simulation.md")
    parser.add_argument("--json", type=Path, help="write all figures here")
    parser.add_argument("--picture", type=Path, help="draw click rates here: .svg, .png or .pdf")
    return parser.parse_args()


if __name__ == "__main__":
    main()
