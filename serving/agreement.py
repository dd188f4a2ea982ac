"""One version for all answers of a call: encoded as it has it, whoever answers."""

from collections.abc import Callable, Coroutine, Sequence
from typing import Any

from polyrank.encoder import Batch
from polyrank.errors import RequestError

from .caller import Answered, Deadline
from .calls import Reply
from .endpoints import Endpoint
from .served import Served
from .served_models import ServedModels

Sent = tuple[Batch, list[Answered[Reply]]]
"""What was sent, and what came back, part by part."""

_ATTEMPTS = 4
"""How often a call begins anew because another version of the model went live meanwhile."""


class Agreement:
    """Makes sure that the answers to the parts of a call belong together.

    Args:
        models: what each server last said of them.
        model: which is asked.
        deadline: of the call.
    """

    def __init__(self, models: ServedModels, model: str, deadline: Deadline) -> None:
        self._models, self._model, self._deadline = models, model, deadline

    async def reach(
        self, endpoint: Endpoint, send: Callable[[Served, Endpoint], Coroutine[Any, Any, Sent]]
    ) -> tuple[Served, Sent]:
        """Send until all answers are of one version, encoded as that version has it, beginning with one server.

        Raises:
            RequestError: the request is refused, or no version stays for long enough.
        """
        for _ in range(_ATTEMPTS):
            served, endpoint = await self._models.current(endpoint, self._model, self._deadline)
            try:
                sent = await send(served, endpoint)
            except RequestError:
                # Another version may take other tensors.
                newer, endpoint = await self._models.read(endpoint, self._model, self._deadline)
                if (newer.version, newer.wire) == (served.version, served.wire):
                    raise
                continue
            maker, endpoint = await self._maker(sent[1], served, endpoint)
            if maker is not None:
                return maker, sent
        place = f"{self._model} at {endpoint.address.place}"
        raise RequestError(f"{place}: the model changed version {_ATTEMPTS} times within one call; call again")

    async def _maker(
        self, answers: Sequence[Answered[Reply]], served: Served, asked: Endpoint
    ) -> tuple[Served | None, Endpoint]:
        """Return the version that made all answers, unless it is encoded otherwise than `served`, and a server of it.

        Servers of a rolling deployment differ, so that each that answered is looked at: first those that took over from
        the one that was asked, which are to be asked next.
        """
        versions = {reply.version for reply, _ in answers}
        for by in sorted({by for _, by in answers}, key=lambda by: by is asked):
            told, source = await self._models.current(by, self._model, self._deadline)
            if versions != {told.version}:
                told, source = await self._models.read(by, self._model, self._deadline)
            if source is not by or versions != {told.version} or told.wire != served.wire:
                return None, source
        return told, by
