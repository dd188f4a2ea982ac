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
from reference.arrow_c_streams import HandMadeStream
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


def odd_value(value: object, row: int) -> int | bytes | None:
    raise LookupError(f"{value!r} at row {row} is odd")


def fingerprints(values: Any, dtype: str = "text", out: Any = None) -> Any:
    return _native.fingerprint(values, dtype, SEED, (), odd_value, out)


def hashed(array: Any, out: Any = None, dtype: str = "text") -> list[int]:
    found: list[int] = fingerprints(array, dtype, out).tolist()
    return found


def chained(array: Any, states: Any, dtype: str = "text") -> list[bool]:
    is_missing = np.zeros(len(states), np.bool_)
    _native.chain(array, dtype, (), odd_value, states, is_missing)
    return is_missing.tolist()


class Capsules:
    """Hands over the same capsules again and again."""

    def __init__(self, schema: object, array: object) -> None:
        self.capsules = (schema, array)

    def __arrow_c_array__(self, requested_schema: object = None) -> tuple[object, object]:
        return self.capsules


def test_hand_made_array_is_hashed_and_released_once() -> None:
    array = strings()
    assert hashed(array) == [A, B]
    assert array.releases == 1


def test_view_array_is_hashed() -> None:
    array = views(struct.pack("<i12s", 1, b"a"), view(29, 0, 2))
    assert hashed(array) == [A, reference.fingerprint("key of more than twelve bytes", "text")]


HOSTILE: dict[str, tuple[Callable[[], HandMadeArray], str]] = {
    "negative length": (lambda: strings(length=-1), "length -1 and offset 0 must be in [0, 2**59)"),
    "negative offset": (lambda: strings(offset=-1), "length 2 and offset -1 must be in [0, 2**59)"),
    "overflowing end": (lambda: strings(offset=2**63 - 2), "offset 9223372036854775806 must be in [0, 2**59)"),
    "too few buffers": (lambda: strings(n_buffers=2), "format 'u' needs 3 buffers, got 2"),
    "too many buffers": (lambda: strings(n_buffers=4), "format 'u' needs 3 buffers, got 4"),
    "no buffers": (lambda: strings(buffers=None), "format 'u' needs 3 buffers, got 0"),
    "no format": (lambda: HandMadeArray(None, 0, []), "the schema has no format"),
    "width that is no number": (lambda: HandMadeArray(b"w:x", 1, [None, b"0123"]), "format 'w:x' names no width"),
    "negative width": (lambda: HandMadeArray(b"w:-1", 1, [None, b"0123"]), "format 'w:-1' names no width"),
    "null booleans": (lambda: HandMadeArray(b"b", 1, [None, None]), "the data buffer is null"),
    "null fixed bytes": (lambda: HandMadeArray(b"w:4", 1, [None, None]), "the data buffer is null"),
    "misaligned floats": (lambda: HandMadeArray(b"g", 1, [None, bytes(8)], shift=4), "the data buffer is not align"),
    "null offsets": (lambda: HandMadeArray(b"u", 1, [None, None, b"a"]), "the offsets buffer is null"),
    "null data": (lambda: HandMadeArray(b"z", 1, [None, offsets(0, 1), None]), "the data buffer is null"),
    "null data between equal ends": (
        lambda: HandMadeArray(b"u", 4096, [None, offsets(0, *[5] * 4095, 0), None]),
        "offsets must start at 0 or above and never decrease",
    ),
    "null integers": (lambda: HandMadeArray(b"l", 1, [None, None]), "the data buffer is null"),
    "null views": (lambda: HandMadeArray(b"vu", 1, [None, None, None]), "the views buffer is null"),
    "decreasing offsets": (lambda: HandMadeArray(b"u", 2, [None, offsets(0, 2, 1), b"ab"]), "never decrease"),
    "negative first offset": (lambda: HandMadeArray(b"u", 1, [None, offsets(-1, 1), b"ab"]), "start at 0 or above"),
    "misaligned offsets": (lambda: strings(shift=1), "the offsets buffer is not aligned"),
    "misaligned integers": (lambda: HandMadeArray(b"l", 1, [None, bytes(8)], shift=4), "the data buffer is not align"),
    "nulls without bitmap": (lambda: strings(null_count=1), "the validity buffer is null"),
    "more nulls than rows": (lambda: strings(null_count=3), "null_count 3 does not fit length 2"),
    "negative null count": (lambda: strings(null_count=-2), "null_count -2 does not fit length 2"),
    "children": (lambda: strings(n_children=1), "format 'u' has no children, got 1"),
    "dictionary": (lambda: strings(dictionary=1), "either both schema and array have a dictionary or neither"),
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


BYTES_UNDER_INT64: dict[str, tuple[Callable[[], HandMadeArray], str]] = {
    "no buffers": (lambda: HandMadeArray(b"z", 2, [], buffers=None), "format 'z' needs 3 buffers, got 0"),
    "no data": (lambda: HandMadeArray(b"w:4", 2, [None]), "format 'w:4' needs 2 buffers, got 1"),
    "more nulls than are counted": (
        lambda: HandMadeArray(b"z", 2, [b"\0", offsets(0, 1, 2), b"ab"], null_count=1),
        "null_count counts fewer nulls than the validity buffer has",
    ),
}


@pytest.mark.parametrize(("make", "message"), BYTES_UNDER_INT64.values(), ids=BYTES_UNDER_INT64)
def test_inconsistent_bytes_are_refused_under_int64(make: Callable[[], HandMadeArray], message: str) -> None:
    with pytest.raises(_native.ArrayError, match=f"^arrow array: {message}$"):
        hashed(make(), dtype="int64")


def test_numbers_with_a_buffer_too_many_are_refused_before_it_is_read() -> None:
    array = HandMadeArray(b"c", 4096, [None, bytes(4096), b"x"])
    with pytest.raises(_native.ArrayError, match=r"^arrow array: format 'c' needs 2 buffers, got 3$"):
        hashed(array, np.empty(4096, np.int64))


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


def test_type_without_source_is_unknown() -> None:
    array = HandMadeArray(b"tdD", 1, [None, b"0123"])
    with pytest.raises(_native.UnknownLayoutError, match="no source reads this Arrow type"):
        hashed(array)
    assert array.releases == 1


def test_consumed_capsule_is_refused() -> None:
    capsules = Capsules(*pa.array(["a"]).__arrow_c_array__())
    assert hashed(capsules) == [A]
    with pytest.raises(_native.ArrayError, match="the capsule arrow_array was already consumed"):
        hashed(capsules)


def test_something_that_is_no_capsule_is_refused() -> None:
    schema, array = pa.array(["a"]).__arrow_c_array__()
    with pytest.raises(_native.ArrayError, match="expected a capsule named arrow_schema"):
        hashed(Capsules(None, array))
    with pytest.raises(_native.ArrayError, match="expected a capsule named arrow_array"):
        hashed(Capsules(schema, schema))


def test_something_that_is_no_column_is_refused() -> None:
    with pytest.raises(TypeError, match="values must be a list, a numpy array or an Arrow array, got int"):
        _native.take_rows(3)
    with pytest.raises(ValueError, match="values must be one-dimensional"):
        _native.take_rows(np.zeros((2, 2)))


def test_stream_is_hashed_and_all_of_it_released_once() -> None:
    arrays = [strings(), strings(length=1, offset=1)]
    stream = HandMadeStream(arrays)
    assert hashed(stream) == [A, B, B]
    assert (stream.releases, arrays[0].releases, arrays[1].releases) == (1, 1, 1)


@pytest.mark.parametrize("call", [0, 1, 2])
def test_failure_of_a_stream_is_told_and_its_arrays_are_released(call: int) -> None:
    arrays = [strings(), strings()]
    stream = HandMadeStream(arrays, {call: 5})
    with pytest.raises(_native.ArrayError, match=r"^arrow array: the stream failed: out of data$"):
        hashed(stream)
    assert [array.releases for array in arrays] == [int(call > 1), 0]
    assert stream.releases == 1


def test_array_in_a_stream_with_an_impossible_length_is_refused() -> None:
    with pytest.raises(_native.ArrayError, match=re.escape("length -1 and offset 0 must be in [0, 2**59)")):
        hashed(HandMadeStream([strings(), strings(length=-1)]))


def test_producer_that_fails_is_told_apart() -> None:
    class Broken:
        def __arrow_c_stream__(self, requested_schema: object = None) -> object:
            raise NotImplementedError("no such type")

    with pytest.raises(_native.ExportError, match="no such type"):
        _native.take_rows(Broken())


def test_hashing_does_not_leak_arrow_memory() -> None:
    gc.collect()
    before = pa.total_allocated_bytes()
    for _ in range(10):
        hashed(pa.array(["some text of a length that needs memory"] * 1000))
        hashed(pa.chunked_array([["some text of a length that needs memory"] * 1000] * 2))
    gc.collect()
    assert pa.total_allocated_bytes() == before


def test_list_items_are_text_or_missing() -> None:
    assert hashed(["a", None, "b"]) == [A, -1, B]
    assert hashed(("a", None, b"b")) == [A, -1, B]


def test_odd_items_are_asked_for_by_row() -> None:
    with pytest.raises(LookupError, match="3j at row 2 is odd"):
        hashed(["a", None, 3j])
    with pytest.raises(LookupError, match=r"'\\ud800' at row 1 is odd"):
        hashed(["a", "\ud800"])


def test_answer_for_an_odd_item_takes_its_place() -> None:
    found = _native.fingerprint(["b", 3j, "b", 4j], "text", SEED, (), lambda value, _: b"a" if value == 3j else None)
    assert found.tolist() == [B, A, B, -1]


def test_answer_that_is_odd_itself_is_refused() -> None:
    with pytest.raises(TypeError, match="the key of an odd value must be bytes, int or None"):
        _native.fingerprint([3j], "text", SEED, (), lambda value, _: value)


def test_list_that_shrinks_while_it_is_read_is_refused() -> None:
    values: list[Any] = ["a", 3j, "b"]
    with pytest.raises(_native.ArrayError, match=r"^changed its size while it was read; give a list that no other"):
        _native.fingerprint(values, "text", SEED, (), lambda *_: values.clear())


def test_item_taken_out_of_the_list_while_it_is_read_stays_alive() -> None:
    values: list[Any] = ["a" * 100, complex(3, 3), "b" * 100]

    def replace(*_: object) -> bytes:
        values[:] = [None, None, None]
        gc.collect()
        return b"a"

    assert _native.fingerprint(values, "text", SEED, (), replace).tolist() == [
        reference.fingerprint("a" * 100, "text"),
        A,
        -1,
    ]


def test_list_references_are_given_back() -> None:
    item = "a text that nobody else holds".upper()
    before = sys.getrefcount(item)
    hashed([item] * 100)
    assert sys.getrefcount(item) == before


def test_integers_and_whole_floats_of_every_width_are_hashed() -> None:
    for kind in (*"bhilqBHILQ", *"efd", ">i4", ">f8", "?"):
        assert hashed(np.array([1], kind), dtype="int64") == [reference.fingerprint(1, "int64")]


def test_misaligned_numbers_are_copied_and_hashed() -> None:
    values = np.frombuffer(b"\0" + np.arange(3, dtype="<i8").tobytes(), np.int8)[1:].view(np.int64)
    assert hashed(values, dtype="int64") == [reference.fingerprint(value, "int64") for value in range(3)]


def test_strided_integers_are_hashed() -> None:
    values = np.arange(10, dtype=np.int64)[::-3]
    assert hashed(values, dtype="int64") == [reference.fingerprint(value, "int64") for value in (9, 6, 3, 0)]


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
    assert chained(strings(), states) == [False, False]
    assert states.tolist() == [reference.xxh64(b"a", SEED), reference.xxh64(b"b", 2**64 - 1)]


def test_kernel_runs_without_the_gil() -> None:
    log: list[str] = []
    text = "x" * 8_000_000

    def hash_for_long() -> None:
        log.append("begin")
        hashed([text] * 200)
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
