"""How fast rows of a Parquet file, and of a request, become the arrays of a model: docs/benchmarks.md.

python benchmarks/encoding.py             # a minute, 2 GB
python benchmarks/encoding.py --quick     # small inputs: that it runs, not how fast it is
python benchmarks/encoding.py --markdown --json build/encoding.json
"""

from contests.command import main
from rows import parquet, requests

CONTESTS = {"one-core": parquet.one_core, "two-cores": parquet.two_cores, "one-dict": requests.one_dict}

if __name__ == "__main__":
    main(__doc__, CONTESTS)
