"""Items to rank, encoded once and kept."""

import threading
from collections.abc import Iterable, Mapping
from collections.abc import Set as AbstractSet
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from polyrank.arguments import named, shown
from polyrank.encoder import Batch, Encoder, slot_layout
from polyrank.errors import ConfigError, DataError
from polyrank.halves import item_features
from polyrank.rows import Column, Rows, columns_of, num_rows
from polyrank.schema import Schema, columns_for
from polyrank.signature import SCORE
from polyrank.spelling import suggestion

from .served import Served

ITEM = "item"
"""Column of answers that says where an item is in its table."""

if TYPE_CHECKING:
    import pyarrow as pa


class Items:
    """A table of items in the form in which requests send them; `Ranker.items` makes it.

    It holds the columns that it was made of too, and encodes them anew when a version with other features goes live.
    Safe to share between threads and rankers of the same model.

    Attributes:
        served: the version that they were last asked for.
    """

    def __init__(self, rows: Rows, key: str | None, served: Served) -> None:
        if key is not None and not isinstance(key, str):
            raise ConfigError(f"key must be the name of a column, got {named(key)}")
        schema = served.signature.schema
        names = own_columns(schema, served.mixed_crosses)
        wanted = dict.fromkeys((*names, key)) if key is not None else dict.fromkeys(names)
        if not names:
            raise DataError(f'model {served.model!r} has no feature of items; set side = "item" in its schema')
        self._columns = columns_of(rows, list(wanted))
        self._rest = rows if hasattr(rows, "column_names") else None
        self._key = key
        self._lock = threading.Lock()
        self._encoded: tuple[bytes, Batch] | None = None
        self.served = served
        self._places: dict[Any, list[int]] | None = None
        self.encoded(served)

    def __len__(self) -> int:
        """Return N, the number of items."""
        return num_rows(self._columns)

    @property
    def key(self) -> str | None:
        """The column that names items in answers."""
        return self._key

    @property
    def key_type(self) -> "pa.DataType | None":
        """Arrow's type of the keys; None without a key, or where its values have no one type."""
        column = self._columns[self._key] if self._key is not None else []
        return None if isinstance(column, list) else column.type

    def column(self, name: str) -> Column:
        """Return one of the columns that they were made of."""
        return self._columns[name]

    def keys(self, places: NDArray[np.int64]) -> "pa.Array":
        """Return the keys of items by their place in the table."""
        import pyarrow as pa

        column = self._columns[str(self._key)]
        if isinstance(column, list):
            return pa.array([column[place] for place in places])
        taken = column.take(pa.array(places))
        return taken.combine_chunks() if isinstance(taken, pa.ChunkedArray) else taken

    def places_of(self, keys: Iterable[Any]) -> NDArray[np.int64]:
        """Return where the items of these keys are, int64; keys that no item has are passed over.

        Raises:
            DataError: the items were made without a key.
        """
        if isinstance(keys, str | bytes) or not isinstance(keys, Iterable):
            raise DataError(f"exclude must be a list or column of keys, got {shown(keys)}")
        if self._key is None:
            raise DataError("excluding items needs their key; make them with ranker.items(rows, key=COLUMN)")
        keys = [_hashable(_plain(key)) for key in keys]
        self._check_type(keys)
        if self._places is None:
            places: dict[Any, list[int]] = {}
            column = self._columns[self._key]
            for place, value in enumerate(column if isinstance(column, list) else column.to_pylist()):
                places.setdefault(_hashable(value), []).append(place)
            self._places = places
        found = [place for key in keys for place in self._places.get(key, ())]
        return np.array(found, np.int64)

    def _check_type(self, keys: list[Any]) -> None:
        """Refuse keys that no item can have, such as text where keys are numbers."""
        import pyarrow as pa

        kind = self.key_type
        if kind is None:
            return
        try:
            found = pa.array(keys, kind)
            is_same = not pa.types.is_integer(kind) or found.to_pylist() == keys  # Arrow cuts 1.5 to 1
        except (pa.ArrowException, TypeError, OverflowError):
            is_same = False
        if not is_same:
            raise DataError(f"exclude must be keys of type {kind}, as {self._key!r} has them, got {shown(keys)}")

    def encoded(self, served: Served) -> Batch:
        """Return the items' half of rows: ids int64 (N, S'), dense float32 (N, D') and weights float32 (N, W').

        Slots of crosses with features of the user are left at -1; `crossed` fills them in.
        """
        self.served = served
        found = self._encoded
        if found is not None and found[0] == served.wire:
            return found[1]
        with self._lock:
            found = self._encoded
            if found is None or found[0] != served.wire:
                self._check_key(served)
                found = (served.wire, self._encode(served.signature.schema, served.mixed_crosses))
                self._encoded = found
        return found[1]

    def crossed(self, served: Served, user: Mapping[str, Any]) -> Batch:
        """Return the items' half for one user: `encoded`, with the crosses of user and item.

        Raises:
            DataError: the user lacks a feature of a cross.
        """
        batch, crosses = self.encoded(served), served.mixed_crosses
        if not crosses:
            return batch
        schema = served.signature.schema
        encoder = Encoder(schema, features=crosses)
        columns = self._columns | {name: _repeated(user[name], len(self)) for name in encoder.columns if name in user}
        for name in encoder.columns:
            if name not in columns:
                meant = suggestion(name, list(user))
                raise DataError(f"the user lacks {name!r}, which a cross of the model needs{meant}")
        ids = batch.ids.copy()
        ids[:, _columns_of(schema, crosses)] = encoder.encode_columns(columns).ids
        return Batch(ids, batch.dense, batch.weights)

    def _check_key(self, served: Served) -> None:
        if self._key in (ITEM, SCORE, *served.widths):
            raise DataError(f"key {self._key!r} has the name of a column of answers; rename it in the table of items")

    def _encode(self, schema: Schema, crosses: frozenset[str]) -> Batch:
        names = item_features(schema)
        needed = own_columns(schema, crosses)
        if missing := [name for name in needed if name not in self._columns]:
            if self._rest is None:
                raise DataError(
                    f"the version that is live now needs column {missing[0]!r} of items, which they were made without; "
                    "make them anew: ranker.items(rows)"
                )
            self._columns |= columns_of(self._rest, missing)
        batch = Encoder(schema, features=names - crosses).encode_columns(self._columns)
        if not crosses:
            return batch
        ids = np.full((len(self), _width(schema, names)), -1, np.int64)
        ids[:, _columns_of(schema, names - crosses)] = batch.ids
        return Batch(ids, batch.dense, batch.weights)


def own_columns(schema: Schema, crosses: AbstractSet[str]) -> tuple[str, ...]:
    """Name the columns that items alone are encoded from."""
    own = item_features(schema) - crosses
    return columns_for([feature for feature in schema.features if feature.name in own])


def _columns_of(schema: Schema, features: AbstractSet[str]) -> list[int]:
    """Return the columns of features in the ids of the items' half."""
    layout = slot_layout(schema, item_features(schema))
    return [column for place in layout if place.feature.name in features for column in range(place.start, place.stop)]


def _width(schema: Schema, names: set[str]) -> int:
    layout = slot_layout(schema, names)
    return layout[-1].stop if layout else 0


def _repeated(value: Any, count: int) -> Column:
    import pyarrow as pa

    try:
        return pa.repeat(pa.scalar(value), count)
    except (pa.ArrowException, NotImplementedError):
        return [value] * count


def _plain(value: Any) -> Any:
    """Return a Python value, of an Arrow or numpy scalar too."""
    if hasattr(value, "as_py"):
        return value.as_py()
    return value.item() if isinstance(value, np.generic) else value


def _hashable(key: Any) -> Any:
    """Return a key that dicts take.

    Raises:
        DataError: it is a list, or another value that may change.
    """
    try:
        hash(key)
    except TypeError as err:
        raise DataError(f"a key of items must be a plain value, got {shown(key)}") from err
    return key
