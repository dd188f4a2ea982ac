"""The command line of a benchmark: which contests to run, and where the table goes."""

import argparse
import json
import statistics
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

from . import report
from .measure import FULL, QUICK, Contest, Row, Scale, cores, pinned, rows_of, spread, turns

Contests = Mapping[str, Callable[[Scale], Contest | list[Row]]]
"""Contests by name; one that is measured in a process of its own gives its rows."""

HOW = "medians of {rounds} rounds in turns: of processor time on one core, and of the clock in rows of two cores"


def main(description: str, contests: Contests) -> None:
    """Run the contests and print the table."""
    arguments = _arguments(description, contests)
    scale = QUICK if arguments.quick else FULL
    facts = report.machine()
    rows: list[Row] = []
    with pinned(cores()[0]):
        for name in arguments.only or contests:
            print(f"{name} ...", file=sys.stderr, flush=True)
            rows += _rows(contests[name](scale), scale)
    if arguments.json:
        arguments.json.write_text(json.dumps(report.as_json(rows, facts), indent=2) + "\n")
    if arguments.markdown:
        print(report.as_markdown(rows))
    else:
        print(report.describe(facts, HOW.format(rounds=scale.rounds)), report.as_text(rows), sep="\n\n")


def _arguments(description: str, contests: Contests) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=description.partition("\n")[0])
    parser.add_argument("--quick", action="store_true", help="small inputs and few rounds")
    parser.add_argument("--only", nargs="+", choices=contests, metavar="NAME", help=f"of {', '.join(contests)}")
    parser.add_argument("--json", type=Path, metavar="PATH", help="write the outcome here too")
    parser.add_argument("--markdown", action="store_true", help="print the table alone, as in docs/benchmarks.md")
    return parser.parse_args()


def _rows(contest: Contest | list[Row], scale: Scale) -> list[Row]:
    if isinstance(contest, list):
        return contest
    times = turns(contest, scale.rounds)
    seconds, spreads = ({name: of(rounds) for name, rounds in times.items()} for of in (statistics.median, spread))
    return rows_of(contest, seconds, spreads)
