"""Features of every kind, and what moves between two data sets."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from artefacts.compared import (
    AGE,
    BUCKET,
    CROSS,
    IDENTITY,
    ITEM,
    PLACE,
    SEEN,
    SPLIT,
    TAGS,
    TITLE,
    WEIGHTED,
    WORD,
    Columns,
    Compared,
    cycle,
    only,
    values,
)
from artefacts.runs import EVERY_TASK, FEATURES, labelled, make_rows, make_schema_of

from polyrank.drift import Limits


@pytest.fixture
def compared(tmp_path: Path) -> Compared:
    return Compared(tmp_path)


@pytest.mark.parametrize("features", FEATURES)
def test_same_rows_of_every_kind_did_not_move(compared: Compared, features: str) -> None:
    rows = pa.Table.from_pylist(labelled(make_rows(80)))
    result = compared(FEATURES[features], rows, rows, EVERY_TASK)
    assert {value for drift in result.drifts for value in values(drift).values()} == {0.0}
    assert {drift.ks for drift in result.drifts} <= {0.0, None}
    assert result.drifted == ()


@pytest.mark.parametrize("features", FEATURES)
def test_every_feature_with_a_column_is_compared(compared: Compared, features: str) -> None:
    rows = pa.Table.from_pylist(labelled(make_rows(20)))
    schema = make_schema_of(*FEATURES[features])
    found = [drift.name for drift in compared(FEATURES[features], rows, rows).drifts if drift.part == "feature"]
    neighbours = {feature.name for feature in schema.neighbors_features}
    assert sorted(found) == sorted({feature.name for feature in schema.features} - neighbours)


def test_one_row_each_proves_nothing(compared: Compared) -> None:
    one = {"word": ["a"], "age": [1.0], "tags": [["x"]], "place": [[1.0, 2.0]], "is_click": [1]}
    other = {"word": ["b"], "age": [9.0], "tags": [["y", "z"]], "place": [[5.0, -2.0]], "is_click": [0]}
    result = compared((WORD, AGE, TAGS, PLACE), one, other)
    assert len(result.drifts) == 5
    assert result.drifted == ()


MOVED: dict[str, tuple[str, Columns, Columns, tuple[str, float, float]]] = {
    "text": (WORD, {"word": cycle("abcd")}, {"word": cycle("abce")}, ("e", 0.0, 0.25)),
    "integers": (ITEM, {"item": cycle([1, 2, 3])}, {"item": cycle([1, 2, 7])}, ("7", 0.0, 1 / 3)),
    "floats": (ITEM, {"item": cycle([1.0, 2.0])}, {"item": cycle([1.0, 7.0])}, ("7", 0.0, 0.5)),
    "bytes": (WORD, {"word": cycle([b"a", b"b"])}, {"word": cycle([b"a", b"c"])}, ("c", 0.0, 0.5)),
    "identity": (IDENTITY, {"item": cycle([1, 2])}, {"item": cycle([1, 30])}, ("30", 0.0, 0.5)),
    "bags": (TAGS, {"tags": cycle([["x", "y"]])}, {"tags": cycle([["x", "z"]])}, ("z", 0.0, 0.5)),
    "texts of lists": (SPLIT, {"tags": cycle(["x,y"])}, {"tags": cycle(["x,z"])}, ("z", 0.0, 0.5)),
    "sequences": (SEEN, {"seen": cycle([[0, 5, 6]])}, {"seen": cycle([[0, 5, 7]])}, ("7", 0.0, 0.5)),
}


@pytest.mark.parametrize("case", MOVED)
def test_value_that_moved_is_named(compared: Compared, case: str) -> None:
    feature, reference, current, (value, before, after) = MOVED[case]
    drift = only(compared((feature,), reference, current))
    assert drift.drifted
    found = {move.value: (move.reference, move.current) for move in drift.moves}
    assert found[value] == pytest.approx((before, after))


def test_cross_that_moved_is_named_by_its_parts(compared: Compared) -> None:
    reference = {"word": cycle("ab"), "item": cycle([1, 2])}
    current = {"word": cycle("ab"), "item": cycle([2, 1])}
    drifts = {drift.name: drift for drift in compared((CROSS, WORD, ITEM), reference, current).drifts}
    assert [name for name, drift in drifts.items() if drift.drifted] == ["both"]
    assert {move.value for move in drifts["both"].moves} <= {"a x 1", "a x 2", "b x 1", "b x 2"}


def test_words_of_a_text_move_without_a_name(compared: Compared) -> None:
    drift = only(compared((TITLE,), {"title": cycle(["new york"])}, {"title": cycle(["old york"])}))
    assert drift.drifted
    assert drift.new == 0.5
    assert drift.moves == ()


def test_ids_are_the_same_as_numbers_and_as_text(compared: Compared) -> None:
    reference = {"item": cycle([1, 2, 3])}
    current = {"item": cycle(["1", "2", "3"])}
    assert set(values(only(compared((ITEM,), reference, current))).values()) == {0.0}


def test_truth_values_are_text_of_their_own(compared: Compared) -> None:
    drift = only(compared((WORD,), {"word": cycle([True, False])}, {"word": cycle(["true", "false"])}))
    assert values(drift)["psi"] == 0.0


def test_integers_and_floats_are_the_same_numbers(compared: Compared) -> None:
    drift = only(compared((AGE,), {"age": cycle([1, 2])}, {"age": cycle([1.0, 2.0])}))
    assert (values(drift)["psi"], drift.ks) == (0.0, 0.0)


NUMBERS: dict[str, tuple[str, Columns, Columns]] = {
    "numeric": (AGE, {"age": cycle([1.0, 2.0, 3.0])}, {"age": cycle([2.0, 3.0, 4.0])}),
    "bucketized": (BUCKET, {"age": cycle([1.0, 2.0, 3.0])}, {"age": cycle([2.0, 3.0, 4.0])}),
    "vector": (PLACE, {"place": cycle([[0.0, 1.0], [0.0, 2.0]])}, {"place": cycle([[0.0, 1.0], [0.0, 5.0]])}),
    "constant": (AGE, {"age": cycle([1.0])}, {"age": cycle([2.0])}),
}


@pytest.mark.parametrize("case", NUMBERS)
def test_numbers_that_moved_drift(compared: Compared, case: str) -> None:
    drift = only(compared(NUMBERS[case][:1], *NUMBERS[case][1:]))
    assert drift.drifted
    assert drift.kind == (case if case in ("bucketized", "vector") else "numeric")
    assert drift.ks is not None
    assert drift.ks > 0.3


def test_column_of_a_vector_that_moved_is_told(compared: Compared) -> None:
    assert only(compared(NUMBERS["vector"][:1], *NUMBERS["vector"][1:])).column == 1


MISSING: dict[str, tuple[str, Columns, Columns]] = {
    "null": (WORD, {"word": cycle("abc")}, {"word": cycle([*"abc", None])}),
    "all null": (WORD, {"word": cycle("abc")}, {"word": pa.nulls(600)}),
    "NaN": (AGE, {"age": cycle([1.0, 2.0])}, {"age": cycle([1.0, 2.0, np.nan])}),
    "all NaN": (AGE, {"age": cycle([1.0, 2.0])}, {"age": cycle([np.nan])}),
    "empty lists": (TAGS, {"tags": cycle([["x"]])}, {"tags": cycle([["x"], []])}),
    "null lists": (TAGS, {"tags": cycle([["x"]])}, {"tags": cycle([["x"], None])}),
    "lists of null": (TAGS, {"tags": cycle([["x"]])}, {"tags": cycle([["x"], [None]])}),
    "null vectors": (PLACE, {"place": cycle([[1.0, 2.0]])}, {"place": cycle([[1.0, 2.0], None])}),
}


@pytest.mark.parametrize("case", MISSING)
def test_values_that_went_missing_drift(compared: Compared, case: str) -> None:
    feature, reference, current = MISSING[case]
    drift = only(compared((feature,), reference, current))
    assert drift.drifted
    assert drift.reference.missing == 0.0
    assert values(drift)["missing"] == drift.current.missing > 0.2


@pytest.mark.parametrize(("feature", "column"), [(WORD, "word"), (AGE, "age"), (TAGS, "tags"), (PLACE, "place")])
def test_column_that_is_missing_in_all_rows_of_both_did_not_move(compared: Compared, feature: str, column: str) -> None:
    drift = only(compared((feature,), {column: pa.nulls(50)}, {column: pa.nulls(70)}))
    assert (drift.reference.missing, drift.current.missing, drift.excess) == (1.0, 1.0, 0.0)


def test_lists_that_grow_drift_by_their_lengths(compared: Compared) -> None:
    drift = only(compared((TAGS,), {"tags": cycle([["x"], ["y"]])}, {"tags": cycle([["x", "y"], ["y", "x"]])}))
    assert (drift.reference.length, drift.current.length) == (1.0, 2.0)
    assert [measure.name for measure in drift.measures if measure.value > measure.limit] == ["lengths"]


def test_weights_of_a_list_drift(compared: Compared) -> None:
    reference = {"tags": cycle([["x", "y"]]), "shares": cycle([[0.1, 0.2]])}
    current = {"tags": cycle([["x", "y"]]), "shares": cycle([[0.8, 0.9]])}
    drift = only(compared((WEIGHTED,), reference, current))
    assert [measure.name for measure in drift.measures if measure.value > measure.limit] == ["weights"]


def test_ids_that_are_seen_once_each_did_not_drift(compared: Compared) -> None:
    drift = only(compared((ITEM,), {"item": range(600)}, {"item": range(600, 1_200)}))
    assert (drift.new, drift.expected_new, drift.drifted) == (1.0, 1.0, False)


def test_ids_that_are_new_where_all_were_seen_often_drift(compared: Compared) -> None:
    drift = only(compared((ITEM,), {"item": cycle(range(200))}, {"item": cycle(range(100, 300))}))
    assert (drift.new, drift.expected_new) == (0.5, 0.0)
    assert values(drift)["new"] == 0.5


def test_limit_is_never_below_what_chance_gives(compared: Compared) -> None:
    drift = only(compared((WORD,), {"word": cycle("ab", 20)}, {"word": cycle("aaab", 20)}, limits=Limits(psi=1e-6)))
    assert all(measure.limit >= measure.chance for measure in drift.measures)
    assert not drift.drifted


def test_furthest_beyond_its_limit_comes_first(compared: Compared) -> None:
    reference = {"word": cycle("abcd"), "item": cycle([1, 2]), "age": cycle([1.0, 2.0])}
    current = {"word": cycle("aaab"), "item": cycle([8, 9]), "age": cycle([1.0, 2.0])}
    found = compared((AGE, WORD, ITEM), reference, current).drifts
    assert [drift.name for drift in found] == ["item", "word", "age"]
    assert [drift.drifted for drift in found] == [True, True, False]
