"""Wrong arguments of fingerprints, n-grams and tables: one line each, the same from every face."""

import re
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from numpy.testing import assert_array_equal

from polyrank.encoder import Encoder
from polyrank.errors import ConfigError
from polyrank.features import CategoricalFeature
from polyrank.fingerprint import MISSING, fingerprint, fingerprint_cross, fingerprint_one
from polyrank.ngrams import fingerprint_ngrams
from polyrank.schema import Schema
from polyrank.table import BagGroup, CategoricalGroup, CrossGroup, Field, NGramGroup, NumberGroup, TableEncoder
from polyrank.tasks import BinaryTask

FIELD = Field(name="a", dtype="text")
USER = CategoricalGroup(field=FIELD)
TABLE = TableEncoder([USER], threads=1)
SCHEMA = Schema(
    name="toy",
    features=(CategoricalFeature(name="a", dtype="text", num_buckets=10),),
    tasks=(BinaryTask(name="click", label="is_click"),),
).resolved()
ROWS: dict[str, Any] = {"dicts": [{"a": "x"}], "table": pa.table({"a": ["x"]}), "mixed": [{"a": "x"}, {"a": 3}]}
HUGE = 10**5000


def ngrams(**given: Any) -> Any:
    defaults: dict[str, Any] = {"sizes": [1], "max_length": 2}
    return fingerprint_ngrams(["a"], **(defaults | given))


def cross(**given: Any) -> Any:
    defaults: dict[str, Any] = {"parts": [["a"]], "dtypes": ["text"]}
    return fingerprint_cross(**(defaults | given))


def ngram_group(**given: Any) -> Any:
    defaults: dict[str, Any] = {"field": FIELD, "sizes": (1,), "max_length": 2}
    return NGramGroup(**(defaults | given))


FACES: dict[str, dict[str, Callable[[Any], object]]] = {
    "seed": {
        "fingerprint": lambda seed: fingerprint(["a"], dtype="text", seed=seed),
        "fingerprint_one": lambda seed: fingerprint_one("a", dtype="text", seed=seed),
        "fingerprint_cross": lambda seed: cross(seed=seed),
        "fingerprint_ngrams": lambda seed: ngrams(seed=seed),
    },
    "max_length": {
        "fingerprint_ngrams": lambda length: ngrams(max_length=length),
        "NGramGroup": lambda length: ngram_group(max_length=length),
        "BagGroup": lambda length: BagGroup(field=FIELD, max_length=length),
    },
    "sizes": {
        "fingerprint_ngrams": lambda sizes: ngrams(sizes=sizes),
        "NGramGroup": lambda sizes: ngram_group(sizes=sizes),
    },
    "dtype": {
        "fingerprint": lambda dtype: fingerprint(["a"], dtype=dtype),
        "fingerprint_one": lambda dtype: fingerprint_one("a", dtype=dtype),
        "fingerprint_cross": lambda dtype: cross(dtypes=[dtype]),
        "Field": lambda dtype: Field(name="a", dtype=dtype),
    },
    "missing": {
        "fingerprint": lambda missing: fingerprint(["a"], dtype="text", missing=missing),
        "fingerprint_one": lambda missing: fingerprint_one("a", dtype="text", missing=missing),
        "fingerprint_cross": lambda missing: cross(missing=[missing]),
        "fingerprint_ngrams": lambda missing: ngrams(missing=missing),
        "Field": lambda missing: Field(name="a", dtype="text", missing=missing),
    },
    "column": {
        "fingerprint": lambda column: fingerprint(["a"], dtype="text", column=column),
        "fingerprint_one": lambda column: fingerprint_one("a", dtype="text", column=column),
        "fingerprint_cross": lambda column: cross(columns=[column]),
        "fingerprint_ngrams": lambda column: ngrams(column=column),
    },
    "threads": {
        "TableEncoder": lambda threads: TableEncoder([USER], threads),
        "Encoder": lambda threads: Encoder(SCHEMA, threads=threads),
    },
    "parts": {
        "fingerprint_cross": lambda parts: cross(parts=parts),
        "CrossGroup": lambda parts: CrossGroup(parts=parts),
    },
    "name": {
        "Field": lambda name: Field(name=name, dtype="text"),
        "NumberGroup": lambda name: NumberGroup(name=name),
    },
    "field": {
        "CategoricalGroup": lambda field: CategoricalGroup(field=field),
        "BagGroup": lambda field: BagGroup(field=field, max_length=1),
        "NGramGroup": lambda field: ngram_group(field=field),
    },
    "weights": {"BagGroup": lambda weights: BagGroup(field=FIELD, max_length=1, weights=weights)},
    "log1p": {"NumberGroup": lambda log1p: NumberGroup(name="a", log1p=log1p)},
    "groups": {"TableEncoder": TableEncoder},
    "schema": {"Encoder": Encoder},
}
SHOWN: list[tuple[Any, str]] = [
    *((value, repr(value)) for value in (1.5, "x", None, True, -1)),
    (HUGE, "an integer of 16,610 bits"),
]
INTEGERS = {"seed": "[0, 2**64)", "max_length": "[1, 2**20]", "threads": "[1, 1024]"}
WRONG: list[tuple[str, Any, str]] = [
    *(
        (name, value, f"{name} must be an integer in {limits}, got {shown}")
        for name, limits in INTEGERS.items()
        for value, shown in SHOWN
        if (name, value) != ("threads", None)
    ),
    ("seed", 2**64, "seed must be an integer in [0, 2**64), got 18446744073709551616"),
    ("max_length", 0, "max_length must be an integer in [1, 2**20], got 0"),
    ("max_length", 2**31 - 1, "max_length must be an integer in [1, 2**20], got 2147483647"),
    ("threads", 10**9, "threads must be an integer in [1, 1024], got 1000000000"),
    ("sizes", 1, "sizes must be a list of one or more integers, got 1"),
    ("sizes", "12", "sizes must be a list of one or more integers, got '12'"),
    ("sizes", {1, 2}, "sizes must be a list of one or more integers, got set"),
    ("sizes", [], "sizes must be a list of one or more integers, got an empty one"),
    ("sizes", [1, True], "sizes[1] must be an integer in [1, 2**32), got True"),
    ("sizes", [0], "sizes[0] must be an integer in [1, 2**32), got 0"),
    ("sizes", np.array([1.5]), "sizes[0] must be an integer in [1, 2**32), got np.float64(1.5)"),
    ("dtype", None, 'dtype must be "text" or "int64", got None (column '),
    ("dtype", "int32", 'dtype must be "text" or "int64", got \'int32\' (column '),
    ("dtype", "\ud800", 'dtype must be "text" or "int64", got \'\\ud800\' (column '),
    ("dtype", "text\0", 'dtype must be "text" or "int64", got \'text\\x00\' (column '),
    ("dtype", ["text"], 'dtype must be "text" or "int64", got [\'text\'] (column '),
    ("dtype", np.array(["text", "int64"]), 'dtype must be "text" or "int64", got array('),
    ("missing", 5, "missing must be a collection of text tokens, got 5 (column "),
    ("missing", None, "missing must be a collection of text tokens, got None (column "),
    ("missing", "NA", "missing must be a collection of text tokens, got 'NA' (column "),
    ("missing", "", "missing must be a collection of text tokens, got '' (column "),
    ("missing", b"NA", "missing must be a collection of text tokens, got b'NA' (column "),
    ("missing", [-1], "missing must be a collection of text tokens, got [-1] (column "),
    ("missing", (token for token in "NA"), "missing must be a collection of text tokens, got <generator"),
    ("column", 5, "column must be text, got 5"),
    ("column", ["a"], "column must be text, got ['a']"),
    *(
        ("parts", parts, f"got {got}")
        for parts, got in (
            (None, "None"),
            ([], "an empty one"),
            ("ab", "'ab'"),
            (np.array([["a"], ["b"]]), "ndarray"),
            ((part for part in [["a"]]), "generator"),
            (pd.DataFrame({"a": ["x"]}), "DataFrame"),
            (pl.DataFrame({"a": ["x"]}), "DataFrame"),
            (pa.table({"a": ["x"]}), "Table"),
        )
    ),
    ("name", 5, "name must be text, without lone surrogates, got 5"),
    ("name", "\ud800", "name must be text, without lone surrogates, got '\\ud800'"),
    ("field", "a", "field must be a Field, got 'a'"),
    ("weights", 5, "weights must be text, without lone surrogates, got 5"),
    ("log1p", "yes", "log1p must be True or False, got 'yes'"),
    ("groups", [], "groups must be a list of one or more groups, got an empty one"),
    ("groups", USER, "groups must be a list of one or more groups, got CategoricalGroup"),
    ("groups", [FIELD], "groups[0] must be a group such as CategoricalGroup, got Field"),
    ("schema", "schema.toml", "schema must be a Schema, got 'schema.toml'"),
]


@pytest.mark.parametrize(
    ("face", "value", "message"),
    [
        pytest.param(face, value, message, id=f"{name}-{face}-{message.rpartition('got ')[2]}")
        for name, value, message in WRONG
        for face in FACES[name]
    ],
)
def test_wrong_argument_is_refused_in_one_line(face: str, value: Any, message: str) -> None:
    name = re.split(r"\W", message)[0]
    name = "parts" if name == "got" else name
    with pytest.raises(ConfigError, match=re.escape(message)) as refused:
        FACES[name][face](value)
    assert str(refused.value).startswith(name)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize("argument", ["dtypes", "missing", "columns"])
@pytest.mark.parametrize(
    ("entries", "message"),
    [
        ("text", "must be a list with one entry for each part, got 'text'"),
        (5, "must be a list with one entry for each part, got 5"),
        ([], "must have one entry for each part, got 0 for 1"),
        (["text", "text"], "must have one entry for each part, got 2 for 1"),
    ],
    ids=["text", "number", "none", "too many"],
)
def test_cross_takes_one_entry_for_each_part(argument: str, entries: Any, message: str) -> None:
    with pytest.raises(ConfigError, match=f"^{argument} {message}$"):
        cross(**{argument: entries})


@pytest.mark.parametrize("rows", ROWS)
@pytest.mark.parametrize(
    "out", [(), (None,), 5, "abc", np.empty((1, 1), np.int64)], ids=["none", "one", "5", "abc", "ids"]
)
def test_table_output_that_is_not_three_arrays_is_refused(rows: str, out: Any) -> None:
    with pytest.raises(ConfigError, match=r"^out must be three arrays, \(ids, weights, dense\), got "):
        TABLE.encode(ROWS[rows], out)


@pytest.mark.parametrize("out", [(), 5, np.empty((1, 1), np.int64)], ids=["tuple", "number", "array"])
def test_output_that_is_no_batch_is_refused(out: Any) -> None:
    with pytest.raises(ConfigError, match=r"^out must be a Batch, got "):
        Encoder(SCHEMA).encode(ROWS["table"], out=out)


def test_integers_of_numpy_are_integers() -> None:
    seed: Any = np.int64(7)
    assert fingerprint_one("a", dtype="text", seed=seed) == fingerprint_one("a", dtype="text", seed=7)
    found = ngrams(sizes=np.array([1, 2]), max_length=np.int32(3), seed=np.uint8(7))
    assert_array_equal(found, ngrams(sizes=(1, 2), max_length=3, seed=7))
    threads: Any = np.int64(2)
    assert TableEncoder([USER], threads).encode(ROWS["table"])[0].shape == (1, 1)


@pytest.mark.parametrize("tokens", [["\ud800", "b"], np.array(["\ud800", "b"]), {"\ud800": 0, "b": 1}])
def test_token_without_utf8_form_is_missing_where_it_arrives(tokens: Any) -> None:
    values, kept = ["a", "\ud800", "b"], fingerprint_one("a", dtype="text")
    field = Field(name="a", dtype="text", missing=tokens)
    assert fingerprint(values, dtype="text", missing=tokens).tolist() == [kept, MISSING, MISSING]
    assert fingerprint_ngrams(values, sizes=[1], max_length=1, missing=tokens)[:, 0].tolist() == [
        kept,
        MISSING,
        MISSING,
    ]
    table = TableEncoder([CategoricalGroup(field=field)])
    assert table.encode([{"a": value} for value in values])[0][:, 0].tolist() == [kept, MISSING, MISSING]
    assert table.encode(pa.table({"a": ["a", "b"]}))[0][:, 0].tolist() == [kept, MISSING]
