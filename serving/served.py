"""What a server says of a model, and what a client makes of it."""

import dataclasses
import functools
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import msgspec

from polyrank.encoder import Encoder
from polyrank.errors import RequestError
from polyrank.features import CrossFeature
from polyrank.halves import Half, halves_of, item_features
from polyrank.signature import RAW_SUFFIX, SIGNATURE_KEY, Signature

from .origins import MODEL, RUN_ID, VERSION

if TYPE_CHECKING:
    import pyarrow as pa

# Rows of one request over items: its tensors stay within a few MB, and several requests use several instances.
ITEMS_IN_A_REQUEST = 8192


@dataclasses.dataclass(frozen=True, eq=False)
class Served:
    """A version of a model.

    Attributes:
        model: its name.
        version: its number.
        signature: schema, layout and origin.
        max_rows: rows or items that one request takes.
        versions: numbers of all versions that are live, the newest last.
    """

    model: str
    version: str
    signature: Signature
    max_rows: int
    versions: tuple[str, ...] = ()
    _schemas: "dict[object, pa.Schema]" = dataclasses.field(default_factory=dict)

    @functools.cached_property
    def wire(self) -> bytes:
        """All that a client goes by, equal for versions that take and give the same tensors."""
        return msgspec.json.encode(self.signature.wire())

    @functools.cached_property
    def encoder(self) -> Encoder:
        """Of whole rows."""
        return Encoder(self.signature.schema)

    @functools.cached_property
    def halves(self) -> tuple[Half, Half]:
        """Where the columns of users with contexts, and of items, lie in whole rows."""
        return halves_of(self.signature.schema)

    @functools.cached_property
    def user_encoder(self) -> Encoder | None:
        """Of the half of users and context; None where no feature is of it."""
        user = self.halves[0]
        names = {place.feature.name for place in user.slots} | {columns.feature.name for columns in user.dense}
        return Encoder(self.signature.schema, features=names) if names else None

    @functools.cached_property
    def widths(self) -> dict[str, int]:
        """Columns of each output of a task; a model of an earlier version of Polyrank may have fewer outputs."""
        outputs = {name: width for task in self.signature.schema.tasks for name, width in task.outputs.items()}
        return {name: width for name, width in outputs.items() if name in self.signature.outputs}

    @functools.cached_property
    def weighted(self) -> tuple[str, ...]:
        """Tasks with one answer, which a score combines."""
        request = self.signature.request
        names = (task.name for task in self.signature.schema.tasks if task.num_answers == 1)
        return tuple(names) if request is None else request.weighted

    @functools.cached_property
    def answers(self) -> "pa.Schema":
        """The columns of scores, and in the metadata whose they are."""
        import pyarrow as pa

        fields = [(name, _type(width)) for name, width in self.widths.items()]
        return pa.schema(fields, metadata=self.metadata)

    def answers_after(self, names: tuple[str, ...], types: "tuple[pa.DataType, ...]") -> "pa.Schema":
        """Return the columns of scores after others; made once, since that takes longer than a table."""
        found = self._schemas.get((names, types))
        if found is None:
            import pyarrow as pa

            first = [pa.field(name, kind) for name, kind in zip(names, types, strict=True)]
            found = pa.schema([*first, *self.answers], metadata=self.metadata)
            self._schemas[names, types] = found
        return found

    @functools.cached_property
    def mixed_crosses(self) -> frozenset[str]:
        """Crosses of the items' half that have a part of the user's."""
        features = self.signature.schema.features
        items = item_features(self.signature.schema)
        crosses = [feature for feature in features if isinstance(feature, CrossFeature) and feature.name in items]
        return frozenset(cross.name for cross in crosses if not items.issuperset(cross.features))

    @functools.cached_property
    def metadata(self) -> dict[str, str]:
        """Whose scores are: model, version and training run."""
        return {MODEL: self.model, VERSION: self.version, RUN_ID: self.signature.run_id}

    def like(self, other: "Served") -> "Served":
        """Return this version with what another of the same wire has prepared already."""
        for name in ("encoder", "halves", "user_encoder", "mixed_crosses", "wire"):
            if name in other.__dict__:
                self.__dict__[name] = other.__dict__[name]
        return self


class _Value(msgspec.Struct):
    string_value: str = ""


class _Parameters(msgspec.Struct):
    parameters: dict[str, _Value] = {}


def signature_in(config: Mapping[str, Any], place: str) -> Signature:
    """Return the signature in the configuration of a model.

    Raises:
        RequestError: there is none.
        RepositoryError: it is of another version of Polyrank.
    """
    try:
        parameters = msgspec.convert(config, _Parameters).parameters
    except msgspec.ValidationError as err:
        raise RequestError(f"{place}: the configuration that the server gives is not Triton's: {err}") from err
    if SIGNATURE_KEY not in parameters:
        raise RequestError(
            f"{place} has no Polyrank signature; publish it with: polyrank publish, or, where its name ends in "
            f"{RAW_SUFFIX!r}, name the model without that"
        )
    return _signature(parameters[SIGNATURE_KEY].string_value)


@functools.lru_cache(maxsize=8)
def _signature(text: str) -> Signature:
    """Read a signature; servers, and versions of a model, often have the same."""
    return Signature.from_json(text)


def _type(width: int) -> "pa.DataType":
    import pyarrow as pa

    return pa.float32() if width == 1 else pa.list_(pa.float32(), width)
