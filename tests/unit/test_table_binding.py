"""What only a producer that breaks the Arrow interface, or a caller inside the package, can hand to the extension."""

from typing import Any

import pyarrow as pa
import pytest

from polyrank import _native

FIELD: tuple[object, ...] = ("a", "int64", [], 42)
PLAN = _native.TablePlan([("categorical", FIELD)])


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
    "one capsule": (Given((1,)), r"^arrow table: expected two capsules$"),
    "swapped capsules": (
        Given(pa.record_batch({"a": [1]}).__arrow_c_array__()[::-1]),
        r"^arrow table: expected a capsule named arrow_schema$",
    ),
    "consumed": (Streamed(consumed()), r"^arrow table: the capsule arrow_array_stream was already consumed$"),
    "failing stream": (failing(), r"^arrow table: .*the disk is gone"),
}


@pytest.mark.parametrize(("rows", "message"), BROKEN.values(), ids=BROKEN)
def test_broken_producer_is_refused(rows: object, message: str) -> None:
    with pytest.raises(_native.ArrayError, match=message):
        PLAN.encode_table(rows, 1)


GROUPS: dict[str, tuple[tuple[object, ...], str]] = {
    "kind": (("other", FIELD), "kind must be categorical, bag, cross, ngrams or number, got other"),
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


def test_column_without_rows_is_no_table() -> None:
    assert PLAN.encode_table(pa.table({"a": pa.array([], pa.int64())}), 1) is None


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
