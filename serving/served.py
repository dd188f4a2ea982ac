"""What a server says of a model, and what a client makes of it."""

import dataclasses
import functools
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Annotated, Any

import msgspec

from polyrank.encoder import Encoder
from polyrank.errors import ConfigError, ModelNotReadyError, RequestError, ServerUnavailableError
from polyrank.features import CrossFeature
from polyrank.halves import Half, halves_of, item_features
from polyrank.signature import RAW_SUFFIX, REQUEST_SUFFIX, SIGNATURE_KEY, Signature

from .caller import Caller, Deadline
from .calls import CONFIG, INDEX, METADATA
from .endpoints import Endpoint
from .waiting import Signal

if TYPE_CHECKING:
    import pyarrow as pa

# Rows of one request over items: its tensors stay within a few MB, and several requests use several instances.
ITEMS_IN_A_REQUEST = 8192
_LOOK_S = 0.05
"""Between two looks whether another call has read a model: its signal may be given just before one waits for it."""


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
        return {
            "polyrank.model": self.model,
            "polyrank.version": self.version,
            "polyrank.run_id": self.signature.run_id,
        }

    def like(self, other: "Served") -> "Served":
        """Return this version with what another of the same wire has prepared already."""
        for name in ("encoder", "halves", "user_encoder", "mixed_crosses", "wire"):
            if name in other.__dict__:
                self.__dict__[name] = other.__dict__[name]
        return self


class _Metadata(msgspec.Struct):
    versions: Annotated[list[str], msgspec.Meta(min_length=1)]


class _Config(msgspec.Struct):
    max_batch_size: int = 0


class _Entry(msgspec.Struct):
    name: str
    state: str = ""


class _Index(msgspec.Struct):
    models: list[_Entry] = []


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


def check_version(version: str | None) -> None:
    """Refuse what cannot be the number of a version.

    Raises:
        ConfigError: it is no text of digits.
    """
    if version is not None and not (isinstance(version, str) and version.isascii() and version.isdigit()):
        raise ConfigError(f"version must be the number of a version as text, as in '2', got {version!r}")


def _type(width: int) -> "pa.DataType":
    import pyarrow as pa

    return pa.float32() if width == 1 else pa.list_(pa.float32(), width)


class ServedModels:
    """What each server last said of each model.

    Args:
        caller: sends the questions.
        version: the only one that is wanted; None takes the newest.
        signal: makes what calls wait on while one of them reads.
    """

    def __init__(self, caller: Caller, version: str | None, signal: Callable[[], Signal]) -> None:
        self._caller, self.version, self._signal = caller, version, signal
        self._known: dict[tuple[int, str], Served] = {}
        self._reading: dict[tuple[int, str], Signal] = {}

    async def current(self, endpoint: Endpoint, model: str, deadline: Deadline) -> tuple[Served, Endpoint]:
        """Return what is known of a model at a server, asking the first time; see `read`."""
        found = self._known.get((id(endpoint), model))
        return await self.read(endpoint, model, deadline) if found is None else (found, endpoint)

    def known(self, model: str) -> Served | None:
        """Return the newest version that any server has told of."""
        found = [served for (_, name), served in self._known.items() if name == model]
        return max(found, key=lambda served: int(served.version), default=None)

    async def read(self, endpoint: Endpoint, model: str, deadline: Deadline) -> tuple[Served, Endpoint]:
        """Ask a server for a model, and return the server that answered: another one where this one fails.

        A thousand calls that see a new version at once read it once.

        Raises:
            RequestError: the model has no signature, or the answer is not Triton's.
            RepositoryError: it has one of another version of Polyrank.
            ModelNotReadyError: the wanted version is not live.
            PolyrankError: the server does not answer, or does not serve it.
        """
        place = id(endpoint), model
        known = self._known.get(place)
        while (other := self._reading.get(place)) is not None and deadline.left_s() > 0.0:
            await other.wait(min(_LOOK_S, deadline.left_s()))
        found = self._known.get(place)
        if found is not None and found is not known:
            return found, endpoint
        own = self._reading[place] = self._signal()
        try:
            return await self._read(endpoint, model, deadline)
        finally:
            if self._reading.get(place) is own:
                del self._reading[place]
            own.give()

    async def _read(self, endpoint: Endpoint, model: str, deadline: Deadline) -> tuple[Served, Endpoint]:
        before = self.known(model)
        asked, config, endpoint = await self._told(endpoint, model, deadline, is_known=before is not None)
        place = f"{model} at {endpoint.address.place}"
        signature = signature_in(config, place)
        try:
            versions = tuple(sorted(msgspec.convert(asked, _Metadata).versions, key=int))
            limit = msgspec.convert(config, _Config).max_batch_size or ITEMS_IN_A_REQUEST
        except ValueError as err:  # msgspec.ValidationError too
            raise RequestError(f"{place}: what the server says of the model is not Triton's protocol: {err}") from err
        served = Served(model, self._chosen(versions, place), signature, limit, versions)
        if before is not None and before.wire == served.wire:
            served = served.like(before)
        self._known[id(endpoint), model] = served
        return served, endpoint

    async def _told(
        self, endpoint: Endpoint, model: str, deadline: Deadline, *, is_known: bool
    ) -> tuple[dict[str, Any], dict[str, Any], Endpoint]:
        """Return metadata and configuration of a model as one server has both."""
        while True:
            asked, by = await self._caller.ask(METADATA, {"model": model}, deadline, endpoint, is_known=is_known)
            config, endpoint = await self._caller.ask(CONFIG, {"model": model}, deadline, by, is_known=is_known)
            if endpoint is by:
                return asked, config, by

    def _chosen(self, versions: tuple[str, ...], place: str) -> str:
        if self.version is None:
            return versions[-1]
        if self.version not in versions:
            raise ModelNotReadyError(
                f"version {self.version} of {place} is not live, of which are {', '.join(versions)}; name one of "
                "these, or have it loaded"
            )
        return self.version

    async def only_model(self, endpoint: Endpoint, deadline: Deadline) -> str:
        """Return the name of the only model over rows that a server has.

        Raises:
            ServerUnavailableError: it has none, or several.
        """
        told, endpoint = await self._caller.ask(INDEX, {}, deadline, endpoint)
        try:
            index = msgspec.convert(told, _Index).models
        except msgspec.ValidationError as err:
            raise ServerUnavailableError(f"{endpoint.address.place} does not speak Triton's protocol: {err}") from err
        names = {entry.name for entry in index if entry.state == "READY"}
        # Further models of a bundle are the same one, which its name finds from that over rows.
        names = {name for name in names if _base(name) not in names - {name}}
        if len(names) != 1:
            served = ", ".join(sorted(names)) or "none"
            raise ServerUnavailableError(
                f"{endpoint.address.place} serves {len(names)} models ({served}); name one: Ranker(url, model)"
            )
        return str(names.pop())


def _base(name: str) -> str:
    for suffix in (REQUEST_SUFFIX, "_raw", "_fingerprint"):
        if name.endswith(suffix):
            return name.removesuffix(suffix)
    return name
