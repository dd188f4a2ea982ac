"""Where fingerprints are written: arrays that the native binding takes, and those that it makes."""

import re
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from reference import fingerprint_v1 as reference
from reference.arrow_c_structs import HandMadeArray

from polyrank import _native

SEED = 42
A = reference.fingerprint("a", "text")


def odd_value(value: object, row: int) -> int | bytes | None:
    raise LookupError(f"{value!r} at row {row} is odd")


def hashed(values: Any, out: Any, dtype: str = "text") -> list[int]:
    found: list[int] = _native.fingerprint(values, dtype, SEED, (), odd_value, out).tolist()
    return found


def read_only() -> np.ndarray[Any, np.dtype[np.int64]]:
    out = np.empty(2, np.int64)
    out.flags.writeable = False
    return out


WRONG_OUTPUTS: dict[str, tuple[Any, type[Exception], str]] = {
    "list": ([0, 0], TypeError, "out must be a numpy array of int64"),
    "int32": (np.empty(2, np.int32), TypeError, "out must be a numpy array of int64"),
    "uint64": (np.empty(2, np.uint64), TypeError, "out must be a numpy array of int64"),
    "other byte order": (np.empty(2, ">i8"), TypeError, "out must be a numpy array of int64"),
    "too long": (np.empty(3, np.int64), ValueError, "out must have shape [2], got [3]"),
    "two dimensions": (np.empty((1, 2), np.int64), ValueError, "out must have shape [2], got [1, 2]"),
    "strided": (np.empty(4, np.int64)[::2], ValueError, "out must be contiguous and aligned"),
    "misaligned": (np.empty(17, np.int8)[1:].view(np.int64), ValueError, "out must be contiguous and aligned"),
    "read-only": (read_only(), ValueError, "out must be writable"),
}


@pytest.mark.parametrize(("out", "error", "message"), WRONG_OUTPUTS.values(), ids=WRONG_OUTPUTS.keys())
def test_wrong_output_is_refused(out: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=re.escape(message)):
        _native.output(out, 2)
    with pytest.raises(error, match=re.escape(message)):
        hashed(pa.array(["a", "b"]), out)
    with pytest.raises(error, match=re.escape(message)):
        hashed(["a", "b"], out)
    with pytest.raises(error, match=re.escape(message)):
        hashed(np.zeros(2, np.int64), out)


def test_output_is_written_and_returned() -> None:
    out = np.empty(2, np.int64)
    assert _native.fingerprint(["a", None], "text", SEED, (), odd_value, out) is out
    assert out.tolist() == [A, -1]


def test_output_may_be_the_values_themselves() -> None:
    values = np.array([1, 2, 3], np.int64)
    expected = [reference.fingerprint(value, "int64") for value in (1, 2, 3)]
    assert hashed(values, values, "int64") == expected


def test_output_may_be_the_integers_under_text_too() -> None:
    values = np.array([1, 2, 3], np.int64)
    assert hashed(values, values) == [reference.fingerprint(str(value), "text") for value in (1, 2, 3)]


def test_output_beyond_all_memory_is_refused_in_one_line() -> None:
    column = HandMadeArray(b"n", 2**58, [])
    with pytest.raises(MemoryError, match=r"^no memory for 288230376151711744 fingerprints; give fewer values at a ti"):
        _native.fingerprint(column, "text", SEED, (), odd_value)


def test_large_output_is_filled_wherever_it_lies() -> None:
    found = _native.fingerprint(np.arange(1 << 19), "int64", SEED, (), odd_value)
    assert found[[0, -1]].tolist() == [reference.fingerprint(value, "int64") for value in (0, (1 << 19) - 1)]
    assert found.flags.writeable
