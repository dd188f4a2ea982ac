"""SQL that computes fingerprints in a warehouse, equal to the kernel's bit for bit.

Tested against real Spark and real ClickHouse (tests/warehouse). A warehouse that cannot be tested gets no SQL.
"""

from collections.abc import Iterator, Sequence

from polyrank.canonical import new_reading
from polyrank.errors import ConfigError

from .clickhouse import ClickHouse
from .columns import Cross, Hashed, HashedColumn, check_unique
from .dialect import Dialect
from .spark import Spark

TABLE = "your_table"


DIALECTS: dict[str, type[Dialect]] = {"spark": Spark, "clickhouse": ClickHouse}


def statement(dialect: str, columns: Sequence[HashedColumn], crosses: Sequence[Cross] = ()) -> str:
    """Return SQL that selects every column of a table, and a column of fingerprints for each of `columns`.

    Raises:
        ConfigError: the dialect cannot compute the format, or is unknown; there is nothing to hash, or something twice.
    """
    outputs: tuple[Hashed, ...] = (*columns, *crosses)
    check_unique(outputs)
    sql = _dialect(dialect)
    selected = [f"  {expression(column, sql)} AS {sql.name(column.output)}" for column in outputs]
    return sql.preamble + ",\n".join(["SELECT\n  *", *selected]) + f"\nFROM {TABLE};"


def expression(column: Hashed, sql: Dialect) -> str:
    """Return the expression that computes the fingerprint of a column or cross.

    Raises:
        ConfigError: a bag is text that the dialect cannot cut into a list.
    """
    if isinstance(column, HashedColumn) and column.is_bag:
        return sql.each(_lists(column, sql), _one_value([(column, "value")], sql))
    parts = column.parts if isinstance(column, Cross) else (column,)
    return _one_value([(part, sql.name(part.name)) for part in parts], sql)


def _lists(column: HashedColumn, sql: Dialect) -> str:
    name = sql.name(column.name)
    if column.separator is None:
        return name
    cut = None if column.weight_separator is not None else sql.cut(name, column.separator)
    if cut is None:
        what = "with a separator" if column.weight_separator is None else "with weights"
        raise ConfigError(
            f"--sql takes bags that are lists, got {column.name!r}, which is text {what}; "
            f"hash the file with polyrank fingerprint"
        )
    return cut


def _one_value(parts: Sequence[tuple[HashedColumn, str]], sql: Dialect) -> str:
    tests = " ".join(f"WHEN {test} THEN -1" for part, value in parts for test in _missing(part, value, sql))
    return f"CASE {tests} ELSE {sql.fingerprint([(value, part.dtype) for part, value in parts])} END"


def _missing(column: HashedColumn, value: str, sql: Dialect) -> Iterator[str]:
    """Yield the tests for a missing value, in this order: text that is no integer must not reach the cast to one."""
    reading = new_reading(column.dtype, column.missing, column.name)
    if reading.missing:
        yield f"{sql.text(value)} IN ({', '.join(map(sql.literal, sorted(reading.missing)))})"
    yield sql.is_null(value, column.dtype)
    if column.dtype == "int64" and reading.missing_integers:
        yield f"{sql.integer(value)} IN ({', '.join(map(str, sorted(reading.missing_integers)))})"


def _dialect(name: str) -> Dialect:
    if name == "trino":
        raise ConfigError(
            "trino cannot compute these fingerprints: its xxhash64 takes no seed and its integers do not wrap; "
            "hash in Spark, or with polyrank fingerprint before loading"
        )
    if name not in DIALECTS:
        raise ConfigError(f"SQL dialect must be {' or '.join(DIALECTS)}, got {name!r}")
    return DIALECTS[name]()
