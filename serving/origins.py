"""What the metadata of a ranking say: who made it, for which request, under which weights."""

import functools
import itertools
import os
import secrets
from collections.abc import Mapping
from typing import TYPE_CHECKING, NamedTuple

import msgspec

from polyrank.errors import DataError

if TYPE_CHECKING:
    import pyarrow as pa

MODEL, VERSION, RUN_ID, REQUEST_ID, WEIGHTS = (
    f"polyrank.{name}" for name in ("model", "version", "run_id", "request_id", "task_weights")
)
"""Keys of the metadata of scores; the last two are of rankings alone."""


class Origin(NamedTuple):
    """Where a ranking comes from.

    Attributes:
        model: name of the model, as a client knows it.
        version: its number.
        request_id: what outcomes name it by.
        task_weights: of each task with one answer in the score.
    """

    model: str
    version: str
    request_id: str
    task_weights: Mapping[str, float]

    def written(self) -> dict[str, str | bytes]:
        """Return it as metadata of a table."""
        weights = msgspec.json.encode(self.task_weights)
        return {MODEL: self.model, VERSION: self.version, REQUEST_ID: self.request_id, WEIGHTS: weights}


def origin_of(answer: "pa.Table") -> Origin:
    """Read the metadata of a ranking, whichever of its rows and columns are left.

    Raises:
        DataError: they are not there, as after a detour through pandas.
    """
    found = answer.schema.metadata or {}
    try:
        model, version, request_id = (found[key.encode()].decode() for key in (MODEL, VERSION, REQUEST_ID))
        return Origin(model, version, request_id, _weights(found[WEIGHTS.encode()]))
    except KeyError as err:
        raise DataError(
            f"answer lacks {err.args[0].decode()!r} in its metadata; give the table that rank returned, or rows of it "
            "taken with its own methods, such as take and slice"
        ) from err


@functools.lru_cache(maxsize=64)
def _weights(text: bytes) -> Mapping[str, float]:
    return msgspec.json.decode(text, type=dict[str, float])


class RequestIds:
    """Names of requests that no other client in the world gives."""

    def __init__(self) -> None:
        self._begin()

    def next(self) -> str:
        """Return another name; a child of a fork begins anew."""
        if self._process != os.getpid():
            self._begin()
        return f"{self._prefix}-{next(self._numbers)}"

    def _begin(self) -> None:
        self._prefix, self._numbers, self._process = secrets.token_hex(8), itertools.count(1), os.getpid()
