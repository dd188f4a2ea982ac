"""How long one user with many items takes: as a request, and as rows that repeat the user."""

import statistics
import time
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from polyrank.errors import RepositoryError
from polyrank.halves import halves_of

from .answers import open_session
from .bundle import Bundle

Tensors = dict[str, NDArray[Any]]


class RequestSpeed(NamedTuple):
    """Seconds of a call with so many items, in the processor time of one thread: medians of turns."""

    num_items: int
    rows_s: float
    request_s: float

    @property
    def ratio(self) -> float:
        """How many times as fast the request is."""
        return self.rows_s / self.request_s


def request_speed(bundle: Bundle, num_items: int, *, turns: int = 200) -> RequestSpeed:
    """Time both graphs of a bundle in ONNX Runtime, on golden rows, the items over and over.

    Raises:
        RepositoryError: the bundle has no graph over requests.
    """
    if bundle.requests is None:
        raise RepositoryError(f"{bundle.path} has no graph over requests; export it without --rows-only")
    calls = (
        _call(bundle, _rows_of(bundle, num_items)),
        _call(bundle.requests, _request_of(bundle.requests, num_items)),
    )
    seconds: tuple[list[float], list[float]] = ([], [])
    for _ in range(turns):
        for own, call in zip(seconds, calls, strict=True):
            start = time.thread_time()
            call()
            own.append(time.thread_time() - start)
    return RequestSpeed(num_items, *map(statistics.median, seconds))


def _call(bundle: Bundle, tensors: Tensors) -> Callable[[], object]:
    session = open_session(bundle.model_file, threads=1)
    return lambda: session.run(None, tensors)


def _rows_of(bundle: Bundle, count: int) -> Tensors:
    """Return golden rows, over and over, with the user's half of the first."""
    golden, user = bundle.golden().inputs, halves_of(bundle.signature.schema)[0]
    own = {"ids": user.id_columns, "dense": user.dense_columns, "weights": user.weight_columns}
    tensors = {name: values[np.arange(count) % len(values)] for name, values in golden.items()}
    for name, values in tensors.items():
        values[:, own[name]] = values[:1, own[name]]
    return tensors


def _request_of(bundle: Bundle, count: int) -> Tensors:
    """Return the golden request with its items over and over."""
    return {
        name: values[np.arange(count) % len(values)] if name.startswith("item_") else values
        for name, values in bundle.golden().inputs.items()
    }
