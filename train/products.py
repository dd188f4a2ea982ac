"""The fastest products of matrices that round as 32 bits do."""

import contextlib
import threading
from collections.abc import Iterator

import torch

_lock = threading.Lock()
_trainings = 0
_before = "highest"


@contextlib.contextmanager
def fast_products() -> Iterator[None]:
    """Let PyTorch send products of 32 bits to oneDNN inside the block: twice as fast on AMD processors, rounded alike.

    Processors that multiply tiles of bfloat16 (Intel AMX) would round to that, so nothing changes there. The setting is
    the process's: it is back as it was when the last of several blocks ends, in whichever order they do.
    """
    global _trainings, _before  # noqa: PLW0603 (as the setting is)
    with _lock:
        _trainings += 1
        if _trainings == 1:
            _before = torch.get_float32_matmul_precision()
            torch.set_float32_matmul_precision("medium")
            if _loses_bits():
                torch.set_float32_matmul_precision(_before)
    try:
        yield
    finally:
        with _lock:
            _trainings -= 1
            if _trainings == 0:
                torch.set_float32_matmul_precision(_before)


def _loses_bits() -> bool:
    """Say whether products are rounded to fewer than 32 bits: a number times 1 is that number otherwise."""
    number = 1 + 2**-12  # has more bits than bfloat16 keeps
    return bool((torch.full((128, 128), number) @ torch.eye(128) != number).any())
