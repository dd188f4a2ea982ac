"""Random schemas of several features, and rows that fit them."""

import dataclasses
from typing import Any

import pyarrow as pa
from hypothesis import strategies as st

from polyrank.features import CategoricalFeature, CrossFeature, SequenceFeature
from polyrank.schema import Schema
from polyrank.tasks import BinaryTask

from .dense import bucketized, numeric, vector
from .hashed import NUM_BUCKETS, bag, categorical, identity, separated, sequence, text
from .values import Part, cell, exact_integers, integers, lists

KINDS = (categorical, identity, bag, separated, sequence, text, numeric, bucketized, vector)


@dataclasses.dataclass(frozen=True)
class Case:
    """A schema, and rows for it with the Arrow types of their columns."""

    schema: Schema
    types: pa.Schema
    rows: list[dict[str, Any]]

    @property
    def table(self) -> pa.Table:
        """The rows as an Arrow table."""
        return pa.Table.from_pylist(self.rows, self.types)

    def without_empty_text(self) -> "Case":
        """Return the rows as a CSV file holds them: empty text is null there."""
        rows = [{name: None if value == "" else value for name, value in row.items()} for row in self.rows]
        return dataclasses.replace(self, rows=rows)


@st.composite
def cases(draw: st.DrawFn, *, exact: bool = False, csv: bool = False) -> Case:
    """Draw one to six features, what joins them, and one to eight rows.

    `exact` keeps integers to those that floats hold, `csv` features to those that a CSV file can hold.
    """
    kinds, whole = draw(st.lists(st.sampled_from(KINDS), min_size=1, max_size=6)), exact_integers if exact else integers
    parts = [draw(kind(f"é {index}", whole)) for index, kind in enumerate(kinds)]
    parts += draw(_attending(parts))
    parts = [part for part in parts if part.csv or not csv] or [draw(numeric("é", whole))]
    schema = Schema(
        name="random",
        features=(*(part.feature for part in parts), *draw(_crosses(parts))),
        tasks=(BinaryTask(name="click", label="is_click"),),
    )
    row = st.tuples(*(part.cells for part in parts)).map(_merged)
    types = pa.schema([(name, kind) for part in parts for name, kind in part.types.items()])
    return Case(schema, types, draw(st.lists(row, min_size=1, max_size=8)))


def _merged(cells: tuple[dict[str, Any], ...]) -> dict[str, Any]:
    return {name: value for one in cells for name, value in one.items()}


@st.composite
def _attending(draw: st.DrawFn, parts: list[Part]) -> list[Part]:
    """Draw sequences that share the table of a feature of one value."""
    added = []
    for part in parts:
        if isinstance(part.feature, CategoricalFeature) and draw(st.booleans()):
            target, name = part.feature.name, f"history of {part.feature.name}"
            values = part.cells.map(lambda found, target=target: found[target])  # type: ignore[misc]
            feature = SequenceFeature(name=name, shares=target, pooling="attention", max_length=3)
            added.append(Part(feature, {name: pa.list_(part.types[target])}, cell(name, lists(values)), csv=False))
    return added


@st.composite
def _crosses(draw: st.DrawFn, parts: list[Part]) -> list[CrossFeature]:
    names = [part.feature.name for part in parts if isinstance(part.feature, CategoricalFeature)]
    if len(names) < 2:
        return []
    crossed = draw(st.lists(st.sampled_from(names), min_size=2, max_size=3))
    return [CrossFeature(name="cross", features=tuple(crossed), num_buckets=NUM_BUCKETS)]
