import re
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal
from reference.fingerprint_v1 import fingerprint

from polyrank.batch import hashed_columns
from polyrank.encoder import Encoder
from polyrank.errors import DataError, SchemaError
from polyrank.features import BagFeature, CategoricalFeature, SequenceFeature
from polyrank.models.attention import TargetAttention
from polyrank.models.embedding import FusedTable
from polyrank.schema import Schema
from polyrank.tasks import BinaryTask

ITEM = CategoricalFeature(name="item", dtype="int64", num_buckets=9, embedding_dim=2)
TABLE: dict[str, Any] = {"dtype": "int64", "num_buckets": 9, "max_length": 2}
OLDEST = SequenceFeature(name="seen", **TABLE)
NEWEST = SequenceFeature(name="seen", order="newest_first", **TABLE)
ATTENDING = SequenceFeature(name="seen", max_length=3, shares="item", pooling="attention")
LISTS: list[list[int | None] | None] = [[1, 2, 3], [], None, [4], [5, None, 6]]


def schema_of(*features: BagFeature | CategoricalFeature | SequenceFeature) -> Schema:
    return Schema(name="toy", features=features, tasks=(BinaryTask(name="click", label="is_click"),)).resolved()


def hashed(*values: int | None) -> list[int]:
    return [*(fingerprint(value, "int64") for value in values), -1, -1][:2]


FORMS: dict[str, Any] = {
    "list": lambda kind: pa.array(LISTS, pa.list_(kind)),
    "large list": lambda kind: pa.array(LISTS, pa.large_list(kind)),
    "list view": lambda kind: pa.array(LISTS, pa.list_view(kind)),
    "sliced": lambda kind: pa.array([[9], *LISTS, [9]], pa.list_(kind))[1:6],
    "chunks": lambda kind: pa.chunked_array([LISTS[:2], LISTS[2:]], pa.list_(kind)),
}


@pytest.mark.parametrize("form", FORMS)
def test_last_values_are_kept_in_order(form: str) -> None:
    ids = Encoder(schema_of(OLDEST)).encode(pa.table({"seen": FORMS[form](pa.int64())})).ids
    assert ids.tolist() == [hashed(2, 3), hashed(), hashed(), hashed(4), hashed(None, 6)]


def test_last_values_of_dicts_are_kept() -> None:
    rows = [{"seen": [1, "2", 3.0]}, {"seen": ()}, {"seen": None}, {"seen": np.array([4, 5, 6])}]
    expected = [hashed(2, 3), hashed(), hashed(), hashed(5, 6)]
    assert Encoder(schema_of(OLDEST)).encode(rows).ids.tolist() == expected


def test_fixed_size_lists_are_cut() -> None:
    lists = pa.array([[1, 2, 3], None], pa.list_(pa.int64(), 3))
    assert Encoder(schema_of(OLDEST)).encode(pa.table({"seen": lists})).ids.tolist() == [hashed(2, 3), hashed()]


def test_first_values_are_kept_of_newest_first() -> None:
    ids = Encoder(schema_of(NEWEST)).encode(pa.table({"seen": LISTS})).ids
    assert ids.tolist() == [hashed(1, 2), hashed(), hashed(), hashed(4), hashed(5, None)]


def test_what_is_no_list_is_refused() -> None:
    with pytest.raises(DataError, match=r"^column 'seen' holds int64; a bag takes lists$"):
        Encoder(schema_of(OLDEST)).encode(pa.table({"seen": [1]}))


def test_wrong_value_is_named_by_its_row() -> None:
    with pytest.raises(DataError, match=r"^column 'seen' holds 'x' at row 2; "):
        Encoder(schema_of(OLDEST)).encode(pa.table({"seen": [["1", "2", "3"], ["1", "2", "x"]]}))


def test_sequence_is_hashed_whole_in_files() -> None:
    (column,) = hashed_columns(schema_of(OLDEST))
    assert (column.is_bag, column.output) == (True, "seen_fingerprint")


def attended(unit: TargetAttention, values: np.ndarray[Any, Any], target: np.ndarray[Any, Any]) -> list[float]:
    """Return equation 3 of the paper for one row, in float64."""
    first, slope, second = unit.unit
    weight, bias = (parameter.detach().double().numpy() for parameter in first.parameters())
    last, offset = (parameter.detach().double().numpy() for parameter in second.parameters())
    leak = float(next(slope.parameters()).detach())
    total = np.zeros(len(target))
    for value in values:
        hidden = weight @ np.concatenate([value, target, value - target, value * target]) + bias
        total += (last @ np.where(hidden > 0.0, hidden, leak * hidden) + offset)[0] * value
    result: list[float] = total.tolist()
    return result


def test_attention_is_the_papers_sum_over_present_values() -> None:
    torch.manual_seed(0)
    unit = TargetAttention(2)
    vectors, target = torch.randn(2, 3, 2), torch.randn(2, 2)
    present = torch.tensor([[True, False, True], [True, True, True]])
    found = unit(vectors, present, target).detach().numpy()
    wide, aim = vectors.double().numpy(), target.double().numpy()
    expected = [attended(unit, wide[0, [0, 2]], aim[0]), attended(unit, wide[1], aim[1])]
    assert_allclose(found, expected, rtol=1e-5)


@pytest.mark.parametrize(
    "features", [(ATTENDING, ITEM), (ITEM, OLDEST, ATTENDING.__class__(name="s2", max_length=3, shares="item"))]
)
def test_empty_sequence_is_zero(features: tuple[Any, ...]) -> None:
    schema = schema_of(*features)
    table = FusedTable(schema, 2)
    width = Encoder(schema).num_slots
    vectors = table(torch.full((1, width), -1)).detach().numpy()[0]
    assert_array_equal(vectors[:2] if features[0] is ATTENDING else vectors[2:], 0.0)


@pytest.mark.parametrize("order", ["before", "behind"])
def test_attention_looks_at_the_target_wherever_it_lies(order: str) -> None:
    torch.manual_seed(0)
    features = (ITEM, ATTENDING) if order == "before" else (ATTENDING, ITEM)
    table = FusedTable(schema_of(*features), 2)
    item, seen = [4], [1, 2, -1]
    ids = torch.tensor([item + seen if order == "before" else seen + item])
    vectors = table(ids).detach().numpy()[0]
    rows = table.weight.detach().double().numpy()
    expected = attended(table.attention[0], rows[[2, 3]], rows[5])  # type: ignore[arg-type]
    assert_allclose(vectors[2:] if order == "before" else vectors[:2], expected, rtol=1e-4, atol=1e-9)


def test_target_is_the_feature_whose_table_is_shared() -> None:
    other = CategoricalFeature(name="other", shares="item")
    assert (
        schema_of(ATTENDING, ITEM).features[0]
        == schema_of(
            SequenceFeature(name="seen", max_length=3, shares="item", pooling="attention", target="item"), ITEM
        ).features[0]
    )
    named = SequenceFeature(name="seen", max_length=3, shares="item", pooling="attention", target="other")
    assert schema_of(named, ITEM, other).feature_columns == ("seen", "item", "other")


@pytest.mark.parametrize(
    ("sequence", "message"),
    [
        (
            SequenceFeature(name="seen", pooling="attention", **TABLE),
            "$.features[0].target must name a categorical feature whose table the sequence shares, got none (",
        ),
        (
            SequenceFeature(name="seen", pooling="attention", target="item", **TABLE),
            "$.features[0].target must name a categorical feature whose table the sequence shares, got 'item'",
        ),
        (
            SequenceFeature(name="seen", pooling="attention", max_length=2, shares="item", target="itm"),
            "$.features[0].target must name a categorical feature whose table the sequence shares, got 'itm' (fea",
        ),
        (
            SequenceFeature(name="seen", max_length=2, shares="item", target="item"),
            """$.features[0].target must be left out unless pooling is "attention", got 'item' (feature 'seen')""",
        ),
        (
            SequenceFeature(name="seen", max_length=0, shares="item"),
            "$.features[0].max_length must be in [1, 10001), got 0 (feature 'seen')",
        ),
    ],
)
def test_wrong_sequence_is_refused_with_its_path(sequence: SequenceFeature, message: str) -> None:
    with pytest.raises(SchemaError, match="^" + re.escape(message)):
        schema_of(sequence, ITEM)
