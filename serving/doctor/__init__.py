"""Looks at a machine and at a server, and says what is wrong and what to do. Changes nothing but the cache folder."""

from collections.abc import Iterator

from polyrank.serving.options import ClientOptions
from polyrank.serving.runtime import Accelerator

from . import gpu, machine, packages, ports, remote, server_runtime
from .finding import Finding

__all__ = ["Finding", "examine"]


def examine(
    url: str | None = None, *, accelerator: Accelerator = "cpu", client: ClientOptions | None = None
) -> Iterator[Finding]:
    """Look at this machine, and at a server where one is named.

    Args:
        url: of a server, as `Ranker` takes it; None looks at the machine alone.
        accelerator: Which of the server's environments is to be looked at.
        client: How the server is called: each question once.

    Yields:
        What was found, as soon as it is.
    """
    yield from packages.findings()
    yield from machine.findings()
    yield from server_runtime.findings(accelerator)
    yield from gpu.findings(accelerator)
    yield from ports.findings()
    if url is not None:
        yield from remote.findings(url, client)
