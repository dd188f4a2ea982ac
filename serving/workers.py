"""The worker processes of a Triton, and how a model that lost one gets it back. Needs the standard library alone.

Triton's Python backend runs each instance of a model in a process of its own. When one dies, out of memory for
example, Triton 2.51 starts no other, goes on calling the model ready, and fails each request that it hands to the dead
one, after a second. Loading the model again does nothing either, as long as its files and configuration are the same.
And when a worker dies while it starts, the load never ends, nor does any other of that model: only a new Triton helps.
"""

import itertools
import json
from collections.abc import Iterator
from typing import Any

from polyrank.errors import DeadlineExceededError, RequestError, ServerUnavailableError

from .processes import children, command_line, process
from .triton_http import TritonHttp

_STUB = "triton_python_backend_stub"
_PATIENCE = 1
"""Steps to wait: a model that somebody unloads or replaces loses its workers too, and is not ready any more then."""
_RETRY = 5
"""Steps between two tries."""
RELOADS = "polyrank.reloads"
"""A parameter that makes a configuration differ, so that Triton makes new workers for files that are the same."""

_reloads = itertools.count(1)

Version = tuple[str, str]
"""A model's name and one of its versions."""


class Workers:
    """The workers of a Triton.

    Args:
        triton: Its process id.
    """

    def __init__(self, triton: int) -> None:
        self._triton = triton
        self._known: dict[int, Version] = {}

    def discover(self) -> None:
        """Look for workers that are not known yet; costs about 10 ms."""
        for pid in children(self._triton):
            words = command_line(pid)
            # The worker's first argument is <repository>/<model>/<version>/<file>.
            if len(words) > 1 and words[0].endswith(_STUB):
                _, model, version, _ = words[1].rsplit("/", 3)
                self._known[pid] = (model, version)

    def bereaved(self) -> set[Version]:
        """Return the versions whose workers ended since the last call."""
        dead = [pid for pid in self._known if not self._is_running(pid)]
        return {self._known.pop(pid) for pid in dead}

    def count(self, version: Version) -> int:
        """Return how many workers of a version run, of those that are known."""
        return sum(each == version and self._is_running(pid) for pid, each in self._known.items())

    def _is_running(self, pid: int) -> bool:
        found = process(pid)
        return found is not None and found.parent == self._triton


def repair(endpoint: TritonHttp, version: Version, workers: Workers, *, patience: int) -> Iterator[str]:
    """Have Triton make the workers of a model anew, without a gap: those that live answer until then.

    First what is published now is loaded. Where that changed nothing, it is loaded under a configuration that differs.

    It ends when all workers are there, and when Triton has loaded the model, whatever that brought.

    Args:
        endpoint: Triton.
        version: What has lost a worker, perhaps.
        workers: All of Triton.
        patience: Steps that a load may take.

    Yields:
        In each step, which should come about a second after the one before, what there is to tell; mostly nothing, "".

    Raises:
        DeadlineExceededError: A load does not end.
    """
    model = version[0]
    yield from itertools.repeat("", _PATIENCE)
    while _is_short(endpoint, version, workers):
        yield f"a worker of {model} ended; loading the model again"
        try:
            yield from _load(endpoint, model, {}, patience)
            if _is_short(endpoint, version, workers):
                order = _forced(endpoint.get(f"/v2/models/{model}/config"))
                yield from _load(endpoint, model, order, patience)
        except (RequestError, ServerUnavailableError) as err:
            yield f"{model} could not be loaded again: {err}"
            yield from itertools.repeat("", _RETRY)
        else:
            yield f"{model} was loaded again"
            return


def _load(endpoint: TritonHttp, model: str, order: dict[str, Any], patience: int) -> Iterator[str]:
    pending = endpoint.begin(f"/v2/repository/models/{model}/load", order)
    for _ in range(patience):
        if pending.is_answered:
            pending.result()
            return
        yield ""
    pending.close()
    raise DeadlineExceededError(f"did not load {model} again within {patience} s")


def _is_short(endpoint: TritonHttp, version: Version, workers: Workers) -> bool:
    """Say whether a version has fewer workers than its configuration asks for."""
    workers.discover()
    try:
        config = endpoint.get(f"/v2/models/{version[0]}/versions/{version[1]}/config")
    except (RequestError, ServerUnavailableError):  # unloaded by now
        return False
    groups = config.get("instance_group", [])
    instances: int = sum(each.get("count", 1) * max(1, len(each.get("gpus", []))) for each in groups)
    return workers.count(version) < instances


def _forced(config: dict[str, Any]) -> dict[str, Any]:
    parameters = config.get("parameters", {}) | {RELOADS: {"string_value": str(next(_reloads))}}
    return {"parameters": {"config": json.dumps(config | {"parameters": parameters})}}
