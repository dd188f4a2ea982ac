import re

import pyarrow as pa
import pytest
from reference.fingerprint_v1 import ngrams

from polyrank.encoder import Encoder, slot_layout
from polyrank.errors import DataError, SchemaError
from polyrank.schema import Schema

TITLE = 'name = "title", kind = "text", sizes = [1, 2], max_length = 4, num_buckets = 9'


def schema_of(feature: str) -> Schema:
    task = '{ name = "click", kind = "binary", label = "is_click" }'
    return Schema.from_toml(f'name = "toy"\nfeatures = [{{ {feature} }}]\ntasks = [{task}]')


def test_slots_are_ngrams_padded_and_cut() -> None:
    ids = Encoder(schema_of(TITLE)).encode([{"title": "New York"}, {"title": "a b c d"}, {"title": None}]).ids
    assert ids.tolist() == [
        [*ngrams("New York", [1, 2]), -1],
        ngrams("a b c d", [1, 2])[:4],
        [-1, -1, -1, -1],
    ]


def test_sizes_default_to_single_tokens() -> None:
    encoder = Encoder(schema_of(TITLE.replace("sizes = [1, 2], ", "")))
    assert encoder.encode([{"title": "New York"}]).ids.tolist() == [[*ngrams("New York", [1]), -1, -1]]


def test_missing_token_of_a_text_is_an_empty_list() -> None:
    encoder = Encoder(schema_of(TITLE + ', missing = ["n/a"]'))
    assert encoder.encode(pa.table({"title": ["n/a"]})).ids.tolist() == [[-1] * 4]


def test_text_is_read_as_written_and_fills_its_length() -> None:
    schema = schema_of(TITLE)
    assert schema.text_columns == schema.feature_columns == ("title",)
    assert [(slots.start, slots.stop) for slots in slot_layout(schema)] == [(0, 4)]


def test_text_that_is_not_utf8_is_refused_by_row() -> None:
    with pytest.raises(DataError, match=r"^column 'title' holds b'\\xff' at row 2; text of an n-gram feature must be"):
        Encoder(schema_of(TITLE)).encode([{"title": "a"}, {"title": b"\xff"}])


@pytest.mark.parametrize(
    ("feature", "message"),
    [
        (
            TITLE.replace("[1, 2]", "[]"),
            "$.features[0].sizes must list one or more sizes of n-grams, each once, got []",
        ),
        (
            TITLE.replace("[1, 2]", "[1, 1]"),
            "$.features[0].sizes must list one or more sizes of n-grams, each once, go",
        ),
        (TITLE.replace("[1, 2]", "[1, 0]"), "$.features[0].sizes[1] must be in [1, 10], got 0 (feature 'title')"),
        (TITLE.replace("[1, 2]", "[11]"), "$.features[0].sizes[0] must be in [1, 10], got 11 (feature 'title')"),
        (TITLE.replace("= 4", "= 0"), "$.features[0].max_length must be in [1, 10001), got 0 (feature 'title')"),
        (TITLE.replace(", num_buckets = 9", ""), "$.features[0].num_buckets is missing (feature 'title')"),
        (TITLE + ', dtype = "text"', "$.features[0]: object contains unknown field dtype"),
        (TITLE + ', pooling = "min"', "$.features[0].pooling: invalid enum value 'min'"),
    ],
)
def test_wrong_text_feature_is_refused_with_its_path(feature: str, message: str) -> None:
    with pytest.raises(SchemaError, match="^" + re.escape(message)):
        schema_of(feature)
