"""How fast fingerprints are, as ratios to what else was measured in the same run on one core: docs/benchmarks.md.

python benchmarks/fingerprint.py                       # every row, a few minutes
python benchmarks/fingerprint.py --quick               # small inputs: that it runs, not how fast it is
python benchmarks/fingerprint.py --only strings table  # some contests
python benchmarks/fingerprint.py --markdown --json build/fingerprint.json
"""

import argparse
import json
import os
import sys
from pathlib import Path

os.environ.setdefault("POLARS_MAX_THREADS", "1")

from hashing import columns, levels, lists, peers, report, tables
from hashing.measure import FULL, QUICK, Row, Scale, cores, medians, pinned, rows_of

CONTESTS = {
    "strings": columns.strings,
    "table": tables.table,
    "int64": columns.integers,
    "decimal": columns.decimal_ids,
    "decimal-any": columns.decimal_any,
    "mixed": columns.mixed,
    "avx2": levels.avx2,
    "scalar": levels.scalar,
    "list": lists.ordered,
    "list-shuffled": lists.shuffled,
    "one-row": tables.one_row,
    "request": tables.request,
    "polars": peers.polars_series,
    "python": peers.python_loops,
    "pandas": peers.pandas_str,
    "pandas-object": peers.pandas_object,
    "duckdb": peers.duckdb_table,
    "threads": tables.threads,
}


def main() -> None:
    """Run the contests and print the table."""
    arguments = _arguments()
    scale = QUICK if arguments.quick else FULL
    facts = report.machine()
    rows: list[Row] = []
    with pinned(cores()[0]):
        for name in arguments.only or CONTESTS:
            print(f"{name} ...", file=sys.stderr, flush=True)
            rows += _rows(name, scale)
    if arguments.json:
        arguments.json.write_text(json.dumps(report.as_json(rows, facts), indent=2) + "\n")
    if arguments.markdown:
        print(report.as_markdown(rows))
    else:
        print(report.describe(facts, scale.rounds), report.as_text(rows), sep="\n\n")


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--quick", action="store_true", help="small inputs and few rounds")
    parser.add_argument("--only", nargs="+", choices=CONTESTS, metavar="NAME", help=f"of {', '.join(CONTESTS)}")
    parser.add_argument("--json", type=Path, metavar="PATH", help="write the outcome here too")
    parser.add_argument("--markdown", action="store_true", help="print the table alone, as in docs/benchmarks.md")
    return parser.parse_args()


def _rows(name: str, scale: Scale) -> list[Row]:
    contest = CONTESTS[name](scale)
    if isinstance(contest, list):  # a level, measured in a process of its own
        return contest
    return rows_of(contest, medians(contest, scale.rounds))


if __name__ == "__main__":
    main()
