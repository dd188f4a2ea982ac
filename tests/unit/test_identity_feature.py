import re
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
import torch
from numpy.testing import assert_array_equal
from reference.fingerprint_v1 import cross

from polyrank.batch import hashed_columns, hashed_crosses
from polyrank.encoder import Batch, Encoder
from polyrank.errors import DataError, SchemaError
from polyrank.features import BagFeature, CategoricalFeature, CrossFeature, HashedFeature, SequenceFeature
from polyrank.models.embedding import FusedTable
from polyrank.schema import Schema
from polyrank.tasks import BinaryTask
from polyrank.train import TrainConfig, fit

ITEM = CategoricalFeature(name="item", identity=True, num_buckets=9, embedding_dim=2, missing=("NA", "8"))
SEEN = SequenceFeature(name="seen", shares="item", max_length=2)
LIKED = BagFeature(name="liked", shares="item", max_length=2)


def schema_of(*features: HashedFeature) -> Schema:
    return Schema(name="toy", features=features, tasks=(BinaryTask(name="click", label="is_click"),)).resolved()


FORMS: dict[str, Any] = {
    "int64": pa.array([0, 7, None, 8, 12], pa.int64()),
    "uint8": pa.array([0, 7, None, 8, 12], pa.uint8()),
    "floats": pa.array([0.0, 7.0, float("nan"), 8.0, 12.0]),
    "text": pa.array(["0", "007", "NA", "8", "12"]),
    "views": pa.array(["0", "007", "NA", "8", "12"], pa.string_view()),
    "dictionary": pa.array(["0", "7", None, "8", "12"]).dictionary_encode(),
    "dictionary of views": pa.DictionaryArray.from_arrays(
        pa.array([0, 1, None, 2, 3]), pa.array(["0", "7", "8", "12"], pa.string_view())
    ),
    "dictionary of integers": pa.array([0, 7, None, 8, 12]).dictionary_encode(),
    "chunks": pa.chunked_array([[0, 7], [None, 8, 12]]),
}


@pytest.mark.parametrize("form", FORMS)
def test_slots_are_the_ids_themselves(form: str) -> None:
    ids = Encoder(schema_of(ITEM)).encode(pa.table({"item": FORMS[form]})).ids
    assert ids.tolist() == [[0], [7], [-1], [-1], [12]]


def test_ids_of_python_values_of_several_types() -> None:
    rows = [{"item": value} for value in (0, "7", None, 8.0, np.int8(3), True, "NA")]
    assert Encoder(schema_of(ITEM)).encode(rows).ids[:, 0].tolist() == [0, 7, -1, -1, 3, 1, -1]


def test_ids_of_a_pandas_frame() -> None:
    frame = pd.DataFrame({"item": [0.0, 7.0, None]})
    assert Encoder(schema_of(ITEM)).encode(frame).ids[:, 0].tolist() == [0, 7, -1]


def test_ids_in_lists_lie_beside_hashes() -> None:
    word = CategoricalFeature(name="word", dtype="int64", num_buckets=9)
    rows = {"seen": [[1, 2, 3], None], "liked": [["4", "5"], []], "word": [7, 7], "item": [0, 1]}
    ids = Encoder(schema_of(SEEN, word, LIKED, ITEM)).encode(pa.table(rows)).ids
    hashed = cross([(7, "int64")])
    assert ids.tolist() == [[2, 3, hashed, 4, 5, 0], [-1, -1, hashed, -1, -1, 1]]


def test_cross_of_identities_is_hashed() -> None:
    both = CrossFeature(name="both", features=("item", "item"), num_buckets=9)
    ids = Encoder(schema_of(ITEM, both)).encode([{"item": 3}]).ids
    assert ids.tolist() == [[3, cross([(3, "int64"), (3, "int64")])]]


def test_buffer_may_be_memory_of_the_rows() -> None:
    memory = np.arange(5, dtype=np.int64)
    table = pa.table({"item": pa.array(memory)})
    out = Batch(memory.reshape(5, 1), np.empty((5, 0), np.float32))
    assert Encoder(schema_of(ITEM)).encode(table, out=out).ids is out.ids
    assert memory.tolist() == [0, 1, 2, 3, 4]


def test_id_out_of_range_has_the_row_of_the_missing() -> None:
    table = FusedTable(schema_of(ITEM), 2)
    ids = torch.tensor([[0], [8], [9], [-1], [-5], [2**63 - 1], [2**62]])
    rows = table.weight.detach()[[1, 9, 0, 0, 0, 0, 0]]
    assert_array_equal(table(ids).detach().numpy(), rows.numpy())


def test_id_out_of_range_does_not_count_in_a_bag() -> None:
    table = FusedTable(schema_of(LIKED, ITEM), 2)
    pooled = table(torch.tensor([[3, 9, 0], [9, -1, 0]])).detach()[:, :2]
    assert_array_equal(pooled.numpy(), torch.stack([table.weight.detach()[4], torch.zeros(2)]).numpy())


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        ({"item": [1, 9], "seen": [[1], [1]]}, "column 'item' holds 9 at row 2; ids in [0, 9) expected, since the f"),
        ({"item": [-1, 1], "seen": [[1], [1]]}, "column 'item' holds -1 at row 1; ids in [0, 9) expected"),
        ({"item": ["NA", "10"], "seen": [[1], [1]]}, "column 'item' holds 10 at row 2; ids in [0, 9) expected"),
        ({"item": [1, 1], "seen": [[1, 2], [3, 99]]}, "column 'seen' holds 99 at row 2; ids in [0, 9) expected"),
        ({"item": [1, 1.5], "seen": [[1], [1]]}, "column 'item' holds 1.5 at row 2; whole numbers expected"),
    ],
)
def test_id_out_of_range_is_refused_in_training(columns: dict[str, Any], message: str, tmp_path: Any) -> None:
    rows = pa.concat_tables([pa.table({**columns, "is_click": [0, 1]})] * 10)
    with pytest.raises(DataError, match="^" + re.escape(message)):
        fit(schema_of(ITEM, SEEN), rows, out=tmp_path / "run", config=TrainConfig(), progress=False)


@pytest.mark.parametrize("wrong", [-1, "9", 9.0])
def test_id_out_of_range_in_dicts_is_refused_by_row(wrong: Any) -> None:
    with pytest.raises(DataError, match=r"^column 'item' holds (-1|9) at row 2; ids in \[0, 9\) expected"):
        Encoder(schema_of(ITEM), strict=True).encode([{"item": 0}, {"item": wrong}])


def test_identity_is_int64_and_shared_with_the_table() -> None:
    features = schema_of(SEEN, LIKED, ITEM).features
    assert [(f.identity, f.dtype, f.num_buckets) for f in features if not isinstance(f, CrossFeature)] == [  # type: ignore[union-attr]
        (True, "int64", 9)
    ] * 3


def test_files_get_no_fingerprints_of_identities_but_of_their_crosses() -> None:
    both = CrossFeature(name="both", features=("item", "item"), num_buckets=9)
    schema = schema_of(ITEM, LIKED, both)
    assert hashed_columns(schema) == ()
    assert [part.name for part in hashed_crosses(schema)[0].parts] == ["item", "item"]


@pytest.mark.parametrize(
    ("features", "message"),
    [
        (
            (CategoricalFeature(name="item", identity=True, dtype="text", num_buckets=9),),
            """$.features[0].dtype must be left out or "int64" with identity, got 'text' (feature 'item')""",
        ),
        ((CategoricalFeature(name="item", identity=True),), "$.features[0].num_buckets is missing (feature 'item')"),
        (
            (
                CategoricalFeature(name="item", dtype="int64", num_buckets=9),
                BagFeature(name="liked", shares="item", identity=True, max_length=2),
            ),
            "$.features[1].identity must be left out or equal that of 'item', whose table is shared (feature 'liked')",
        ),
    ],
)
def test_wrong_identity_is_refused_with_its_path(features: tuple[HashedFeature, ...], message: str) -> None:
    with pytest.raises(SchemaError, match="^" + re.escape(message)):
        schema_of(*features)
