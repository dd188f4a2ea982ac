"""What a supervisor looks at while its Triton should answer. Needs the standard library alone."""

from typing import TYPE_CHECKING

from polyrank.errors import RequestError, ServerUnavailableError

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
        now: The time, in seconds that only rise.
    """

    def __init__(self, endpoint: TritonHttp, triton: int, models: tuple[str, ...], *, now: float) -> None:
        self.models = models
        self._endpoint = endpoint
        self._workers = Workers(triton)
        self._versions: frozenset[Version] = frozenset()
        self._repairs: dict[Version, Iterator[str]] = {}
        self._heard = now
        self._looks = 0

    def look(self, now: float) -> list[str]:
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
        self._heard = now
        if index is not None:
            self._take(index)
        self._looks += 1
        if self._looks % _RARELY == 0:
            self._free_regions()
        return self._mend()

    def silence_s(self, now: float) -> float:
        """Return the seconds since the last answer, or since the start."""
        return now - self._heard

    @property
    def has_answered(self) -> bool:
        """Whether there was an answer yet."""
        return self._looks > 0

    def _take(self, index: list[dict[str, str]]) -> None:
        versions = frozenset((each["name"], each["version"]) for each in index if each.get("state") == "READY")
        # A version that is loaded anew under the same number is not ready for a while.
        loading = {each["name"] for each in index if each.get("state") == "LOADING"}
        self.models = tuple(sorted({name for name, _ in versions} | (loading & set(self.models))))
        if versions != self._versions or self._looks % _RARELY == 0:
            self._workers.discover()
        self._versions = versions

    def _mend(self) -> list[str]:
        for version in self._workers.bereaved():
            self._repairs.setdefault(version, repair(self._endpoint, version, self._workers))
        # A version that was taken away, or replaced by a newer one, is no concern any more.
        repairs = {version: steps for version, steps in self._repairs.items() if version in self._versions}
        said = {version: next(steps, None) for version, steps in repairs.items()}
        self._repairs = {version: steps for version, steps in repairs.items() if said[version] is not None}
        return [text for text in said.values() if text]

    def _free_regions(self) -> None:
        """Unregister the shared memory of clients that have died, and free it."""
        try:
            for region in self._endpoint.get("/v2/systemsharedmemory/status") or []:
                if is_orphan(region["name"]):
                    self._endpoint.post(f"/v2/systemsharedmemory/region/{region['name']}/unregister", {})
                    remove_orphan(region["key"])
        except (ServerUnavailableError, RequestError):  # the next look will tell
            return
