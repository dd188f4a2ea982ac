import re

import pytest
from reference.fingerprint_v1 import cross

from polyrank.batch import hashed_columns, hashed_crosses
from polyrank.encoder import Encoder, slot_layout
from polyrank.errors import DataError, SchemaError
from polyrank.schema import Schema

USER = '{ name = "user", kind = "categorical", dtype = "int64", num_buckets = 9, missing = ["0"] }'
CITY = '{ name = "city", kind = "categorical", dtype = "text", num_buckets = 9 }'
TAGS = '{ name = "tags", kind = "bag", dtype = "text", num_buckets = 9, max_length = 2 }'
BOTH = '{ name = "both", kind = "cross", features = ["city", "user"], num_buckets = 9 }'


def schema_of(*features: str) -> Schema:
    task = '{ name = "click", kind = "binary", label = "is_click" }'
    return Schema.from_toml(f'name = "toy"\nfeatures = [{", ".join(features)}]\ntasks = [{task}]')


def test_cross_chains_its_parts_in_order() -> None:
    encoder = Encoder(schema_of(BOTH, USER, CITY))
    ids = encoder.encode([{"user": "46", "city": "Rome"}, {"user": 7, "city": ""}]).ids
    assert ids[:, 0].tolist() == [
        cross([("Rome", "text"), (46, "int64")]),
        cross([("", "text"), (7, "int64")]),
    ]


def test_cross_is_missing_where_a_part_is() -> None:
    rows = [{"user": None, "city": "Rome"}, {"user": 7, "city": None}, {"user": 0, "city": "Rome"}]
    assert Encoder(schema_of(USER, CITY, BOTH)).encode(rows).ids[:, 2].tolist() == [-1, -1, -1]


def test_cross_needs_the_columns_of_its_parts_once() -> None:
    schema = schema_of(BOTH, USER, CITY)
    assert schema.feature_columns == ("city", "user")
    assert schema.training_columns == ("city", "user", "is_click")
    assert schema.text_columns == ("city",)


def test_cross_is_one_slot_with_a_table_of_its_own() -> None:
    layout = [(slots.feature.name, slots.start, slots.stop) for slots in slot_layout(schema_of(USER, BOTH, TAGS, CITY))]
    assert layout == [("user", 0, 1), ("both", 1, 2), ("tags", 2, 4), ("city", 4, 5)]
    assert schema_of(USER, BOTH, CITY).hashed_features[1].embedding_dim == 16


def test_wrong_value_of_a_part_is_named_by_its_column() -> None:
    with pytest.raises(DataError, match=r"^column 'user' holds 'x' at row 2; "):
        Encoder(schema_of(BOTH, USER, CITY)).encode([{"user": 1, "city": "a"}, {"user": "x", "city": "a"}])


def test_crosses_of_a_schema_are_hashed_in_files_under_their_names() -> None:
    schema = schema_of(USER, BOTH, CITY)
    assert [column.output for column in hashed_columns(schema)] == ["user_fingerprint", "city_fingerprint"]
    (found,) = hashed_crosses(schema)
    assert found.output == "both_fingerprint"
    assert [(part.name, part.dtype) for part in found.parts] == [("city", "text"), ("user", "int64")]


@pytest.mark.parametrize(
    ("features", "message"),
    [
        (
            (USER, CITY, BOTH.replace('"city"', '"ctiy"')),
            "$.features[2].features[0] must name a categorical feature, got 'ctiy' (feature 'both'); did you",
        ),
        (
            (USER, TAGS, BOTH.replace('"city"', '"tags"')),
            "$.features[2].features[0] must name a categorical feature, got 'tags' (feature 'both')",
        ),
        (
            (USER, BOTH.replace('"city", ', "")),
            "$.features[1].features must name at least two categorical features, got ['user'] (feature 'both')",
        ),
        (
            (USER, CITY, BOTH.replace("= 9", "= 0")),
            "$.features[2].num_buckets must be in [1, 2**31), got 0 (feature 'both')",
        ),
        ((USER, CITY, BOTH.replace(", num_buckets = 9", "")), "$.features[2].num_buckets is missing (feature 'both')"),
        ((USER, BOTH.replace(', features = ["city", "user"]', "")), "$.features[1]: object missing required field"),
        ((USER, CITY, BOTH.replace(" }", ', dtype = "text" }')), "$.features[2]: object contains unknown field dtype"),
        (
            (USER, CITY, BOTH, TAGS.replace(" }", ', shares = "both" }')),
            "$.features[3].shares must name a categorical, bag or sequence feature, got 'both' (feature 'tags')",
        ),
    ],
)
def test_wrong_cross_is_refused_with_its_path(features: tuple[str, ...], message: str) -> None:
    with pytest.raises(SchemaError, match="^" + re.escape(message)):
        schema_of(*features)


def test_cross_of_a_label_is_refused() -> None:
    with pytest.raises(SchemaError, match=r"^\$\.tasks\[0\]\.label 'is_click' is also a feature"):
        schema_of(USER.replace('"user"', '"is_click"'), CITY, BOTH.replace('"user"', '"is_click"'))
