"""The format is frozen: reference, golden file and kernel agree on every vector."""

import json
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from golden import make_fingerprint_v1 as golden
from reference import fingerprint_v1 as reference

from polyrank.errors import DataError
from polyrank.fingerprint import fingerprint, fingerprint_cross, fingerprint_one

VECTORS: dict[str, Any] = json.loads(golden.PATH.read_text(encoding="utf-8"))


def test_golden_file_is_what_the_reference_gives() -> None:
    assert golden.PATH.read_text(encoding="utf-8") == golden.rendered()


@pytest.mark.parametrize("seed", VECTORS["lengths"])
def test_every_length_hashes_as_golden(seed: str) -> None:
    keys = pa.array([golden.pattern(length) for length in range(golden.MAX_LENGTH + 1)], pa.binary())
    expected = [int(word, 16) & (2**63 - 1) for word in VECTORS["lengths"][seed]]
    assert fingerprint(keys, dtype="text", seed=int(seed)).tolist() == expected


def test_text_hashes_as_golden() -> None:
    texts, expected = zip(*VECTORS["text"], strict=True)
    assert fingerprint(list(texts), dtype="text").tolist() == [int(word) for word in expected]
    assert fingerprint(pa.array(texts), dtype="text").tolist() == [int(word) for word in expected]


def test_int64_hashes_as_golden() -> None:
    values, expected = zip(*VECTORS["int64"], strict=True)
    assert fingerprint(np.array(values, np.int64), dtype="int64").tolist() == [int(word) for word in expected]


def test_integers_under_text_hash_as_golden() -> None:
    written, expected = zip(*VECTORS["decimal"], strict=True)
    values = [int(value) for value in written]
    assert fingerprint(values, dtype="text").tolist() == [int(word) for word in expected]


@pytest.mark.parametrize("vector", [v for v in VECTORS["canonical"] if "error" not in v], ids=json.dumps)
def test_canonical_value_hashes_as_golden(vector: dict[str, Any]) -> None:
    value = golden.value_of(vector["arrives"])
    found = fingerprint_one(value, dtype=vector["dtype"], missing=vector.get("missing", ()))
    assert found == int(vector["fingerprint"])


@pytest.mark.parametrize("vector", [v for v in VECTORS["canonical"] if "error" in v], ids=json.dumps)
def test_value_without_canonical_form_is_refused(vector: dict[str, Any]) -> None:
    value = golden.value_of(vector["arrives"])
    with pytest.raises(DataError, match=r"^column 'value' holds .* at row 1; "):
        fingerprint_one(value, dtype=vector["dtype"], missing=vector.get("missing", ()))


@pytest.mark.parametrize("vector", VECTORS["canonical"], ids=json.dumps)
def test_arrow_column_agrees_with_single_value(vector: dict[str, Any]) -> None:
    value, dtype = golden.value_of(vector["arrives"]), vector["dtype"]
    unsigned = pa.uint64() if isinstance(value, int) and value > 2**63 - 1 else None
    column = pa.array([None, value], unsigned)
    if "error" in vector:
        with pytest.raises(DataError, match=r"^column 'c' holds .* at row 2; "):
            fingerprint(column, dtype=dtype, missing=vector.get("missing", ()), column="c")
    else:
        found = fingerprint(column, dtype=dtype, missing=vector.get("missing", ()))
        assert found.tolist() == [-1, int(vector["fingerprint"])]


@pytest.mark.parametrize("vector", VECTORS["crosses"], ids=json.dumps)
def test_cross_hashes_as_golden(vector: dict[str, Any]) -> None:
    dtypes = [dtype for dtype, _ in vector["parts"]]
    parts = [[golden.cross_value(dtype, written)] for dtype, written in vector["parts"]]
    assert fingerprint_cross(parts, dtypes=dtypes).tolist() == [int(vector["fingerprint"])]


@pytest.mark.parametrize("vector", VECTORS["ngrams"], ids=json.dumps)
def test_ngrams_are_crosses_of_their_tokens(vector: dict[str, Any]) -> None:
    tokens = vector["tokens"]
    assert tokens == reference.tokens(vector["text"])
    found = [
        int(fingerprint_cross([[token] for token in tokens[at : at + size]], dtypes=["text"] * size)[0])
        for size in vector["sizes"]
        for at in range(len(tokens) - size + 1)
    ]
    assert found == [int(word) for word in vector["fingerprints"]]


def test_spark_documents_the_same_hash_for_a_chain() -> None:
    keys = [b"Spark", (123).to_bytes(4, "little"), (2).to_bytes(4, "little")]
    found = fingerprint_cross([pa.array([key], pa.binary()) for key in keys], dtypes=["text"] * 3)
    assert found.tolist() == [5602566077635097486]


def test_reference_gives_published_hash_of_spark_chain() -> None:
    assert reference.chained([b"Spark", b"\x7b\0\0\0", b"\x02\0\0\0"]) == 5602566077635097486
