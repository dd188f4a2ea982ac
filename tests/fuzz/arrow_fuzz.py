"""Random Arrow data against the extension for a given time, compared with the pure-Python reference.

Usage: arrow_fuzz.py [--seconds 600] [--seed 0]. With POLYRANK_SANITIZED_NATIVE and a sanitizer's runtime preloaded, as
`make fuzz` runs it, the extension under test watches its memory. A wrong answer prints the case that repeats it; after
a crash, the first seed, printed at the start, runs the same cases again.
"""

import argparse
import os
import sys
import time
from collections import Counter
from pathlib import Path
from random import Random
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))
if "POLYRANK_SANITIZED_NATIVE" in os.environ:
    import native.sanitized_native  # noqa: F401 (puts that extension in place)

import numpy as np
import pyarrow as pa
from fuzz.hostile_arrays import hostile_array
from fuzz.random_columns import TOKENS, random_array, random_column, random_lists
from fuzz.table_checks import check_hostile_table, check_ngrams, check_table
from reference import fingerprint_v1 as reference

from polyrank import _native
from polyrank.encoder import Encoder
from polyrank.errors import DataError
from polyrank.features import BagFeature, Dtype
from polyrank.fingerprint import fingerprint, fingerprint_cross
from polyrank.schema import Schema
from polyrank.tasks import BinaryTask

DTYPES: tuple[Dtype, Dtype] = ("text", "int64")


def check_column(source: Random) -> str:
    """Compare a column's fingerprints, or its refusal, with the reference's."""
    column, dtype, missing = random_column(source), source.choice(DTYPES), source.sample(TOKENS, source.randrange(3))
    expected = _expected(column.to_pylist(), dtype, missing)
    try:
        actual = fingerprint(column, dtype=dtype, missing=missing).tolist()
    except DataError:
        assert expected is None, f"refused: {column.type} under {dtype}, missing {missing}: {column.to_pylist()}"
        return "columns refused"
    assert actual == expected, f"differs: {column.type} under {dtype}, missing {missing}: {column.to_pylist()}"
    return "columns"


def check_cross(source: Random) -> str:
    """Compare a cross of two or three columns with the reference's."""
    size = source.randrange(30)
    parts = [random_array(source, size) for _ in range(source.choice([2, 3]))]
    dtypes = [source.choice(DTYPES) for _ in parts]
    rows = zip(*(part.to_pylist() for part in parts), strict=True)
    try:
        expected = [reference.cross(list(zip(row, dtypes, strict=True))) for row in rows]
    except ValueError:
        return "crosses skipped"
    # A part that is refused may lie behind a missing one, where the reference stops.
    if any(_expected(part.to_pylist(), dtype, ()) is None for part, dtype in zip(parts, dtypes, strict=True)):
        return "crosses skipped"
    assert fingerprint_cross(parts, dtypes=dtypes).tolist() == expected, f"differs: {parts} under {dtypes}"
    return "crosses"


def check_lists(source: Random) -> str:
    """Compare a bag's slots with the reference's."""
    lists, dtype, max_length = (
        random_lists(source, source.randrange(1, 30)),
        source.choice(DTYPES),
        source.randrange(1, 9),
    )
    feature = BagFeature(name="bag", max_length=max_length, dtype=dtype, num_buckets=9)
    schema = Schema(name="fuzz", features=(feature,), tasks=(BinaryTask(name="y", label="label"),))
    rows = lists.to_pylist()
    heads = [_expected((values or [])[:max_length], dtype, ()) for values in rows]
    wholes = [_expected(values or [], dtype, ()) for values in rows]
    try:
        actual = Encoder(schema).encode(pa.table({"bag": lists})).ids.tolist()
    except DataError:
        assert None in wholes, f"refused: {lists.type} under {dtype}: {rows}"
        return "bags refused"
    assert None not in heads, f"not refused: {lists.type} under {dtype}: {rows}"
    padded = [[*head, *[-1] * (max_length - len(head))] for head in heads if head is not None]
    assert actual == padded, f"differs: {lists.type} under {dtype}, {max_length} slots: {rows}"
    return "bags"


def check_hostile(source: Random) -> str:
    """Give the extension a struct that contradicts itself: an error or an answer, and the array released once."""
    array = hostile_array(source)
    out = source.choice([None, np.empty(max(array.array.length, 0), np.int64)])
    try:
        _native.fingerprint(array, source.choice(DTYPES), reference.SEED, (), lambda _value, _row: None, out)
    except (ValueError, UnicodeDecodeError):
        outcome = "hostile structs refused"
    else:
        outcome = "hostile structs hashed"
    assert array.releases <= 1, "released twice"
    return outcome


def _expected(values: list[Any], dtype: str, missing: Any) -> list[int] | None:
    try:
        plain = [float(value) if isinstance(value, np.float16) else value for value in values]
        return [reference.fingerprint(value, dtype, missing=missing) for value in plain]
    except ValueError:
        return None


def main() -> int:
    """Run cases until the time is over, and print how many of each kind there were."""
    parser = argparse.ArgumentParser(description="Fuzz the extension with Arrow data.")
    parser.add_argument("--seconds", type=float, default=600.0)
    parser.add_argument("--seed", type=int, default=0, help="of the first case; the next has the next")
    args = parser.parse_args()
    print(f"arrow_fuzz: from --seed {args.seed}", file=sys.stderr, flush=True)
    counts: Counter[str] = Counter()
    checks = (
        *(check_column, check_cross, check_lists, check_hostile),
        *(check_table, check_ngrams, check_table, check_hostile_table, check_hostile_table),
    )
    end, seed = time.monotonic() + args.seconds, args.seed
    while time.monotonic() < end:
        check = checks[seed % len(checks)]
        try:
            counts[check(Random(seed))] += 1
        except BaseException:
            print(f"arrow_fuzz: case {seed} ({check.__name__}) failed; --seed {seed} repeats it", file=sys.stderr)
            raise
        seed += 1
    report = ", ".join(f"{counts[kind]:,} {kind}" for kind in sorted(counts))
    print(f"arrow_fuzz: {seed - args.seed:,} cases: {report}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
