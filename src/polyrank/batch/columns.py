"""Which columns are hashed, how, and what the columns of their fingerprints are called."""

import csv
import dataclasses
from collections.abc import Sequence
from typing import cast

from polyrank.errors import ConfigError
from polyrank.features import BagFeature, CategoricalFeature, CrossFeature, Dtype, SharingFeature
from polyrank.schema import Schema
from polyrank.spelling import suggestion

SUFFIX = "_fingerprint"
_EXAMPLE = "as in '\"a,b\",city'"


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class HashedColumn:
    """A column to hash: a value in each row or, for a bag, a list of values, or text that separators cut into one."""

    name: str
    dtype: Dtype
    missing: tuple[str, ...] = ()
    is_bag: bool = False
    separator: str | None = None
    weight_separator: str | None = None

    @property
    def output(self) -> str:
        """The name of the column of fingerprints."""
        return self.name + SUFFIX


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class Cross:
    """Columns that are hashed together, in order, as one value; `name` is `a_x_b` where it is left out."""

    parts: tuple[HashedColumn, ...]
    name: str | None = None

    @property
    def output(self) -> str:
        """The name of the column of fingerprints."""
        return (self.name or "_x_".join(part.name for part in self.parts)) + SUFFIX


Hashed = HashedColumn | Cross


def hashed_columns(schema: Schema) -> tuple[HashedColumn, ...]:
    """Return the categorical, bag and sequence features of a schema that are hashed, in its order."""
    features = (feature for feature in schema.resolved().features if isinstance(feature, SharingFeature))
    return tuple(_column_of(feature) for feature in features if not feature.identity)


def hashed_crosses(schema: Schema) -> tuple[Cross, ...]:
    """Return the crosses of a schema, in its order."""
    features = schema.resolved().features
    columns = {feature.name: _column_of(feature) for feature in features if isinstance(feature, CategoricalFeature)}
    return tuple(
        Cross(parts=tuple(columns[name] for name in feature.features), name=feature.name)
        for feature in features
        if isinstance(feature, CrossFeature)
    )


def _column_of(feature: SharingFeature) -> HashedColumn:
    return HashedColumn(
        name=feature.name,
        dtype=cast("Dtype", feature.dtype),
        missing=feature.missing,
        is_bag=not isinstance(feature, CategoricalFeature),
        separator=feature.separator if isinstance(feature, BagFeature) else None,
        weight_separator=feature.weight_separator if isinstance(feature, BagFeature) else None,
    )


def parse_column(text: str, *, is_bag: bool = False) -> HashedColumn:
    """Read `NAME:DTYPE`.

    Raises:
        ConfigError: it has another form, or another dtype than `text` and `int64`.
    """
    name, _, dtype = text.rpartition(":")
    if not name or dtype not in ("text", "int64"):
        raise ConfigError(f"a column must be NAME:text or NAME:int64, got {text!r}")
    return HashedColumn(name=name, dtype=cast("Dtype", dtype), is_bag=is_bag)


def parse_cross(text: str, columns: Sequence[HashedColumn]) -> Cross:
    """Read `NAME,NAME,...`, each the name of one of `columns`; as in CSV, a name with a comma is in double quotes.

    Raises:
        ConfigError: it names fewer than two columns, an unknown one, or a bag.
    """
    names = _split(text)
    known = {column.name: column for column in columns}
    if len(names) < 2:  # noqa: PLR2004 (a cross of one is no cross)
        raise ConfigError(f"a cross must name at least two columns, as in user_id,city, got {text!r}")
    for name in names:
        if name not in known:
            remedy = _quoting(name, list(known)) or suggestion(name, list(known))
            raise ConfigError(f"a cross takes hashed columns only, got {name!r}{remedy}")
        if known[name].is_bag:
            raise ConfigError(f"a cross takes single values, got the bag {name!r}")
    return Cross(parts=tuple(known[name] for name in names))


def _quoting(name: str, known: Sequence[str]) -> str:
    """Return the advice to quote a column's name, where `name` looks like a part of it."""
    whole = next((each for each in known if "," in each and name in each.split(",")), None)
    return "" if whole is None else f"; write the name {whole!r} in double quotes, {_EXAMPLE}"


def _split(text: str) -> list[str]:
    try:
        return next(csv.reader([text], strict=True), [])
    except csv.Error as err:
        raise ConfigError(f"a cross must be names with commas between them, quoted {_EXAMPLE}, got {text!r}") from err


def check_unique(columns: Sequence[Hashed]) -> None:
    """Raise `ConfigError` where two columns of fingerprints would have one name, or there is none."""
    if not columns:
        raise ConfigError("nothing to hash: the schema has no categorical or bag feature")
    outputs = [column.output for column in columns]
    for output in outputs:
        if outputs.count(output) > 1:
            raise ConfigError(f"each column and cross must be given once, got {output.removesuffix(SUFFIX)!r} twice")
