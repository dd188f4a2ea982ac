"""What each server of a client says of its models, read once by all calls that want to know."""

from collections.abc import Callable
from typing import Annotated, Any

import msgspec

from polyrank.errors import ConfigError, ModelNotReadyError, RequestError, ServerUnavailableError
from polyrank.signature import RAW_SUFFIX, REQUEST_SUFFIX

from .caller import Caller, Deadline
from .calls import CONFIG, INDEX, METADATA
from .endpoints import Endpoint
from .served import ITEMS_IN_A_REQUEST, Served, signature_in
from .waiting import Signal


class _Metadata(msgspec.Struct):
    versions: Annotated[list[str], msgspec.Meta(min_length=1)]


class _Config(msgspec.Struct):
    max_batch_size: int = 0


class _Entry(msgspec.Struct):
    name: str
    state: str = ""


class _Index(msgspec.Struct):
    models: list[_Entry] = []


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
        other = self._reading.get(place)
        if other is not None:
            await other.wait(deadline.left_s(), lambda: self._reading.get(place) is not other)
            found = self._known.get(place)
            if found is not None and found is not known:
                return found, endpoint
        own = self._reading[place] = self._signal()
        try:
            return await self._read(endpoint, model, deadline)
        finally:
            if self._reading.get(place) is own:
                self._reading.pop(place, None)
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
    for suffix in (REQUEST_SUFFIX, RAW_SUFFIX):
        if name.endswith(suffix):
            return name.removesuffix(suffix)
    return name


def check_version(version: str | None) -> None:
    """Refuse what cannot be the number of a version.

    Raises:
        ConfigError: it is no text of digits.
    """
    if version is not None and not (isinstance(version, str) and version.isascii() and version.isdigit()):
        raise ConfigError(f"version must be the number of a version as text, as in '2', got {version!r}")
