"""What a training step does to an embedding table, beside what others do: docs/benchmarks.md.

python benchmarks/embedding_rows.py                       # a minute, 5 GB
python benchmarks/embedding_rows.py --only 1000000x13312  # a table of a million rows, batches that name 13,312 of them
python benchmarks/embedding_rows.py --quick               # small tables: that it runs, not how fast it is
"""

import functools

from contests.command import main
from lookups.contest import one_table

CONTESTS = {
    f"{num_rows}x{batch}": functools.partial(one_table, num_rows=num_rows, batch=batch)
    for num_rows in (10_000, 1_000_000, 20_000_000)
    for batch in (8_192, 13_312, 65_536)
}

if __name__ == "__main__":
    main(__doc__, CONTESTS)
