"""The key with which a server without a lock-down loads and lists models, and how its user's clients find it.

Triton takes files with an order to load a model, code among them, from whoever reaches a port of it: a web page in a
browser of this machine does. So each embedded server asks for a key there. Clients read it from the command line of
the process that listens where they ask, which they see if it runs on the same machine and is the same user's.
"""

import contextlib
from collections.abc import Mapping

from .addresses import Address
from .lockdown import CONTROL_HEADER, guard_words
from .processes import command_line, listens, process_numbers

_KEYED = guard_words("")[0]


def control_headers(address: Address, given: Mapping[str, str]) -> dict[str, str]:
    """Return the headers with which a server loads and lists models, where this user runs it on this machine.

    Args:
        address: of the server.
        given: headers that go with the request anyway; a key among them stays the only one.
    """
    if CONTROL_HEADER in map(str.lower, given):
        return {}
    with contextlib.suppress(OSError):  # a system without /proc has no embedded server
        for number in process_numbers():
            words = command_line(number)
            key = next((word.removeprefix(_KEYED) for word in words if word.startswith(_KEYED)), "")
            if key and _is_here(address.bare_host, words) and listens(number, address.port):
                return {CONTROL_HEADER: key}
    return {}


def _is_here(host: str, words: list[str]) -> bool:
    """Say whether a host is this machine, as far as a server's command line can tell."""
    own = (f"--http-address={host}", f"--grpc-address={host}")
    return host == "localhost" or host.startswith("127.") or any(word in words for word in own)
