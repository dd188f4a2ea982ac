"""Which columns of a file a schema uses, and which inspector reads each."""

from collections.abc import Iterator, Sequence
from typing import cast

from polyrank.batch.columns import HashedColumn
from polyrank.features import CategoricalFeature
from polyrank.schema import Schema
from polyrank.spelling import suggestion

from .findings import Finding
from .kinds import INSPECTORS, Inspector

SHOWN = 8


def inspectors_of(schema: Schema, present: Sequence[str]) -> list[Inspector]:
    """Return an inspector for each feature of a known kind whose column is there."""
    kinds = ((INSPECTORS.get(type(feature)), feature) for feature in schema.features)
    return [new(feature) for new, feature in kinds if new is not None and feature.name in present]


def text_columns(schema: Schema, present: Sequence[str]) -> list[HashedColumn]:
    """Return the columns that CSV gives as they are written, as training reads them."""
    single = (feature for feature in schema.features if isinstance(feature, CategoricalFeature))
    return [HashedColumn(name=one.name, dtype="text") for one in single if one.dtype == "text" and one.name in present]


def presence_findings(schema: Schema, present: Sequence[str]) -> Iterator[Finding]:
    """Say what is missing, what is not used, and which features are of a kind that is not checked."""
    unchecked = [feature for feature in schema.features if type(feature) not in INSPECTORS]
    passed_over = {feature.name for feature in unchecked}
    for name in schema.training_columns:
        if name not in present and name not in passed_over:
            yield _absent(name, present)
    for feature in unchecked:
        kind = cast("str", type(feature).__struct_config__.tag)
        message = f"features of kind {kind!r} are not checked; look at this one yourself"
        yield Finding(level="note", check="kind", column=feature.name, message=message)
    unused = [name for name in present if name not in schema.training_columns]
    if unused:
        shown = ", ".join(unused[:SHOWN]) + (", ..." if len(unused) > SHOWN else "")
        message = f"{len(unused)} columns are not used: {shown}; add those that are known before the outcome"
        yield Finding(level="note", check="unused", message=message)


def _absent(name: str, present: Sequence[str]) -> Finding:
    message = f"the data lack this column{suggestion(name, present)}; correct its name, or take it out of the schema"
    return Finding(level="error", check="missing column", column=name, message=message)
