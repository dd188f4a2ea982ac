"""Embedding tables beside the values that enter them."""

from collections.abc import Iterator, Sequence
from functools import reduce

import numpy as np

from .collisions import table_of
from .findings import Finding, Table
from .kinds import Inspector

MANY_COLLISIONS = 0.5
EMPTY_LOAD, LARGE_TABLE = 0.01, 10_000


def tables_of(inspectors: Sequence[Inspector]) -> dict[str, Table]:
    """Return each hashed feature's table, with the values of all features that share it."""
    hashed = [inspector for inspector in inspectors if inspector.distinct is not None]
    tables: dict[str, Table] = {}
    for owner in {inspector.feature.table: None for inspector in hashed}:
        users = [inspector for inspector in hashed if inspector.feature.table == owner]
        values = reduce(np.union1d, [user.distinct.values for user in users if user.distinct is not None])
        feature = users[0].feature
        table = table_of(values, feature.num_buckets, is_hashed=not getattr(feature, "identity", False))
        tables |= {user.feature.name: table for user in users}
    return tables


def table_findings(inspectors: Sequence[Inspector], tables: dict[str, Table]) -> Iterator[Finding]:
    """Judge each table once, under the name of the feature that it belongs to."""
    owners = {inspector.feature.table for inspector in inspectors if inspector.distinct is not None}
    for name, table in tables.items():
        if name in owners:
            yield from _judged(name, table)


def _judged(name: str, table: Table) -> Iterator[Finding]:
    share = max(table.expected_collisions, table.collisions)
    values = f"{table.distinct:,} distinct values in {table.num_buckets:,} buckets"
    if share > MANY_COLLISIONS:
        yield Finding(
            level="warning",
            check="collisions",
            column=name,
            message=f"{values}: {share:.0%} of them share one; set num_buckets = {table.suggested_buckets}",
        )
    elif table.num_buckets >= LARGE_TABLE and table.distinct < EMPTY_LOAD * table.num_buckets:
        message = f"{values}: fewer would do, if no more values are to come"
        yield Finding(level="note", check="table size", column=name, message=message)
