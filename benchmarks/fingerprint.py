"""How fast fingerprints are, as ratios to what else was measured in the same run on one core: docs/benchmarks.md.

python benchmarks/fingerprint.py                       # every row, a few minutes
python benchmarks/fingerprint.py --quick               # small inputs: that it runs, not how fast it is
python benchmarks/fingerprint.py --only strings table  # some contests
python benchmarks/fingerprint.py --markdown --json build/fingerprint.json
"""

import os

os.environ.setdefault("POLARS_MAX_THREADS", "1")

from contests.command import main
from hashing import columns, levels, lists, peers, tables

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

if __name__ == "__main__":
    main(__doc__, CONTESTS)
