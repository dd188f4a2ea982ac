"""What a supervisor looks at while its Triton should answer. Needs the standard library alone."""

import math
import time
from typing import TYPE_CHECKING

from polyrank.errors import DeadlineExceededError, RequestError, ServerUnavailableError

from .regions import is_orphan, remove_orphan
from .triton_http import TritonHttp
from .workers import Version, Workers, repair

if TYPE_CHECKING:
    from collections.abc import Iterator

PERIOD_S = 1.0
_RARELY = 5
"""Every so many looks, what costs more is looked at too."""


class Watch:
    """Watches one Triton: whether it answers, which models it has, their workers, the shared memory of its clients.

    Args:
        endpoint: Where it answers.
        triton: Its process id.
        models: Names of the models that it is started with.
        load_s: Seconds that loading a model may take.

    Attributes:
        models: Names of the models that it has.
        fault: What only a new Triton cures; "" while there is nothing.
    """

    def __init__(self, endpoint: TritonHttp, triton: int, models: tuple[str, ...], *, load_s: float) -> None:
        self.models = models
        self.fault = ""
        self._load_s = load_s
        self._endpoint = endpoint
        self._workers = Workers(triton)
        self._ready: frozenset[Version] = frozenset()
        self._loading: frozenset[Version] = frozenset()
        self._suspects: set[Version] = set()
        self._repairs: dict[Version, Iterator[str]] = {}
        self._heard = time.monotonic()
        self._looks = 0

    def look(self) -> list[str]:
        """Look once, which should happen every `PERIOD_S`.

        Returns:
            What there is to tell.
        """
        try:
            index = self._endpoint.post("/v2/repository/index", {})
        except ServerUnavailableError:
            return []
        except RequestError:  # it answers, but somebody has closed this part of it
            index = None
        self._heard = time.monotonic()
        if index is not None:
            self._take(index)
        self._looks += 1
        if self._looks % _RARELY == 0:
            self._free_regions()
        return self._mend()

    @property
    def silence_s(self) -> float:
        """The seconds since the last answer, or since the start."""
        return time.monotonic() - self._heard

    @property
    def has_answered(self) -> bool:
        """Whether there was an answer yet."""
        return self._looks > 0

    def _take(self, index: list[dict[str, str]]) -> None:
        ready = _versions(index, "READY")
        # A version that is loaded anew under the same number may not be ready for a while.
        self._loading = _versions(index, "LOADING")
        loading = {name for name, _ in self._loading}
        self.models = tuple(sorted({name for name, _ in ready} | (loading & set(self.models))))
        if ready != self._ready or self._looks % _RARELY == 0:
            self._workers.discover()
        self._suspects |= ready - self._ready  # its workers may have died before they were known
        self._ready = ready

    def _mend(self) -> list[str]:
        self._suspects |= self._workers.bereaved()
        for version in self._suspects - self._repairs.keys():
            self._suspects.remove(version)
            self._repairs[version] = self._repair(version)
        # A version that was taken away, or replaced by a newer one, is no concern any more.
        present = self._ready | self._loading
        repairs = {version: steps for version, steps in self._repairs.items() if version in present}
        said = {version: self._step(steps) for version, steps in repairs.items()}
        self._repairs = {version: steps for version, steps in repairs.items() if said[version] is not None}
        return [text for text in said.values() if text]

    def _repair(self, version: Version) -> "Iterator[str]":
        return repair(self._endpoint, version, self._workers, patience=math.ceil(self._load_s))

    def _step(self, steps: "Iterator[str]") -> str | None:
        """Return what a repair has to tell; None when it is over, and was before."""
        try:
            return next(steps, None)
        except DeadlineExceededError as err:
            self.fault = str(err)
            return f"Triton {err}; it answers for that model no more until it is started again"

    def _free_regions(self) -> None:
        """Unregister the shared memory of clients that have died, and free it."""
        try:
            for region in self._endpoint.get("/v2/systemsharedmemory/status") or []:
                if is_orphan(region["name"]):
                    self._endpoint.post(f"/v2/systemsharedmemory/region/{region['name']}/unregister", {})
                    remove_orphan(region["key"])
        except (ServerUnavailableError, RequestError):  # the next look will tell
            return


def _versions(index: list[dict[str, str]], state: str) -> frozenset[Version]:
    return frozenset((each["name"], each["version"]) for each in index if each.get("state") == state)
