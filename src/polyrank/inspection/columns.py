"""Which columns of a file a schema uses, and which inspector reads each."""

from collections.abc import Iterator, Sequence
from typing import cast

from polyrank.batch.columns import HashedColumn
from polyrank.features import CategoricalFeature, NeighborsFeature
from polyrank.schema import Schema
from polyrank.spelling import suggestion

from .findings import Finding
from .kinds import Inspector, inspector_of

SHOWN = 8


def inspectors_of(schema: Schema, present: Sequence[str]) -> list[Inspector]:
    """Return an inspector for each feature that has one and whose column is there."""
    found = (inspector_of(feature) for feature in schema.features if feature.name in present)
    return [inspector for inspector in found if inspector is not None]


def text_columns(schema: Schema, present: Sequence[str]) -> list[HashedColumn]:
    """Return the columns that CSV gives as they are written, as training reads them."""
    single = (feature for feature in schema.features if isinstance(feature, CategoricalFeature))
    return [HashedColumn(name=one.name, dtype="text") for one in single if one.dtype == "text" and one.name in present]


def presence_findings(schema: Schema, present: Sequence[str]) -> Iterator[Finding]:
    """Say what is missing, what is not used, and which features are of a kind that is not checked."""
    for name in schema.training_columns:
        if name not in present:
            yield _absent(name, present)
    of_columns = (feature for feature in schema.features if not isinstance(feature, NeighborsFeature))
    for feature in (feature for feature in of_columns if inspector_of(feature) is None):
        kind = cast("str", type(feature).__struct_config__.tag)
        message = f"the values of this feature of kind {kind!r} are not checked; look at them yourself"
        yield Finding(level="note", check="kind", column=feature.name, message=message)
    unused = [name for name in present if name not in schema.training_columns]
    if unused:
        shown = ", ".join(unused[:SHOWN]) + (", ..." if len(unused) > SHOWN else "")
        message = f"{len(unused)} columns are not used: {shown}; add those that are known before the outcome"
        yield Finding(level="note", check="unused", message=message)


def _absent(name: str, present: Sequence[str]) -> Finding:
    message = f"the data lack this column{suggestion(name, present)}; correct its name, or take it out of the schema"
    return Finding(level="error", check="missing column", column=name, message=message)
