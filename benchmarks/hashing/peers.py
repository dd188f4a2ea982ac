"""What people call today to hash strings, each on the same strings from where its users have them."""

import importlib
from collections.abc import Callable, Mapping
from typing import Any

import pyarrow as pa

from polyrank.fingerprint import DEFAULT_SEED, fingerprint

from .data import output, short_strings
from .measure import OURS, Contest, Scale, Target

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
        "mmh3, Python loop": ("mmh3", lambda mmh3: lambda: [mmh3.hash(item) for item in items]),
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


def pandas_series(scale: Scale) -> Contest:
    """A pandas column of its default string type."""
    import pandas as pd

    series = pd.Series(short_strings(scale.rows).to_pandas(), dtype="str")
    array = series.array
    peers: dict[str, Peer] = {"pandas hash_array": ("pandas", lambda pandas: lambda: pandas.util.hash_array(array))}
    return _contest("pandas Series", series, peers)


def duckdb_table(scale: Scale) -> Contest:
    """An Arrow table, hashed by a query on one thread."""
    strings = short_strings(scale.rows)
    table = pa.table({"s": strings})

    def query(module: Any) -> Callable[[], object]:
        connection = module.connect(config={"threads": 1})
        connection.register("strings", table)
        return lambda: connection.execute("SELECT hash(s) FROM strings").fetchnumpy()

    return _contest("Arrow", strings, {"DuckDB hash": ("duckdb", query)})


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
