"""What only a producer that breaks the Arrow interface, or a caller inside the package, can hand to the extension."""

import struct
from collections.abc import Callable
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from reference.arrow_c_streams import HandMadeStream
from reference.arrow_c_structs import HandMadeArray

from polyrank import _native

FIELD: tuple[object, ...] = ("a", "int64", [], 42)
PLAN = _native.TablePlan([("categorical", FIELD)])
BAGS = _native.TablePlan([("bag", FIELD, 3, "")])


class Given:
    def __init__(self, capsules: object) -> None:
        self.capsules = capsules

    def __arrow_c_array__(self) -> object:
        return self.capsules


class Streamed:
    def __init__(self, capsule: object) -> None:
        self.capsule = capsule

    def __arrow_c_stream__(self) -> object:
        return self.capsule


def consumed() -> object:
    capsule = pa.table({"a": [1]}).__arrow_c_stream__()
    PLAN.encode_table(Streamed(capsule), 1)
    return capsule


def failing() -> object:
    def batches() -> Any:
        yield pa.record_batch({"a": [1]})
        raise OSError("the disk is gone")

    return pa.RecordBatchReader.from_batches(pa.schema({"a": pa.int64()}), batches())


BROKEN: dict[str, tuple[object, str]] = {
    "no capsule": (Streamed("x"), r"^arrow table: expected a capsule named arrow_array_stream$"),
    "one capsule": (Given((1,)), r"^arrow table: __arrow_c_array__ must return two capsules$"),
    "swapped capsules": (
        Given(pa.record_batch({"a": [1]}).__arrow_c_array__()[::-1]),
        r"^arrow table: expected a capsule named arrow_array$",
    ),
    "consumed": (Streamed(consumed()), r"^arrow table: the capsule arrow_array_stream was already consumed$"),
    "failing stream": (failing(), r"^arrow table: .*the disk is gone"),
}


@pytest.mark.parametrize(("rows", "message"), BROKEN.values(), ids=BROKEN)
def test_broken_producer_is_refused(rows: object, message: str) -> None:
    with pytest.raises(_native.ArrayError, match=message):
        PLAN.encode_table(rows, 1)


def integers(length: int = 2) -> HandMadeArray:
    return HandMadeArray(b"l", length, [None, struct.pack("<2q", 46, 7)])


def nulls(length: int) -> HandMadeArray:
    return HandMadeArray(b"n", length, [])


def table(*columns: HandMadeArray | None, length: int = 2, offset: int = 0, **counts: int) -> HandMadeArray:
    rows = HandMadeArray(b"+s", length, [None], offset=offset)
    rows.set_children(columns, [b"a", b"b"], **counts)
    return rows


def without_columns(struct: str, **counts: int) -> HandMadeArray:
    rows = table(integers(), **counts)
    getattr(rows, struct).children = None
    return rows


def without_column(struct: str) -> HandMadeArray:
    rows = table(integers())
    getattr(rows, f"_{struct}s")[0] = None
    return rows


def without_values(struct: str) -> HandMadeArray:
    column = HandMadeArray(b"+l", 2, [None, bytes(12)])
    column.set_children([integers()])
    getattr(column, f"_{struct}s")[0] = None
    return table(column)


HOSTILE: dict[str, tuple[_native.TablePlan, Callable[[], object], str]] = {
    "columns below 0": (
        PLAN,
        lambda: table(integers(), schema=-1, array=-1),
        "the schema counts -1 columns, but lists none",
    ),
    "schema without columns": (PLAN, lambda: without_columns("schema"), "the schema counts 1 columns, but lists none"),
    "array without columns": (PLAN, lambda: without_columns("array"), "a chunk counts 1 columns, but lists none"),
    "counts that differ": (PLAN, lambda: table(integers(), array=2), "a chunk has 2 columns, its schema 1"),
    "null column": (PLAN, lambda: table(None), "column 0 of the schema is null"),
    "null schema of a column": (PLAN, lambda: without_column("schema"), "column 0 of the schema is null"),
    "null array of a column": (PLAN, lambda: without_column("array"), "column 0 of a chunk is null"),
    "short column": (PLAN, lambda: table(integers(1)), r"column 'a' has 1 rows, but its table reads \[0, 2\)"),
    "offset below 0": (
        PLAN,
        lambda: table(HandMadeArray(b"l", 2, [None, bytes(16)], offset=-1), length=1, offset=1),
        "offset -1 of column 'a' must be 0 or above and fit 64 bits together with its table's",
    ),
    "null schema of values": (BAGS, lambda: without_values("schema"), "column 'a': arrow array: a list has one child"),
    "null array of values": (BAGS, lambda: without_values("array"), "column 'a': arrow array: a list has one child"),
    "too many rows": (
        PLAN,
        lambda: HandMadeStream([table(nulls(size), length=size) for size in (2**63 - 2, 2**63 - 2, 7)]),
        "chunks have more rows together than 63 bits count",
    ),
}


@pytest.mark.parametrize(("plan", "make", "message"), HOSTILE.values(), ids=HOSTILE)
def test_table_that_contradicts_itself_is_refused(
    plan: _native.TablePlan, make: Callable[[], Any], message: str
) -> None:
    rows = make()
    with pytest.raises(_native.ArrayError, match=message):
        plan.encode_table(rows, 1)
    assert rows.releases == 1


def test_array_beyond_all_memory_is_refused_in_one_line() -> None:
    plan = _native.TablePlan([("bag", FIELD, 2**20, "")])
    message = r"^no memory for an array of 1099511627776 rows of 1048576 columns; encode fewer rows at a time$"
    with pytest.raises(MemoryError, match=message):
        plan.encode_table(table(nulls(2**40), length=2**40), 1)


GROUPS: dict[str, tuple[tuple[object, ...], str]] = {
    "kind": (("other", FIELD), "kind must be categorical, bag, cross, ngrams, number or vector, got other"),
    "dtype": (("categorical", ("a", "float", [], 42)), "dtype must be text or int64, got float"),
    "parts": (("cross", []), "a cross needs at least one part, got none"),
    "sizes": (("ngrams", FIELD, [1, 0], 3), "sizes of n-grams must be 1 or above, got 0"),
}


@pytest.mark.parametrize(("group", "message"), GROUPS.values(), ids=GROUPS)
def test_wrong_group_is_refused(group: tuple[object, ...], message: str) -> None:
    with pytest.raises(ValueError, match=f"^{message}$"):
        _native.TablePlan([group])


def test_struct_with_null_rows_is_no_table() -> None:
    rows = pa.StructArray.from_arrays([pa.array([1, 2])], ["a"], mask=pa.array([False, True]))
    assert PLAN.encode_table(rows, 1) is None


def test_sliced_struct_is_a_table() -> None:
    rows = pa.StructArray.from_arrays([pa.array([1, 2, 3])], ["a"])[1:2]
    found = PLAN.encode_table(rows, 1)
    assert isinstance(found, tuple)
    assert found[0].tolist() == _native.fingerprint([2], "int64", 42, [], lambda value, _: value)[:, None].tolist()


def dictionary(*indices: int) -> pa.DictionaryArray:
    return pa.DictionaryArray.from_arrays(pa.array(indices), pa.array([46]), safe=False)


def test_wrong_dictionary_index_is_told_with_its_row_in_the_table() -> None:
    rows = pa.table({"a": pa.chunked_array([dictionary(0, 0, 0), dictionary(0, 9)])})
    message = r"^column 'a': arrow array: dictionary index 9 at row 5 must be in \[0, 1\)$"
    with pytest.raises(_native.ArrayError, match=message):
        PLAN.encode_table(rows, 1)


def test_wrong_dictionary_index_in_lists_is_told_with_its_place() -> None:
    rows = pa.table({"a": pa.ListArray.from_arrays([0, 2, 3], dictionary(0, 0, 9))})
    message = r"^column 'a': arrow array: dictionary index 9 at list value 3 must be in \[0, 1\)$"
    with pytest.raises(_native.ArrayError, match=message):
        BAGS.encode_table(rows, 1)


def test_column_without_rows_is_no_table() -> None:
    assert PLAN.encode_table(pa.table({"a": pa.array([], pa.int64())}), 1) is None


def test_rows_that_grow_before_they_are_read_are_left_to_the_slower_way() -> None:
    rows, memory = [{"a": 7}], np.zeros((2, 1), np.int64)

    class Growing(tuple[Any, ...]):
        __slots__ = ()

        def __len__(self) -> int:
            rows.append({"a": 7})
            return 3

    out: Any = Growing((memory[:1], None, np.empty((1, 0), np.float32)))
    assert PLAN.encode_dicts(rows, out) is None
    assert memory.tolist() == [[0], [0]]


def test_dicts_with_keys_that_compare_in_python_are_read() -> None:
    class Key(str):
        __slots__ = ()

        def __hash__(self) -> int:
            return hash("a")

        def __eq__(self, other: object) -> bool:
            return bool(other == "a")

    found = PLAN.encode_dicts([{Key("b"): 7}])
    assert found is not None
    assert found[0].tolist() == [[_native.fingerprint_one(7, "int64", 42)]]
