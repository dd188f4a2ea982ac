"""`polyrank schema infer` on columns of many values: texts, separated lists, histories, vectors."""

import re
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq
import pytest

from polyrank.__main__ import main
from polyrank.features import (
    BagFeature,
    CategoricalFeature,
    Feature,
    NumericFeature,
    SequenceFeature,
    TextFeature,
    VectorFeature,
)
from polyrank.schema import Schema

ROWS = 2_000
GENERATOR = np.random.default_rng(2)
SIZES = GENERATOR.integers(1, 4, ROWS)
WORDS = ("red", "green", "light", "warm", "soft", "shoe", "hat", "coat", "for", "men", "women", "sale")
HISTORIES = [row.tolist() for row in GENERATOR.integers(0, 400, (ROWS, 5))]


@pytest.fixture(autouse=True)
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def logs(**more: Any) -> pa.Table:
    columns = {
        "item_id": np.random.default_rng(1).integers(0, 400, ROWS),
        "is_click": np.random.default_rng(9).integers(0, 2, ROWS),
    }
    return pa.table(columns | more)


def proposed(file: str, name: str) -> tuple[Feature, str]:
    """Propose a schema, train with it, and return a feature with its reason."""
    assert main(["--quiet", "schema", "infer", file, "--out", "schema.toml", "--force"]) == 0
    assert main(["--quiet", "schema", "check", "schema.toml", file, "--strict"]) == 0
    assert main(["--quiet", "train", file, "--schema", "schema.toml", "--out", "run"]) == 0
    reason = re.search(rf'# (.*)\n\[\[features\]\]\nname = "{name}"', Path("schema.toml").read_text())
    assert reason is not None
    return next(one for one in Schema.load("schema.toml").features if one.name == name), reason[1]


def inferred(values: Any, name: str = "column") -> tuple[Feature, str]:
    pq.write_table(logs(**{name: values}), "logs.parquet")
    return proposed("logs.parquet", name)


def some_words(count: int) -> list[str]:
    return [" ".join(row) for row in np.random.default_rng(3).choice(WORDS, (ROWS, count))]


def test_text_of_words_becomes_text_though_each_is_unique() -> None:
    feature, reason = inferred([f"{text} {row}" for row, text in enumerate(some_words(6))])
    assert isinstance(feature, TextFeature)
    assert (feature.max_length, feature.sizes) == (7, (1,))
    assert "text of words: 2,012 distinct values" in reason
    assert "99% of texts hold up to 7, the longest 7" in reason


@pytest.mark.parametrize("values", [some_words(1), some_words(2), some_words(4)[:50] * (ROWS // 50)], ids=[1, 2, "few"])
def test_short_or_few_texts_are_categories(values: list[str]) -> None:
    assert isinstance(inferred(values)[0], CategoricalFeature)


SEPARATED: dict[str, tuple[Any, dict[str, Any], str]] = {
    "integers": (
        [",".join(map(str, row)) for row in np.random.default_rng(4).integers(1, 60, (ROWS, 3))],
        {"dtype": "int64", "max_length": 3, "separator": ",", "weight_separator": None},
        "59 distinct values",
    ),
    "bars": (
        ["|".join(["Action", "Drama", "Film-Noir"][:size]) for size in SIZES],
        {"dtype": "text", "max_length": 3, "separator": "|", "weight_separator": None},
        "values with '|' between them",
    ),
    "comma and space": (
        [", ".join(row) for row in np.random.default_rng(5).choice(WORDS, (ROWS, 3))],
        {"dtype": "text", "max_length": 3, "separator": ", ", "weight_separator": None},
        "12 distinct values",
    ),
    "codes with zeros": (
        [f"{row % 50:03},{row % 40:03}" for row in range(ROWS)],
        {"dtype": "text", "max_length": 2, "separator": ",", "weight_separator": None},
        "50 distinct values",
    ),
    "odd weights": (
        [f"a:{weight},b:1" for weight in ("-1", "1.", ".5", "1e5", "1E+5", "1e-05", "00.5", "1e19")] * (ROWS // 8),
        {"dtype": "text", "max_length": 2, "separator": ",", "weight_separator": ":"},
        "each with a weight behind ':'",
    ),
    "weights": (
        [
            ",".join(f"{word}:{weight / 10}" for word, weight in zip(WORDS, row, strict=False))
            for row in np.random.default_rng(6).integers(1, 10, (ROWS, 3))
        ],
        {"dtype": "text", "max_length": 3, "separator": ",", "weight_separator": ":"},
        "each with a weight behind ':'",
    ),
    "weights of integers": (
        [f"{row[0]}=1;{row[1]}=2e-1" for row in np.random.default_rng(7).integers(1, 60, (ROWS, 2))],
        {"dtype": "int64", "max_length": 2, "separator": ";", "weight_separator": "="},
        "59 distinct values",
    ),
}


@pytest.mark.parametrize(("values", "expected", "reason"), SEPARATED.values(), ids=SEPARATED)
@pytest.mark.parametrize("kind", [pa.string(), pa.large_string(), pa.dictionary(pa.int32(), pa.string())], ids=str)
def test_text_that_separators_cut_becomes_a_bag(
    values: list[str], expected: dict[str, Any], reason: str, kind: pa.DataType
) -> None:
    column = pa.array([None, "", *values[2:]]).cast(pa.string()).dictionary_encode().cast(kind)
    feature, told = inferred(column)
    assert isinstance(feature, BagFeature)
    assert {key: getattr(feature, key) for key in expected} == expected
    assert reason in told
    assert "0.1% missing" in told


@pytest.mark.parametrize(
    "values",
    [
        [f"Smith{row}, John{row}" for row in range(500)] * (ROWS // 500),
        ["a,b" if row % 10 == 0 else "c" for row in range(ROWS)],
        [f"{row % 12}:30" for row in range(ROWS)],
    ],
    ids=["values with commas", "few lists", "times of day"],
)
def test_text_in_which_separators_mean_nothing_is_a_category(values: list[str]) -> None:
    assert isinstance(inferred(values)[0], CategoricalFeature)


def test_one_text_that_has_no_weight_makes_a_bag_without_weights() -> None:
    values = [f"{WORDS[row % 12]}:1,{WORDS[row % 7]}:2" for row in range(ROWS)]
    feature, _ = inferred([*values[1:], "none"])
    assert isinstance(feature, BagFeature)
    assert (feature.separator, feature.weight_separator) == (",", None)


def test_list_of_another_columns_values_is_a_sequence_set_against_it() -> None:
    feature, reason = inferred(HISTORIES)
    assert isinstance(feature, SequenceFeature)
    assert (feature.shares, feature.pooling, feature.target, feature.max_length) == (
        "item_id",
        "attention",
        "item_id",
        5,
    )
    assert "100% of its values are values of item_id, whose table it shares and against which it is set" in reason
    assert 'the newest value is taken to be the last, else set order = "newest_first"' in reason


def test_of_two_columns_of_small_ids_the_more_alike_is_shared() -> None:
    pq.write_table(logs(history=HISTORIES, guest_id=np.arange(ROWS)), "logs.parquet")
    more = pq.read_table("logs.parquet").select(["guest_id", "item_id", "history", "is_click"])
    pq.write_table(pa.concat_tables([more, more]), "logs.parquet")
    feature, _ = proposed("logs.parquet", "history")
    assert isinstance(feature, SequenceFeature)
    assert feature.shares == "item_id"


def test_list_that_has_few_values_of_another_column_shares_nothing() -> None:
    feature, _ = inferred([[value * 3 for value in row] for row in HISTORIES])
    assert isinstance(feature, BagFeature)
    assert feature.shares is None


def test_list_named_like_a_history_is_a_sequence_with_a_table_of_its_own() -> None:
    feature, reason = inferred([["search", "home"][: size - 1] for size in SIZES], "recent_pages")
    assert isinstance(feature, SequenceFeature)
    assert (feature.shares, feature.pooling, feature.dtype) == (None, "mean", "text")
    assert "named like a history" in reason


def test_long_sequence_keeps_its_newest_hundred() -> None:
    feature, _ = inferred([[row % 400] * 300 for row in range(ROWS)])
    assert isinstance(feature, SequenceFeature)
    assert feature.max_length == 100


def test_separated_history_shares_the_table_of_its_items() -> None:
    feature, reason = inferred([",".join(map(str, row)) for row in HISTORIES])
    assert isinstance(feature, BagFeature)
    assert (feature.shares, feature.separator) == ("item_id", ",")
    assert "100% of its values are values of item_id" in reason


@pytest.mark.parametrize("weight", ["1e39", "nan", "-", ""])
def test_weight_that_training_refuses_makes_a_bag_without_weights(weight: str) -> None:
    feature, _ = inferred([f"{WORDS[row % 12]}:{weight if row == 7 else 1},{WORDS[row % 7]}:2" for row in range(ROWS)])
    assert isinstance(feature, BagFeature)
    assert (feature.separator, feature.weight_separator) == (",", None)


@pytest.mark.parametrize(
    "kind", [pa.list_(pa.float32()), pa.list_(pa.float64(), 4), pa.large_list(pa.float32())], ids=str
)
def test_lists_of_as_many_numbers_become_a_vector(kind: pa.DataType) -> None:
    vectors = pa.array([None, *np.random.default_rng(8).normal(size=(ROWS - 1, 4)).tolist()], kind)
    feature, reason = inferred(vectors)
    assert feature == VectorFeature(name="column", dim=4)
    assert "lists of 4 numbers" in reason


def test_dense_ids_are_hinted_at_and_hashed_all_the_same() -> None:
    feature, reason = inferred(np.arange(ROWS) % 50, "store_id")
    assert feature == CategoricalFeature(name="store_id", dtype="int64", num_buckets=200, embedding_dim=16)
    assert "all of 0 to 49: if no others come, identity = true and num_buckets = 50 hash nothing" in reason


def test_numbers_are_never_bucketized() -> None:
    assert isinstance(inferred(np.random.default_rng(8).lognormal(size=ROWS), "price")[0], NumericFeature)


def test_leak_in_a_text_is_left_out() -> None:
    table = logs()
    told = ["this one was sold" if one else "this one was seen" for one in table["is_click"].to_pylist()]
    notes = [f"{text} {row}" for row, text in enumerate(told)]
    pq.write_table(table.append_column("note", pa.array(notes)), "logs.parquet")
    assert main(["--quiet", "schema", "infer", "logs.parquet", "--out", "schema.toml"]) == 0
    assert '# "note": looks like an outcome: alone it reaches AUC 1.000' in Path("schema.toml").read_text()


def test_csv_of_separated_lists_trains() -> None:
    table = logs(tags=[f"{row % 7},{row % 5}" for row in range(ROWS)], title=some_words(5))
    pa.csv.write_csv(table, "logs.csv")
    assert isinstance(proposed("logs.csv", "tags")[0], BagFeature)
    assert isinstance(Schema.load("schema.toml").features[-1], TextFeature)
