"""What fingerprints stand for: the values themselves, looked up in the data."""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from polyrank.features import BagFeature, CrossFeature, HashedFeature, SequenceFeature, TextFeature
from polyrank.files import Location, Wanted, scan
from polyrank.fingerprint import fingerprint
from polyrank.inspection.encoding import FeatureEncoder
from polyrank.preparation import prepared
from polyrank.schema import Schema, columns_for
from polyrank.table.lists import flatten

Names = dict[str, dict[int, str]]


def name_values(schema: Schema, paths: Sequence[Location], sought: Mapping[str, set[int]], wanted: Wanted) -> Names:
    """Look for values in data sets, one after another, until all are found; the n-grams of texts have no name.

    Args:
        schema: of the features.
        paths: of the data sets.
        sought: fingerprints by feature.
        wanted: how files are read.

    Returns:
        Texts by fingerprint, by feature.
    """
    names: Names = {}
    lookers: list[_Looker] = []
    for feature in schema.hashed_features:
        if feature.name not in sought or isinstance(feature, TextFeature):
            continue
        if not isinstance(feature, CrossFeature) and feature.identity:
            names[feature.name] = {value: str(value) for value in sought[feature.name]}
            continue
        lookers.append(_Looker(feature, schema, set(sought[feature.name])))
    for path in paths:
        _look(path, [looker for looker in lookers if looker.sought], wanted)
    return names | {looker.feature.name: looker.names for looker in lookers}


def _look(path: Location, lookers: Sequence["_Looker"], wanted: Wanted) -> None:
    columns = columns_for([looker.feature for looker in lookers])
    if not columns:
        return
    for piece in scan(path, dataclasses.replace(wanted, columns=columns)):
        present = {name: piece.table.column(name) for name in columns}
        for looker in lookers:
            if looker.sought:
                looker.look(present)
        if not any(looker.sought for looker in lookers):
            return


class _Looker:
    """Looks for the values of a feature.

    Attributes:
        sought: fingerprints that have no name yet.
        names: of those that have.
    """

    def __init__(self, feature: HashedFeature, schema: Schema, sought: set[int]) -> None:
        self.feature, self.sought = feature, sought
        self.names: dict[int, str] = {}
        self._encoder = FeatureEncoder(feature, schema.features)

    def look(self, columns: Mapping[str, Any]) -> None:
        """Look among the next rows."""
        if isinstance(self.feature, BagFeature | SequenceFeature):
            self._note(*self._listed(columns))
        else:
            found = self._encoder.values(columns)
            self._note(found.fingerprints, _Rows([columns[name] for name in self.feature.columns], found.rows))

    def _listed(self, columns: Mapping[str, Any]) -> tuple[NDArray[np.int64], "_Rows"]:
        feature = self.feature
        assert isinstance(feature, BagFeature | SequenceFeature)  # noqa: S101 (this tells the type checker)
        assert feature.dtype is not None  # noqa: S101 (of a resolved schema)
        _, values = flatten(feature.name, prepared(feature, columns)[feature.name], "a bag takes lists")
        prints = fingerprint(values, dtype=feature.dtype, missing=feature.missing, column=feature.name)
        return prints, _Rows([values], np.arange(len(prints)))

    def _note(self, prints: NDArray[np.int64], rows: "_Rows") -> None:
        places = np.flatnonzero(np.isin(prints, np.fromiter(self.sought, np.int64)))
        found, first = np.unique(prints[places], return_index=True)
        for value, place in zip(found.tolist(), places[first], strict=True):
            self.names[value] = rows.text(int(place))
            self.sought.discard(value)


@dataclasses.dataclass(frozen=True)
class _Rows:
    columns: Sequence[Any]
    places: NDArray[np.int64]

    def text(self, index: int) -> str:
        return " x ".join(_text(column[int(self.places[index])]) for column in self.columns)


def _text(cell: Any) -> str:
    value = cell.as_py() if hasattr(cell, "as_py") else cell
    if isinstance(value, bytes):
        return value.decode(errors="replace")
    return f"{value:.0f}" if isinstance(value, float) else str(value)
