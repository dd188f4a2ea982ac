"""A running Triton that loads what was published, and proves that it answers golden rows there."""

from collections.abc import Mapping, Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from polyrank.errors import PolyrankError, RepositoryError

from .answers import Answers
from .bundle import Golden
from .parity import TOLERANCE
from .servable import Servable


class LiveServer(Protocol):
    """What publishing asks of a server; `polyrank.serving.ModelControl` does it over gRPC."""

    url: str

    def serves(self, model: str, version: int) -> bool:
        """Say whether a version answers."""
        ...

    def load(self, model: str) -> None:
        """Load the model as it lies in the repository, and return when its live versions answer."""
        ...

    def unload(self, model: str) -> None:
        """Serve the model no longer."""
        ...

    def answer(self, model: str, version: int, inputs: Mapping[str, NDArray[np.generic]]) -> Answers:
        """Answer one request with a version; float32 [B, C] by output name."""
        ...


def require_live(server: LiveServer, servable: Servable, version: int) -> dict[str, float]:
    """Have a server load a version, and compare its answers to golden rows.

    Returns:
        The largest difference by task, absolute up to 1 and relative above.

    Raises:
        RepositoryError: a difference is above the tolerance of the options.
        PolyrankError: the server cannot load it, or does not answer.
    """
    server.load(servable.name)
    golden, options = servable.live_golden(), servable.record.options
    parts = [server.answer(servable.name, version, each) for each in golden_requests(golden, options.max_batch_size)]
    found = golden.differences(joined_answers(parts))
    for task, gap in found.items():
        # A graph of smaller numbers may be off by more than options foresee, one of 32 bits not.
        limit = options.tolerance if golden.tolerance <= TOLERANCE else max(options.tolerance, golden.tolerance)
        if not gap <= limit:
            raise RepositoryError(
                f"{servable.name} version {version} at {server.url} answers golden rows of task {task!r} with a "
                f"difference of {gap:.1e} (tolerance {limit:.0e})"
            )
    return found


def require_absent(server: LiveServer, names: Sequence[str], version: int) -> None:
    """Refuse a server that does not answer, or that has such a version, which is not in its repository yet.

    Raises:
        RepositoryError: it serves the version already.
        PolyrankError: it does not answer.
    """
    for name in names:
        if server.serves(name, version):
            raise RepositoryError(
                f"{server.url} serves version {version} of {name} already, which is yet to be published: it reads "
                f"another repository; start it on this one, or name another server"
            )


def restore(server: LiveServer, was_there: Mapping[str, bool]) -> str:
    """Bring a server to what is in place again; say how it stands.

    Args:
        server: loads or unloads each model.
        was_there: whether each model had a version before.
    """
    failures = []
    for name, is_there in was_there.items():
        try:
            (server.load if is_there else server.unload)(name)
        except PolyrankError as err:
            failures.append(str(err))
    if failures:
        return f"but {server.url} could not be brought back: {'; '.join(failures)}"
    return f"and {server.url} serves what it did before"


def joined_answers(parts: Sequence[Answers]) -> Answers:
    """Join the answers to golden rows, [B, 1] as [B], as golden answers are; others are as they come."""
    answers = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
    return {name: value[:, 0] if value.shape[1:] == (1,) else value for name, value in answers.items()}


def golden_requests(golden: Golden, max_batch_size: int) -> list[dict[str, NDArray[np.generic]]]:
    """Split golden rows into requests; tensors of different lengths are one request as they are."""
    lengths = {len(each) for each in golden.inputs.values()}
    if len(lengths) > 1:
        return [golden.inputs]
    return [
        {name: each[start : start + max_batch_size] for name, each in golden.inputs.items()}
        for start in range(0, max(lengths), max_batch_size)
    ]
