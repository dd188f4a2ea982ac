"""All comparisons: runs benchmarks, renews the pages and pictures that show them, and says what became slower.

python benchmarks/bench.py                        # all, some hours on two cores: what `make bench` does
python benchmarks/bench.py --only scoring spark   # some
python benchmarks/bench.py --dry                  # measures and compares, and leaves the pages as they are
python benchmarks/bench.py --quick                # small sizes: that all of them run; writes nothing
python benchmarks/bench.py --list                 # names, minutes, what each needs, and where its tables stand

Pages change when all have ended. Until then what has ended is kept in build/bench, so that a run that was interrupted,
or in which one failed, goes on from there as long as code and processor are the same.

A figure is held to that of the last commit, if it is of the same kind of processor. It is slower when it is so by more
than noise: a share that suite/benchmarks.toml gives, or how far its rounds lie apart, where that is known and more.
It is gone where a speed or a time stood and none stands now, as of a server that holds no rate any more.
"""

import argparse
import sys
import tempfile
from pathlib import Path

from contests import report
from suite import comparing, pages, wanting
from suite.catalogue import Benchmark, catalogue
from suite.session import Session

FOLDER = pages.ROOT / "build" / "bench"
INTERRUPTED = 130
"""The exit status of a shell's command that Ctrl-C ended."""


def main() -> int:
    """Run what is asked for; return the exit status."""
    arguments = _arguments()
    benchmarks = catalogue()
    chosen = [benchmarks[name] for name in benchmarks if name in (arguments.only or benchmarks)]
    if arguments.list:
        print(report.aligned(_listed(chosen)))
        return 0
    comparing.refuse_lost_places(chosen)
    try:
        return _tried(chosen) if arguments.quick else _measured(chosen, arguments)
    except KeyboardInterrupt:
        print(
            "\ninterrupted: no page is changed; the same command goes on after those that have ended", file=sys.stderr
        )
        return INTERRUPTED


def _tried(chosen: list[Benchmark]) -> int:
    """Run small sizes in a folder that goes."""
    with tempfile.TemporaryDirectory() as folder:
        session = Session(folder=Path(folder, "found"), given=wanting.invented(Path(folder, "data")), quick=True)
        found, failed = session.run(chosen)
        comparing.renewed(found)
    print(f"{len(found)} run, {failed} failed; nothing is written")
    return int(failed > 0)


def _measured(chosen: list[Benchmark], arguments: argparse.Namespace) -> int:
    """Measure, compare, write."""
    given = {name: folder for name in wanting.DATA if (folder := getattr(arguments, name))}
    session = Session(folder=FOLDER, given=given)
    found, failed = session.run(chosen)
    compared = comparing.all_compared(found)
    if not arguments.dry:
        session.write(found)
    if not failed:
        session.forget(found)
    print(comparing.told(compared))
    return int(failed > 0 or (arguments.check and any(each.is_worse for each in compared)))


def _listed(chosen: list[Benchmark]) -> list[list[str]]:
    lines = [["name", "minutes", "needs", "tables in"]]
    for each in chosen:
        needs = [*each.needs, *(f"--{name.replace('_', '-')}" for name in sorted(each.asked & wanting.DATA.keys()))]
        held = sorted({place.page for place in each.places})
        lines.append([each.name, f"{each.minutes:g}", ", ".join(needs) or "-", ", ".join(held) or "-"])
    return lines


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", nargs="+", choices=list(catalogue()), metavar="NAME", help="of --list")
    actions = parser.add_mutually_exclusive_group()
    actions.add_argument("--dry", action="store_true", help="leave pages and pictures as they are")
    actions.add_argument("--quick", action="store_true", help="small sizes, in place of all data too; writes nothing")
    actions.add_argument("--list", action="store_true", help="say what there is, and run nothing")
    parser.add_argument(
        "--check", action="store_true", help="exit with 1 if a figure is slower by more than noise, or gone"
    )
    for name, what in wanting.DATA.items():
        parser.add_argument(f"--{name.replace('_', '-')}", type=Path, metavar="FOLDER", help=what)
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
