"""Which columns files have, which of them a schema uses, and which inspector reads each feature."""

import dataclasses
from collections.abc import Iterator, Sequence
from typing import Any, cast

from polyrank.errors import DataError
from polyrank.features import NeighborsFeature
from polyrank.files import Location, Wanted, check_columns, format_of, heads, unified
from polyrank.schema import Schema
from polyrank.spelling import suggestion

from .findings import Finding
from .kinds import Inspector, inspector_of

SHOWN = 8


@dataclasses.dataclass(frozen=True, slots=True)
class DataColumns:
    """The columns of the files that a path stands for.

    Attributes:
        path: of the data.
        files: each file that holds a row, with its Arrow schema.
    """

    path: Location
    files: Sequence[tuple[Location, Any]]

    @property
    def types(self) -> dict[str, Any]:
        """The type that each column has in the first file that has it."""
        return {field.name: field.type for _, schema in reversed(self.files) for field in reversed(schema)}

    @property
    def lacking(self) -> dict[str, Location]:
        """Columns that not every file has, with a file that lacks it; JSON Lines may lack any."""
        with_header = [(file, schema) for file, schema in self.files if format_of(file).has_header]
        names = self.types.keys()
        return {name: file for file, schema in with_header for name in names - set(schema.names)}

    def joined(self) -> Any:
        """Return one Arrow schema for all columns of all files.

        Raises:
            DataError: a column is there twice, or its types have none in common.
        """
        joined = None
        for file, schema in self.files:
            check_columns(file, schema.names, schema.names)
            joined = unified(self.path, schema, joined)
        return joined


def columns_in(path: Location, wanted: Wanted) -> DataColumns:
    """Look at the first rows of each file; one that is read as a whole is read as a whole.

    Raises:
        DataError: there is nothing to read, a file is damaged, or none holds a row.
    """
    files = [(head.file, head.table.schema) for head in heads(path, wanted)]
    if not files:
        raise DataError(f"{path} holds no row; give data with rows")
    return DataColumns(path, files)


def inspectors_of(schema: Schema, present: Sequence[str]) -> list[Inspector]:
    """Return an inspector for each feature that has one and whose columns are there."""
    found = (inspector_of(feature, schema.features) for feature in schema.features)
    return [inspector for inspector in found if inspector is not None and set(inspector.columns) <= set(present)]


def presence_findings(schema: Schema, columns: DataColumns, needed: Sequence[str]) -> Iterator[Finding]:
    """Say what is missing of the columns needed, what is not used, and which kinds of features are not checked."""
    present, lacking = list(columns.types), columns.lacking
    for name in needed:
        if name not in present:
            yield _absent(name, present)
        elif name in lacking:
            message = f"{lacking[name]} lacks this column, which other files have; give files that are alike"
            yield Finding(level="error", check="missing column", column=name, message=message)
    of_columns = (feature for feature in schema.features if not isinstance(feature, NeighborsFeature))
    for feature in (feature for feature in of_columns if inspector_of(feature, schema.features) is None):
        kind = cast("str", type(feature).__struct_config__.tag)
        message = f"the values of this feature of kind {kind!r} are not checked; look at them yourself"
        yield Finding(level="note", check="kind", column=feature.name, message=message)
    unused = [name for name in present if name not in needed]
    if unused:
        shown = ", ".join(unused[:SHOWN]) + (", ..." if len(unused) > SHOWN else "")
        message = f"{len(unused)} columns are not used: {shown}; add those that are known before the outcome"
        yield Finding(level="note", check="unused", message=message)


def _absent(name: str, present: Sequence[str]) -> Finding:
    message = f"the data lack this column{suggestion(name, present)}; correct its name, or take it out of the schema"
    return Finding(level="error", check="missing column", column=name, message=message)
