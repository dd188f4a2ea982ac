from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray

class RefusalError(ValueError): ...
class UnknownLayoutError(ValueError): ...
class ArrayError(ValueError): ...
class ExportError(ValueError): ...

def take_rows(values: object) -> tuple[object, int]: ...
def output(out: NDArray[np.int64] | None, size: int) -> NDArray[np.int64]: ...
def fingerprint(
    values: object,
    dtype: str,
    seed: int,
    missing: Iterable[str],
    odd_value: Callable[[Any, int], int | bytes | None],
    out: NDArray[np.int64] | None = None,
) -> NDArray[np.int64]: ...
def chain(
    values: object,
    dtype: str,
    missing: Iterable[str],
    odd_value: Callable[[Any, int], int | bytes | None],
    states: NDArray[np.uint64],
    is_missing: NDArray[np.bool_],
) -> None: ...
def fingerprint_one(value: object, dtype: str, seed: int) -> int | None: ...
