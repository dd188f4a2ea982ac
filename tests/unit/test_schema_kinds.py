"""`polyrank schema check` on every kind of feature: what it measures, what it finds, and the leaks that it sees."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from numpy.typing import NDArray

from polyrank.__main__ import main
from polyrank.fingerprint import fingerprint, fingerprint_cross
from polyrank.inspection.collisions import expected_collisions, measured_collisions
from polyrank.inspection.kinds import INSPECTORS
from polyrank.ngrams import fingerprint_ngrams
from polyrank.schema import Schema

Capture = pytest.CaptureFixture[str]
Make = Callable[[NDArray[np.int64]], Any]
ROWS = 2_000
SCHEMA = """
name = "kinds"
features = [
  { name = "city", kind = "categorical", dtype = "text", num_buckets = 100 },
  { name = "hour", kind = "categorical", dtype = "int64", num_buckets = 500 },
  { name = "item", kind = "categorical", identity = true, num_buckets = 50 },
  { name = "genres", kind = "bag", dtype = "text", num_buckets = 100, max_length = 3, separator = "|" },
  { name = "tags", kind = "bag", dtype = "text", num_buckets = 100, max_length = 3, separator = ",", \
weight_separator = ":" },
  { name = "words", kind = "bag", dtype = "text", num_buckets = 100, max_length = 3, weights = "word_weights" },
  { name = "history", kind = "sequence", shares = "item", max_length = 4, pooling = "attention" },
  { name = "title", kind = "text", num_buckets = 200, sizes = [1, 2], max_length = 5 },
  { name = "city_hour", kind = "cross", features = ["city", "hour"], num_buckets = 1_000 },
  { name = "age", kind = "bucketized", boundaries = [18, 30, 60] },
  { name = "income", kind = "bucketized", quantiles = 10 },
  { name = "image", kind = "vector", dim = 3, l2_norm = true },
]
tasks = [{ name = "click", kind = "binary", label = "is_click" }]
"""
LABEL: NDArray[np.int64] = (np.random.default_rng(5).random(ROWS) < 0.3).astype(np.int64)


def rows(**changes: Any) -> pa.Table:
    generator = np.random.default_rng(0)
    sizes = generator.integers(1, 4, ROWS)
    columns = {
        "city": generator.choice(["Paris", "Rome", "Oslo"], ROWS).tolist(),
        "hour": generator.integers(0, 24, ROWS),
        "item": generator.integers(0, 50, ROWS),
        "genres": ["|".join(["Action", "Drama", "Comedy"][:size]) for size in sizes],
        "tags": [",".join(["a:0.3", "b:0.7", "c:1"][:size]) for size in sizes],
        "words": [["x", "y", "z"][:size] for size in sizes],
        "word_weights": [[0.5, 1.0, 0.1][:size] for size in sizes],
        "history": [row.tolist() for row in generator.integers(0, 50, (ROWS, 4))],
        "title": [f"red {noun}" for noun in generator.choice(["shoe", "hat", "sock"], ROWS)],
        "age": generator.integers(5, 80, ROWS),
        "income": generator.exponential(10.0, ROWS),
        "image": generator.normal(size=(ROWS, 3)).tolist(),
        "is_click": LABEL,
    }
    return pa.table(columns | changes)


@pytest.fixture(autouse=True)
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("schema.toml").write_text(SCHEMA)


def checked(capsys: Capture, table: pa.Table) -> dict[str, Any]:
    pq.write_table(table, "rows.parquet")
    main(["--quiet", "schema", "check", "schema.toml", "rows.parquet", "--json"])
    report: dict[str, Any] = json.loads(capsys.readouterr().out)
    return report


def found(capsys: Capture, table: pa.Table) -> list[tuple[str, str, str | None, str]]:
    findings = checked(capsys, table)["findings"]
    return [(one["level"], one["check"], one.get("column"), one["message"]) for one in findings]


def facts(capsys: Capture, table: pa.Table, name: str) -> dict[str, Any]:
    return next(one for one in checked(capsys, table)["features"] if one["name"] == name)


def test_clean_rows_of_every_kind_have_no_finding(capsys: Capture) -> None:
    assert found(capsys, rows()) == []


TABLES: dict[str, Callable[[pa.Table], Any]] = {
    "genres": lambda _: fingerprint(["Action", "Drama", "Comedy"], dtype="text"),
    "tags": lambda _: fingerprint(["a", "b", "c"], dtype="text"),
    "words": lambda _: fingerprint(["x", "y", "z"], dtype="text"),
    "title": lambda table: fingerprint_ngrams(table["title"], sizes=[1, 2], max_length=5).ravel(),
    "city_hour": lambda table: fingerprint_cross([table["city"], table["hour"]], dtypes=["text", "int64"]),
}


@pytest.mark.parametrize(("name", "fingerprints"), TABLES.items(), ids=TABLES)
def test_load_of_a_hashed_table_is_measured(
    capsys: Capture, name: str, fingerprints: Callable[[pa.Table], NDArray[np.int64]]
) -> None:
    distinct = np.unique(fingerprints(rows()))
    distinct = distinct[distinct >= 0]
    table = facts(capsys, rows(), name)["table"]
    assert table["distinct"] == len(distinct)
    assert table["collisions"] == pytest.approx(measured_collisions(distinct, table["num_buckets"]))
    assert table["expected_collisions"] == pytest.approx(expected_collisions(len(distinct), table["num_buckets"]))


def test_ids_without_a_hash_do_not_collide(capsys: Capture) -> None:
    table = facts(capsys, rows(), "item")["table"]
    assert (table["distinct"], table["expected_collisions"], table["collisions"]) == (50, 0.0, 0.0)
    assert facts(capsys, rows(), "history")["table"] == table


MISSING: dict[str, Any] = {
    "city": None,
    "item": None,
    "genres": "",
    "tags": "",
    "history": [],
    "title": "",
    "age": None,
    "income": None,
    "image": None,
}


@pytest.mark.parametrize(("name", "nothing"), MISSING.items(), ids=MISSING)
def test_share_missing_counts_rows_without_a_value(capsys: Capture, name: str, nothing: Any) -> None:
    values = [nothing, None, *rows()[name].to_pylist()[2:]]
    table = rows(**{name: pa.array(values, rows().schema.field(name).type)})
    assert facts(capsys, table, name)["missing"] == 2 / ROWS


def test_cross_is_missing_where_a_part_is(capsys: Capture) -> None:
    hours = pa.array(rows()["hour"].to_numpy(), mask=np.arange(ROWS) < 500)
    assert facts(capsys, rows(hour=hours), "city_hour")["missing"] == 0.25


def test_lengths_of_lists_are_measured(capsys: Capture) -> None:
    lists = [[1] * 6] * (ROWS // 2) + [[1, 2]] * (ROWS // 2)
    history = facts(capsys, rows(history=lists), "history")
    assert (history["truncated"], history["mean_length"], history["longest"]) == (0.5, 4.0, 6)
    genres = facts(capsys, rows(genres=["a|b|c|d", "a"] * (ROWS // 2)), "genres")
    assert (genres["truncated"], genres["mean_length"], genres["longest"]) == (0.5, 2.5, 4)
    assert facts(capsys, rows(title=["one two three four", "one"] * (ROWS // 2)), "title")["truncated"] == 0.5


FINDINGS: dict[str, tuple[str, Any, tuple[str, str, str]]] = {
    "id out of range": (
        "item",
        [7, 50] * (ROWS // 2),
        ("error", "type", "holds 50 at row 2; ids in [0, 50) expected, since the feature has identity"),
    ),
    "id below 0": ("item", [7, -1] * (ROWS // 2), ("error", "type", "holds -1 at row 2; ids in [0, 50) expected")),
    "id of a history": ("history", [[7], [50]] * (ROWS // 2), ("error", "type", "holds 50 at row 2; ids in [0, 50)")),
    "no list": ("history", [7] * ROWS, ("error", "type", "holds int64")),
    "no text": ("genres", [7] * ROWS, ("error", "type", "holds int64; text that separators cut expected")),
    "no weight": ("tags", ["a:1", "b"] * (ROWS // 2), ("error", "type", "holds 'b' at row 2; a value, ':' and a")),
    "weights of another length": (
        "word_weights",
        [[1.0]] * ROWS,
        ("error", "type", "column 'word_weights' holds 1"),
    ),
    "text that is none": ("title", [[1]] * ROWS, ("error", "type", "holds [1] at row 1")),
    "bucket of text": ("age", ["young"] * ROWS, ("error", "type", "holds 'young' at row 1; numbers expected")),
    "short vector": ("image", [[1.0, 2.0, 3.0], [1.0]] * (ROWS // 2), ("error", "type", "holds a vector of 1 numbers")),
    "infinite vector": ("image", [[1.0, 2.0, float("inf")]] * ROWS, ("error", "type", "holds inf at row 1; finite")),
    "hole in a vector": (
        "image",
        [[1.0, None, 2.0]] * ROWS,
        ("error", "type", "lacks number 2 of its vector"),
    ),
    "long sequence": (
        "history",
        [[1, 2, 3, 4, 5]] * ROWS,
        ("note", "truncation", "100.0% of lists exceed max_length 4 and lose their oldest values; the longest holds 5"),
    ),
    "long text": (
        "title",
        ["one two three four"] * ROWS,
        (
            "warning",
            "truncation",
            "100.0% of texts have more than 5 n-grams, and the first ones count",
        ),
    ),
    "long text list": ("genres", ["a|b|c|d"] * ROWS, ("warning", "truncation", "100.0% of lists exceed max_length 3")),
    "constant cross": ("hour", [7] * ROWS, ("warning", "constant", "has one value in all 2,000 rows")),
    "constant bucket": ("income", [7.0] * ROWS, ("warning", "constant", "has one value in all 2,000 rows")),
    "constant vector": ("image", [[1.0, 2.0, 3.0]] * ROWS, ("warning", "constant", "has one value in all 2,000 rows")),
    "zero vectors": (
        "image",
        [[0.0, 0.0, 0.0], [1.0, 2.0, 3.0]] * (ROWS // 2),
        ("note", "zero vectors", "50.0% of vectors are all zeros; make them null if they stand for none"),
    ),
    "empty bucket": (
        "age",
        [10, 40, 70] * (ROWS // 3) + [40, 40],
        ("note", "buckets", "1 of 4 buckets hold no row, as that from 18 to below 30; the numbers go from 10 to 70"),
    ),
    "beyond the boundaries": (
        "age",
        [10, 70, 40, 20, 10] * (ROWS // 5),
        ("note", "buckets", "60.0% of numbers lie below the first boundary or from the last on"),
    ),
}


@pytest.mark.parametrize(("name", "values", "expected"), FINDINGS.values(), ids=FINDINGS)
def test_what_is_wrong_with_a_kind_is_found(
    capsys: Capture, name: str, values: Any, expected: tuple[str, str, str]
) -> None:
    alike = [one for one in found(capsys, rows(**{name: values})) if one[:2] == expected[:2]]
    assert any(expected[2] in message for *_, message in alike), alike


def test_buckets_are_counted_as_the_model_counts_them(capsys: Capture) -> None:
    age = facts(capsys, rows(age=[17.9, 18.0, 60.0, None] * (ROWS // 4)), "age")
    assert (age["empty_buckets"], age["outside"]) == (1, 0.5)


LEAKS: dict[str, tuple[str, Make]] = {
    "categorical": ("city", lambda label: np.where(label == 1, "bought", "seen").tolist()),
    "identity": ("item", lambda label: label),
    "separated": ("genres", lambda label: ["a|b" if one else "b|c" for one in label]),
    "weighted": ("tags", lambda label: ["a:0.3" if one else "b:0.3" for one in label]),
    "weights in text": ("tags", lambda label: ["a:1,b:0" if one else "a:0,b:1" for one in label]),
    "sum of weights": ("tags", lambda label: ["a:2" if one else "a:0.5" for one in label]),
    "sequence": ("history", lambda label: [[3, 4] if one else [5] for one in label]),
    "text": ("title", lambda label: ["is now sold" if one else "is on stock" for one in label]),
    "bucketized": ("age", lambda label: 20 + 30 * label),
    "fitted buckets": ("income", lambda label: label * 2.0 + np.random.default_rng(3).random(ROWS)),
    "buckets without an order": ("age", lambda label: np.where(label == 1, 20, np.where(np.arange(ROWS) % 2, 5, 70))),
    "vector": ("image", lambda label: np.stack([np.ones(ROWS), 1 - label, np.ones(ROWS)], axis=1).tolist()),
    "missing vector": ("image", lambda label: [None if one else [1.0, 2.0, 3.0] for one in label]),
}


@pytest.mark.parametrize(("name", "values"), LEAKS.values(), ids=LEAKS)
def test_planted_leak_of_every_kind_is_found(capsys: Capture, name: str, values: Make) -> None:
    leaks = [one[2] for one in found(capsys, rows(**{name: values(LABEL)})) if one[1] == "leak"]
    assert name in leaks


def test_leak_in_the_weights_beside_a_bag_is_found(capsys: Capture) -> None:
    table = rows(words=[["a", "b"]] * ROWS, word_weights=[[1.0, 0.0] if one else [0.0, 1.0] for one in LABEL])
    assert ("warning", "leak", "words") in [one[:3] for one in found(capsys, table)]


def test_leak_of_two_columns_that_only_a_cross_tells_is_found(capsys: Capture) -> None:
    coin = np.random.default_rng(6).integers(0, 2, ROWS)
    table = rows(city=np.where(coin == 1, "Rome", "Oslo").tolist(), hour=coin ^ LABEL)
    assert [one[2] for one in found(capsys, table) if one[1] == "leak"] == ["city_hour"]


def test_leak_that_all_numbers_of_a_vector_tell_together_is_found(capsys: Capture) -> None:
    noise = np.random.default_rng(7).normal(size=(ROWS, 3))
    noise[:, 2] = LABEL - noise[:, 0] - noise[:, 1]
    assert ("warning", "leak", "image") in [one[:3] for one in found(capsys, rows(image=noise.tolist()))]


def test_vector_of_noise_tells_nothing(capsys: Capture) -> None:
    assert facts(capsys, rows(), "image")["alone"]["click"] == pytest.approx(0.5, abs=0.06)


def test_text_shows_lengths(capsys: Capture) -> None:
    pq.write_table(rows(history=[[1, 2, 3]] * ROWS), "rows.parquet")
    assert main(["--quiet", "schema", "check", "schema.toml", "rows.parquet"]) == 0
    line = next(line for line in capsys.readouterr().out.splitlines() if line.startswith("history"))
    assert line.split()[:2] == ["history", "sequence"]
    assert " 3.0 " in line


def test_every_kind_of_the_schema_is_here() -> None:
    kinds = {type(feature).__name__ for feature in Schema.load("schema.toml").features}
    assert kinds | {"NumericFeature"} == {kind.__name__ for kind in INSPECTORS}
