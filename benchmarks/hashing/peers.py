"""What people call today to hash strings, each on the same strings from where its users have them."""

import functools
import importlib
from collections.abc import Callable, Mapping
from typing import Any

import pyarrow as pa
from contests.measure import OURS, Contest, Scale, Target

from polyrank.fingerprint import DEFAULT_SEED, fingerprint

from .data import output, short_strings

Peer = tuple[str, Callable[[Any], Callable[[], object]]]
"""The module to import, and what makes a call out of it."""


def python_loops(scale: Scale) -> Contest:
    """A list of strings, in Python programs."""
    items = short_strings(scale.rows).to_pylist()
    singles = [[item] for item in items]

    def hasher(module: Any) -> Callable[[], object]:
        transform = module.FeatureHasher(input_type="string").transform
        return lambda: transform(singles)

    peers: dict[str, Peer] = {
        "scikit-learn FeatureHasher": ("sklearn.feature_extraction", hasher),
        "mmh3, Python loop": ("mmh3", lambda mmh3: lambda: list(map(mmh3.hash, items))),
        "xxhash, Python loop": (
            "xxhash",
            lambda xxhash: lambda: [xxhash.xxh64_intdigest(item.encode(), DEFAULT_SEED) for item in items],
        ),
    }
    return _contest("list[str]", items, peers)


def polars_series(scale: Scale) -> Contest:
    """String views in polars."""
    import polars as pl

    series = pl.Series("s", short_strings(scale.rows))

    def plugin(module: Any) -> Callable[[], object]:
        hashed = module.col("s").nchash.xxhash64(seed=DEFAULT_SEED)
        return lambda: series.to_frame().select(hashed)

    own = "polars Series.hash"
    peers: dict[str, Peer] = {own: ("polars", lambda _: series.hash), "polars-hash xxhash64": ("polars_hash", plugin)}
    return _contest("polars Series", series, peers, {own: ("within 1.3 x of polars' own hash", 1 / 1.3)})


def pandas_str(scale: Scale) -> Contest:
    """A pandas column of the default string type, which is Arrow's."""
    return _pandas(scale, "str")


def pandas_object(scale: Scale) -> Contest:
    """A pandas column of Python strings, as older versions hold it."""
    return _pandas(scale, "object")


def duckdb_table(scale: Scale) -> Contest:
    """An Arrow table, hashed by a query on one thread."""
    strings = short_strings(scale.rows)
    table = pa.table({"s": strings})

    def query(module: Any) -> Callable[[], object]:
        connection = module.connect(config={"threads": 1})
        connection.register("strings", table)
        return lambda: connection.execute("SELECT hash(s) FROM strings").fetchnumpy()

    return _contest("Arrow", strings, {"DuckDB hash": ("duckdb", query)})


def _pandas(scale: Scale, dtype: str) -> Contest:
    import pandas as pd

    series = pd.Series(short_strings(scale.rows).to_pylist(), dtype=dtype)
    values = series.array if dtype == "str" else series.to_numpy()
    # Without categorize=False it looks for equal strings first: half as fast where all differ.
    hash_array = functools.partial(pd.util.hash_array, values, categorize=False)
    return _contest(f"pandas Series ({dtype})", series, {"pandas hash_array": ("pandas", lambda _: hash_array)})


def _contest(
    kind: str, values: Any, peers: Mapping[str, Peer], closer: Mapping[str, tuple[str, float]] | None = None
) -> Contest:
    """Polyrank against peers that it should be ahead of, or within what `closer` says."""
    out, name = output(len(values)), f"{len(values):,} strings of 6-12 bytes, {kind}"
    contenders: dict[str, Callable[[], object]] = {OURS: lambda: fingerprint(values, dtype="text", out=out)}
    absent = {}
    for peer, (module, make) in peers.items():
        try:
            contenders[peer] = make(importlib.import_module(module))
        except ImportError as err:
            absent[peer] = f"{err}; pip install --group bench"
    targets = []
    for peer in peers:
        text, least = (closer or {}).get(peer, ("ahead", 1.0))
        targets.append(Target(workload=name, text=text, against=peer, least=least))
    return Contest(keys=len(values), contenders=contenders, targets=targets, absent=absent)
