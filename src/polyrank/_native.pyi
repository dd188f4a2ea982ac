from collections.abc import Callable, Iterable, Sequence
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

_Arrays: TypeAlias = tuple[NDArray[np.int64], NDArray[np.float32] | None, NDArray[np.float32]]

class RefusalError(ValueError): ...
class UnknownLayoutError(ValueError): ...
class ArrayError(ValueError): ...
class ExportError(ValueError): ...

def level() -> str: ...
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
def fingerprint_one(value: object, dtype: object, seed: object, missing: object = ()) -> int | None: ...
def find_rows(
    ids: NDArray[np.int64],
    num_buckets: NDArray[np.int64],
    starts: NDArray[np.int64],
    lasts: NDArray[np.int64],
    pools: Sequence[tuple[int, int, str, int | None]],
    weights: NDArray[np.float32] | None,
    threads: int,
) -> tuple[NDArray[np.int64], NDArray[np.float32] | None]: ...
def gather_rows(
    table: NDArray[np.float32], rows: NDArray[np.int64], out: NDArray[np.float32], threads: int
) -> None: ...
def pool_rows(
    table: NDArray[np.float32],
    rows: NDArray[np.int64],
    factors: NDArray[np.float32] | None,
    widths: Sequence[int],
    out: NDArray[np.float32],
    threads: int,
) -> None: ...
def normalized_relu(
    inputs: NDArray[np.float32],
    weight: NDArray[np.float32],
    bias: NDArray[np.float32],
    epsilon: float,
    mean: NDArray[np.float32],
    variance: NDArray[np.float32],
    out: NDArray[np.float32],
    running: tuple[NDArray[np.float32], NDArray[np.float32]] | None,
    momentum: float,
    threads: int,
) -> None: ...
def normalized_relu_gradient(
    inputs: NDArray[np.float32],
    weight: NDArray[np.float32],
    bias: NDArray[np.float32],
    epsilon: float,
    mean: NDArray[np.float32],
    variance: NDArray[np.float32],
    gradients: NDArray[np.float32],
    of_inputs: NDArray[np.float32],
    of_weight: NDArray[np.float32],
    of_bias: NDArray[np.float32],
    threads: int,
) -> None: ...
def gated_sums(
    experts: Sequence[NDArray[np.float32]],
    reads: Sequence[int],
    logits: NDArray[np.float32],
    weights: NDArray[np.float32],
    out: NDArray[np.float32],
    threads: int,
) -> None: ...
def gated_sums_gradient(
    experts: Sequence[NDArray[np.float32]],
    reads: Sequence[int],
    weights: NDArray[np.float32],
    gradients: NDArray[np.float32],
    of_logits: NDArray[np.float32],
    of_experts: Sequence[NDArray[np.float32]],
    threads: int,
) -> None: ...
def spread_rows(
    gradients: NDArray[np.float32],
    rows: NDArray[np.int64],
    factors: NDArray[np.float32] | None,
    widths: Sequence[int],
) -> tuple[NDArray[np.int64], NDArray[np.float32]]: ...
def coalesce_rows(
    rows: NDArray[np.int64], values: NDArray[np.float32]
) -> tuple[NDArray[np.int64], NDArray[np.float32]]: ...
def update_rowwise_adagrad(
    table: NDArray[np.float32],
    sums: NDArray[np.float32],
    rows: NDArray[np.int64],
    values: NDArray[np.float32],
    lr: float,
    epsilon: float,
    scale: float,
    threads: int,
) -> None: ...

class TablePlan:
    def __init__(self, groups: Sequence[object]) -> None: ...
    def encode_table(
        self, rows: object, threads: int, out: _Arrays | None = None, whole: bool = True
    ) -> tuple[NDArray[np.int64], NDArray[np.float32] | None, NDArray[np.float32], list[int]] | int | None: ...
    def encode_dicts(self, rows: object, out: _Arrays | None = None) -> _Arrays | None: ...
    def matrices(self, rows: int, out: _Arrays | None = None) -> _Arrays: ...
    def slots(self, group: int) -> tuple[int, int]: ...
    def first_weight(self, group: int) -> int: ...

class TensorTable:
    # Made by TensorLayout alone: calling it is a TypeError.
    def __init__(self, /, *args: object, **kwargs: object) -> None: ...
    def __arrow_c_array__(self, requested_schema: object = None) -> tuple[object, object]: ...

class TensorLayout:
    def __init__(self, columns: Sequence[tuple[str, str, str, int, int | None]]) -> None: ...
    def table(self, tensors: dict[str, NDArray[Any]]) -> TensorTable: ...
