"""The native binding: what it borrows, what it writes into, and what it refuses."""

import ctypes
import gc
import re
import struct
import sys
import threading
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from reference import fingerprint_v1 as reference
from reference.arrow_c_structs import HandMadeArray

from polyrank import _native

SEED = 42
A, B = (reference.fingerprint(text, "text") for text in "ab")


def offsets(*values: int) -> bytes:
    return struct.pack(f"<{len(values)}i", *values)


def strings(**fields: Any) -> HandMadeArray:
    return HandMadeArray(b"u", 2, [None, offsets(0, 1, 2), b"ab"], **fields)


def views(*items: bytes, data: bytes | None = b"a key of more than twelve bytes") -> HandMadeArray:
    sizes = struct.pack("<q", len(data or b""))
    return HandMadeArray(b"vu", len(items), [None, b"".join(items), data, sizes])


def view(length: int, buffer: int, offset: int) -> bytes:
    return struct.pack("<i4sii", length, b"", buffer, offset)


def hashed(array: HandMadeArray, out: Any = None) -> list[int]:
    schema, content = array.__arrow_c_array__()
    fingerprints: list[int] = _native.fingerprint_arrow(schema, content, SEED, out).tolist()
    return fingerprints


def chained(array: HandMadeArray, states: Any) -> None:
    schema, content = array.__arrow_c_array__()
    _native.chain_arrow(schema, content, states)


def test_hand_made_array_is_hashed_and_released_once() -> None:
    array = strings()
    assert hashed(array) == [A, B]
    assert array.releases == 1


def test_view_array_is_hashed() -> None:
    array = views(struct.pack("<i12s", 1, b"a"), view(29, 0, 2))
    assert hashed(array) == [A, reference.fingerprint("key of more than twelve bytes", "text")]


HOSTILE: dict[str, tuple[Callable[[], HandMadeArray], str]] = {
    "negative length": (lambda: strings(length=-1), "length -1 and offset 0 must be 0 or above"),
    "negative offset": (lambda: strings(offset=-1), "length 2 and offset -1 must be 0 or above"),
    "overflowing end": (lambda: strings(offset=2**63 - 2), "must be 0 or above and fit 64 bits together"),
    "too few buffers": (lambda: strings(n_buffers=2), "format 'u' needs 3 buffers, got 2"),
    "too many buffers": (lambda: strings(n_buffers=4), "format 'u' needs 3 buffers, got 4"),
    "no buffers": (lambda: strings(buffers=None), "format 'u' needs 3 buffers, got 0"),
    "no format": (lambda: HandMadeArray(None, 0, []), "the schema has no format"),
    "type without kernel": (lambda: HandMadeArray(b"i", 1, [None, b"0123"]), "format 'i' has no kernel"),
    "null offsets": (lambda: HandMadeArray(b"u", 1, [None, None, b"a"]), "the offsets buffer is null"),
    "null data": (lambda: HandMadeArray(b"z", 1, [None, offsets(0, 1), None]), "the data buffer is null"),
    "null integers": (lambda: HandMadeArray(b"l", 1, [None, None]), "the data buffer is null"),
    "null views": (lambda: HandMadeArray(b"vu", 1, [None, None, None]), "the views buffer is null"),
    "decreasing offsets": (lambda: HandMadeArray(b"u", 2, [None, offsets(0, 2, 1), b"ab"]), "never decrease"),
    "negative first offset": (lambda: HandMadeArray(b"u", 1, [None, offsets(-1, 1), b"ab"]), "start at 0 or above"),
    "misaligned offsets": (lambda: strings(shift=1), "the offsets buffer is not aligned"),
    "misaligned integers": (lambda: HandMadeArray(b"l", 1, [None, bytes(8)], shift=4), "the data buffer is not align"),
    "nulls without bitmap": (lambda: strings(null_count=1), "the validity buffer is null"),
    "more nulls than rows": (lambda: strings(null_count=3), "null_count 3 does not fit length 2"),
    "negative null count": (lambda: strings(null_count=-2), "null_count -2 does not fit length 2"),
    "children": (lambda: strings(n_children=1), "nested and dictionary-encoded arrays have no kernel"),
    "dictionary": (lambda: strings(dictionary=1), "nested and dictionary-encoded arrays have no kernel"),
    "negative view": (lambda: views(view(-1, 0, 0)), "a view has a negative length"),
    "view into no buffer": (lambda: views(view(13, 1, 0)), "a view names a buffer that is not there"),
    "view into negative buffer": (lambda: views(view(13, -1, 0)), "a view names a buffer that is not there"),
    "view into null buffer": (lambda: views(view(13, 0, 0), data=None), "a view names a buffer that is not there"),
    "view beyond its buffer": (lambda: views(view(13, 0, 20)), "a view reaches beyond its buffer"),
    "view before its buffer": (lambda: views(view(13, 0, -1)), "a view reaches beyond its buffer"),
}


@pytest.mark.parametrize(("make", "message"), HOSTILE.values(), ids=HOSTILE.keys())
def test_inconsistent_arrow_struct_is_refused(make: Callable[[], HandMadeArray], message: str) -> None:
    with pytest.raises(ValueError, match=f"^arrow array: .*{re.escape(message)}"):
        hashed(make())


@pytest.mark.parametrize(("make", "message"), HOSTILE.values(), ids=HOSTILE.keys())
def test_inconsistent_arrow_struct_is_refused_in_a_cross(make: Callable[[], HandMadeArray], message: str) -> None:
    array = make()
    with pytest.raises(ValueError, match=re.escape(message)):
        chained(array, np.zeros(max(array.array.length, 0), np.uint64))


def test_refused_array_is_released_all_the_same() -> None:
    array = HandMadeArray(b"u", 2, [None, offsets(0, 2, 1), b"ab"])
    with pytest.raises(ValueError, match="never decrease"):
        hashed(array)
    assert array.releases == 1


def test_wrong_output_releases_the_array() -> None:
    array = strings()
    with pytest.raises(ValueError, match=re.escape("out must have shape [2]")):
        hashed(array, np.empty(3, np.int64))
    assert array.releases == 1


def test_empty_array_may_lack_its_buffers() -> None:
    assert hashed(HandMadeArray(b"u", 0, [None, None, None])) == []
    assert hashed(HandMadeArray(b"l", 0, [None, None])) == []
    assert hashed(HandMadeArray(b"vu", 0, [None, None, None])) == []


def test_empty_keys_need_no_data_buffer() -> None:
    assert hashed(HandMadeArray(b"u", 1, [None, offsets(0, 0), None])) == [reference.fingerprint("", "text")]


def test_consumed_capsule_is_refused() -> None:
    schema, array = pa.array(["a"]).__arrow_c_array__()
    _native.fingerprint_arrow(schema, array, SEED)
    with pytest.raises(ValueError, match="the capsule arrow_array was already consumed"):
        _native.fingerprint_arrow(schema, array, SEED)


def test_something_that_is_no_capsule_is_refused() -> None:
    schema, array = pa.array(["a"]).__arrow_c_array__()
    with pytest.raises(ValueError, match="expected a capsule named arrow_schema"):
        _native.fingerprint_arrow(None, array, SEED)
    with pytest.raises(ValueError, match="expected a capsule named arrow_array"):
        _native.fingerprint_arrow(schema, schema, SEED)


def test_hashing_does_not_leak_arrow_memory() -> None:
    gc.collect()
    before = pa.total_allocated_bytes()
    for _ in range(10):
        schema, array = pa.array(["some text of a length that needs memory"] * 1000).__arrow_c_array__()
        _native.fingerprint_arrow(schema, array, SEED)
    del schema, array
    gc.collect()
    assert pa.total_allocated_bytes() == before


def test_list_items_are_text_or_missing() -> None:
    assert _native.fingerprint_list(["a", None, "b"], SEED).tolist() == [A, -1, B]


def test_wrong_list_item_is_named_by_index_and_type() -> None:
    with pytest.raises(TypeError, match="item 2 must be str or None, got int"):
        _native.fingerprint_list(["a", None, 3], SEED)  # type: ignore[list-item]


def test_lone_surrogate_is_named_by_index() -> None:
    with pytest.raises(ValueError, match=re.escape("item 1 has no UTF-8 form (lone surrogate)")):
        _native.fingerprint_list(["a", "\ud800"], SEED)


def test_list_references_are_given_back() -> None:
    item = "a text that nobody else holds".upper()
    before = sys.getrefcount(item)
    _native.fingerprint_list([item] * 100, SEED)
    assert sys.getrefcount(item) == before


def test_integers_of_other_types_are_refused_or_widened_safely() -> None:
    widened = _native.fingerprint_int64(np.array([7], np.int8), SEED)
    assert widened.tolist() == [reference.fingerprint(7, "int64")]
    with pytest.raises(TypeError, match="incompatible function arguments"):
        _native.fingerprint_int64(np.array([7.0]), SEED)


@pytest.mark.parametrize(
    "values",
    [np.zeros((2, 2), np.int64), np.frombuffer(bytes(17), np.int8)[1:].view(np.int64)],
    ids=["two dimensions", "misaligned"],
)
def test_integers_must_be_flat_and_aligned(values: np.ndarray[Any, np.dtype[np.int64]]) -> None:
    with pytest.raises(ValueError, match="values must be one-dimensional and aligned"):
        _native.fingerprint_int64(values, SEED)


def test_strided_integers_are_hashed() -> None:
    values = np.arange(10, dtype=np.int64)[::-3]
    assert _native.fingerprint_int64(values, SEED).tolist() == [
        reference.fingerprint(value, "int64") for value in (9, 6, 3, 0)
    ]


def read_only() -> np.ndarray[Any, np.dtype[np.int64]]:
    out = np.empty(2, np.int64)
    out.flags.writeable = False
    return out


WRONG_OUTPUTS: dict[str, tuple[Any, type[Exception], str]] = {
    "list": ([0, 0], TypeError, "out must be a numpy array of int64"),
    "int32": (np.empty(2, np.int32), TypeError, "out must be a numpy array of int64"),
    "uint64": (np.empty(2, np.uint64), TypeError, "out must be a numpy array of int64"),
    "other byte order": (np.empty(2, ">i8"), TypeError, "out must be a numpy array of int64"),
    "too long": (np.empty(3, np.int64), ValueError, "out must have shape [2]"),
    "two dimensions": (np.empty((1, 2), np.int64), ValueError, "out must have shape [2]"),
    "strided": (np.empty(4, np.int64)[::2], ValueError, "out must be contiguous and aligned"),
    "misaligned": (np.empty(17, np.int8)[1:].view(np.int64), ValueError, "out must be contiguous and aligned"),
    "read-only": (read_only(), ValueError, "out must be writable"),
}


@pytest.mark.parametrize(("out", "error", "message"), WRONG_OUTPUTS.values(), ids=WRONG_OUTPUTS.keys())
def test_wrong_output_is_refused(out: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=re.escape(message)):
        _native.output(out, 2)
    with pytest.raises(error, match=re.escape(message)):
        hashed(strings(), out)
    with pytest.raises(error, match=re.escape(message)):
        _native.fingerprint_list(["a", "b"], SEED, out)
    with pytest.raises(error, match=re.escape(message)):
        _native.fingerprint_int64(np.zeros(2, np.int64), SEED, out)


def test_output_is_written_and_returned() -> None:
    out = np.empty(2, np.int64)
    assert _native.fingerprint_list(["a", None], SEED, out) is out
    assert out.tolist() == [A, -1]


def test_output_may_be_the_values_themselves() -> None:
    values = np.array([1, 2, 3], np.int64)
    expected = [reference.fingerprint(value, "int64") for value in (1, 2, 3)]
    assert _native.fingerprint_int64(values, SEED, values).tolist() == expected


def test_output_that_overlaps_the_values_in_part_is_refused() -> None:
    memory = np.zeros(4, np.int64)
    with pytest.raises(ValueError, match="out must not overlap values, unless it is values"):
        _native.fingerprint_int64(memory[:3], SEED, memory[1:])


@pytest.mark.parametrize(
    ("states", "error", "message"),
    [
        (np.zeros(2, np.int64), TypeError, "states must be a numpy array of uint64"),
        (np.zeros(1, np.uint64), ValueError, "states must have shape [2]"),
    ],
)
def test_wrong_states_are_refused(states: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=re.escape(message)):
        chained(strings(), states)


def test_chain_uses_and_leaves_full_hashes() -> None:
    states = np.array([SEED, 2**64 - 1], np.uint64)
    chained(strings(), states)
    assert states.tolist() == [reference.xxh64(b"a", SEED), reference.xxh64(b"b", 2**64 - 1)]


def test_kernel_runs_without_the_gil() -> None:
    log: list[str] = []
    text = "x" * 8_000_000

    def hash_for_long() -> None:
        log.append("begin")
        _native.fingerprint_list([text] * 200, SEED)
        log.append("end")

    interval = sys.getswitchinterval()
    worker = threading.Thread(target=hash_for_long)
    sys.setswitchinterval(1000)  # no thread loses the lock unless it gives it away
    try:
        worker.start()
        while "begin" not in log:
            time.sleep(0)
        log.append("meanwhile")
    finally:
        sys.setswitchinterval(interval)
        worker.join()
    assert log == ["begin", "meanwhile", "end"]


def test_structs_of_the_tests_have_the_size_of_the_interface() -> None:
    array = strings()
    assert (ctypes.sizeof(array.schema), ctypes.sizeof(array.array)) == (72, 80)
