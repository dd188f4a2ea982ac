"""How much stack the threads of Triton get. Needs the standard library alone."""

import resource
from pathlib import Path

STACK_BYTES = 256 * 2**20
"""Triton 2.51 reads a body into stacks: twice the length of a form, 16 bytes for each chunk, some 220 for each bracket
that opens in data. With the usual 8 MiB it dies of a form of 4.2 MB, which is what curl calls a body, or of 80 kB of
brackets. A stack is address space until it is used."""

_OVERCOMMIT = Path("/proc/sys/vm/overcommit_memory")
_NEVER = "2"


def raise_stack_limit() -> None:
    """Let the program that this process becomes have threads with `STACK_BYTES` of stack.

    Where address space is rationed, or a limit of the machine forbids it, they have what they had.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_STACK)
    if soft != resource.RLIM_INFINITY and soft >= STACK_BYTES:
        return
    if hard != resource.RLIM_INFINITY and hard < STACK_BYTES:
        return
    if _is_address_space_rationed():
        return
    resource.setrlimit(resource.RLIMIT_STACK, (STACK_BYTES, hard))


def _is_address_space_rationed() -> bool:
    if resource.getrlimit(resource.RLIMIT_AS)[0] != resource.RLIM_INFINITY:
        return True
    try:
        return _OVERCOMMIT.read_text().strip() == _NEVER
    except OSError:
        return True
