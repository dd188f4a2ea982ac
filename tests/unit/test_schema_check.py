"""`polyrank schema check`: what it finds in data, what it does not, and its exit status."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq
import pytest
from toy import TOY_TOML, toy_table

from polyrank.__main__ import main
from polyrank.inspection.collisions import expected_collisions, measured_collisions, suggested_buckets
from polyrank.inspection.kinds import INSPECTORS
from polyrank.inspection.sampling import Sample

Capture = pytest.CaptureFixture[str]
Change = Callable[[pa.Table], pa.Table]
ROWS = 4_000
BEGIN, LATE = 1_577_836_800, 6_945_000_000
"""Times in seconds, in 2020 and in 2190."""
SCHEMA = """
name = "small"
time = "time_s"
time_unit = "s"
features = [
  { name = "user_id", kind = "categorical", dtype = "int64", num_buckets = 5_000 },
  { name = "city", kind = "categorical", dtype = "text", num_buckets = 100 },
  { name = "tags", kind = "bag", dtype = "text", num_buckets = 100, max_length = 3 },
  { name = "price", kind = "numeric", transform = ["log1p", "standardize"] },
]
tasks = [
  { name = "click", kind = "binary", label = "is_click" },
  { name = "stars", kind = "regression", label = "rating", when = "is_click" },
]
"""


def rows(count: int = ROWS) -> pa.Table:
    generator = np.random.default_rng(0)
    click = generator.random(count) < 0.3
    return pa.table(
        {
            "time_s": np.arange(count) + 1_700_000_000,
            "user_id": generator.integers(0, 1_000, count),
            "city": generator.choice(["Paris", "Rome", "Oslo"], count).tolist(),
            "tags": [["a", "b", "c"][: int(size)] for size in generator.integers(0, 4, count)],
            "price": generator.exponential(10.0, count),
            "is_click": click.astype(np.int8),
            "rating": generator.integers(1, 6, count).astype(np.float64),
        }
    )


def changed(name: str, values: Any) -> Change:
    return lambda table: table.set_column(table.column_names.index(name), name, pa.array(values(table)))


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    Path("schema.toml").write_text(SCHEMA)
    return tmp_path


def found(capsys: Capture, table: pa.Table, *options: str) -> tuple[int, list[tuple[str, str, str | None]]]:
    pq.write_table(table, "rows.parquet")
    code = main(["--quiet", "schema", "check", "schema.toml", "rows.parquet", "--json", *options])
    report = json.loads(capsys.readouterr().out)
    return code, [(one["level"], one["check"], one.get("column")) for one in report["findings"]]


def messages(capsys: Capture, table: pa.Table, check: str) -> list[str]:
    """Return what findings of a check say."""
    pq.write_table(table, "rows.parquet")
    main(["--quiet", "schema", "check", "schema.toml", "rows.parquet", "--json"])
    return [one["message"] for one in json.loads(capsys.readouterr().out)["findings"] if one["check"] == check]


@pytest.mark.usefixtures("place")
def test_clean_data_have_no_finding(capsys: Capture) -> None:
    assert found(capsys, rows(), "--strict") == (0, [])


@pytest.mark.usefixtures("place")
def test_feature_without_a_column_has_no_finding(capsys: Capture) -> None:
    near = '{ name = "near", kind = "neighbors", of = "user_id", by = "city" },\n]\ntasks'
    Path("schema.toml").write_text(SCHEMA.replace("]\ntasks", near))
    assert found(capsys, rows(), "--strict") == (0, [])


ERRORS: dict[str, tuple[Change, str, str]] = {
    "column missing": (lambda table: table.drop_columns(["city"]), "missing column", "city"),
    "fractions": (changed("user_id", lambda table: np.arange(len(table)) + 0.5), "type", "user_id"),
    "no list": (changed("tags", lambda table: ["a"] * len(table)), "type", "tags"),
    "list in a struct": (changed("tags", lambda table: [{"list": ["a"]}] * len(table)), "type", "tags"),
    "text as number": (changed("price", lambda table: ["cheap"] * len(table)), "type", "price"),
    "negative log1p": (changed("price", lambda table: [-1.0] * len(table)), "type", "price"),
    "time missing": (changed("time_s", lambda table: [None, *range(1, len(table))]), "type", "time_s"),
    "label of 2": (changed("is_click", lambda table: [0, 2] * (len(table) // 2)), "label", "is_click"),
    "one class": (changed("is_click", lambda table: [1] * len(table)), "label", "is_click"),
    "no label": (changed("rating", lambda table: pa.nulls(len(table), pa.float64())), "label", "rating"),
    "one instant": (changed("time_s", lambda table: [1_700_000_000] * len(table)), "split", "time_s"),
}


@pytest.mark.usefixtures("place")
@pytest.mark.parametrize(("change", "check", "column"), ERRORS.values(), ids=ERRORS)
def test_error_is_found_and_fails(capsys: Capture, change: Change, check: str, column: str) -> None:
    code, findings = found(capsys, change(rows()))
    assert ("error", check, column) in findings
    assert code == 1


WARNINGS: dict[str, tuple[Change, str, str]] = {
    "constant text": (changed("city", lambda table: ["Paris"] * len(table)), "constant", "city"),
    "constant number": (changed("price", lambda table: [1.0] * len(table)), "constant", "price"),
    "all missing": (changed("city", lambda table: pa.nulls(len(table), pa.string())), "missing values", "city"),
    "long lists": (changed("tags", lambda table: [["a"] * 9] * len(table)), "truncation", "tags"),
    "many values": (changed("city", lambda table: [str(one) for one in range(len(table))]), "collisions", "city"),
    "rare label": (changed("is_click", lambda table: [1, *[0] * (len(table) - 1)]), "label", "is_click"),
    "wrong unit": (changed("time_s", lambda table: np.arange(len(table)) + 1_700_000_000_000), "time", "time_s"),
}


@pytest.mark.usefixtures("place")
@pytest.mark.parametrize(("change", "check", "column"), WARNINGS.values(), ids=WARNINGS)
def test_warning_is_found_and_fails_only_if_strict(capsys: Capture, change: Change, check: str, column: str) -> None:
    code, findings = found(capsys, change(rows()))
    assert ("warning", check, column) in findings
    assert code == int(any(level == "error" for level, _, _ in findings))
    assert found(capsys, change(rows()), "--strict")[0] == 1


LEAKS: dict[str, tuple[str, Callable[[np.ndarray[Any, Any]], Any]]] = {
    "number": ("price", lambda label: label * 3.0 + 1.0),
    "number upside down": ("price", lambda label: 2.0 - label),
    "missing number": ("price", lambda label: pa.array(np.ones(len(label)), mask=label == 1)),
    "text": ("city", lambda label: np.where(label == 1, "bought", "seen").tolist()),
    "missing text": ("city", lambda label: [None if one else "seen" for one in label]),
    "bag": ("tags", lambda label: [["x", "y"] if one else ["z"] for one in label]),
    "empty bag": ("tags", lambda label: [[] if one else ["x"] for one in label]),
}


@pytest.mark.usefixtures("place")
@pytest.mark.parametrize(("name", "values"), LEAKS.values(), ids=LEAKS)
def test_planted_leak_is_found(capsys: Capture, name: str, values: Callable[[Any], Any]) -> None:
    label = rows()["is_click"].to_numpy()
    leaking = changed(name, lambda _: values(label))(rows())
    assert found(capsys, leaking) == (0, [("warning", "leak", name)])
    assert found(capsys, leaking, "--strict", "--known", name) == (0, [("note", "leak", name)])


@pytest.mark.usefixtures("place")
def test_label_of_a_regression_leaks_through_another_scale(capsys: Capture) -> None:
    leaking = changed("price", lambda table: np.exp(table["rating"].to_numpy()))(rows())
    assert found(capsys, leaking) == (0, [("warning", "leak", "price")])


@pytest.mark.usefixtures("place")
def test_value_for_each_row_is_no_leak(capsys: Capture) -> None:
    Path("schema.toml").write_text(SCHEMA.replace("5_000", "50_000"))
    assert found(capsys, changed("user_id", lambda table: range(len(table)))(rows())) == (0, [])


@pytest.mark.usefixtures("place")
def test_leak_is_found_in_a_small_sample_again_and_again(capsys: Capture) -> None:
    leaking = changed("price", lambda table: table["is_click"])(rows())
    first = found(capsys, leaking, "--sample-rows", "500", "--seed", "3")
    assert first == found(capsys, leaking, "--sample-rows", "500", "--seed", "3") == (0, [("warning", "leak", "price")])


@pytest.mark.usefixtures("place")
def test_note_of_too_few_rows_says_which_rows_are_needed(capsys: Capture) -> None:
    assert messages(capsys, rows(60), "leak") == [
        "too few rows to look for leaks: the half that is judged needs 20 of each class; bring more (click)",
        "too few rows to look for leaks: the half that is judged needs 20 with a label; bring more (stars)",
    ]


@pytest.mark.usefixtures("place")
def test_condition_that_is_a_feature_is_a_leak(capsys: Capture) -> None:
    feature = '{ name = "seen", kind = "categorical", dtype = "int64", num_buckets = 10 },\n]\ntasks'
    Path("schema.toml").write_text(SCHEMA.replace("]\ntasks", feature).replace('when = "is_click"', 'when = "seen"'))
    table = rows().append_column("seen", pa.array([0, 1] * (ROWS // 2)))
    assert ("warning", "leak", "seen") in found(capsys, table)[1]


@pytest.mark.usefixtures("place")
def test_random_split_of_rows_with_times_is_a_warning(capsys: Capture) -> None:
    Path("schema.toml").write_text(SCHEMA.replace('time = "time_s"\ntime_unit = "s"\n', ""))
    assert ("warning", "split", "time_s") in found(capsys, rows())[1]
    assert ("error", "split", None) in found(capsys, rows(), "--validation-hours", "1")[1]


@pytest.mark.usefixtures("place")
def test_year_that_is_out_of_range_is_named(capsys: Capture) -> None:
    late = changed("time_s", lambda table: np.arange(len(table)) + np.where(np.arange(len(table)) < 3_600, BEGIN, LATE))
    message = "times of the year 2190 under time_unit 's'; correct time_unit"
    assert messages(capsys, late(rows()), "time") == [message]


@pytest.mark.usefixtures("place")
def test_split_is_shown_as_training_makes_it(capsys: Capture) -> None:
    pq.write_table(rows(), "rows.parquet")
    main(["--quiet", "schema", "check", "schema.toml", "rows.parquet", "--json", "--validation-hours", "0.5"])
    split = json.loads(capsys.readouterr().out)["split"]
    assert split["train"] == {"rows": 2_200, "first": "2023-11-14T22:13:20", "last": "2023-11-14T22:49:59"}
    assert split["validation"] == {"rows": 1_800, "first": "2023-11-14T22:50:00", "last": "2023-11-14T23:19:59"}


@pytest.mark.usefixtures("place")
def test_kind_without_an_inspector_is_passed_over_with_a_note(capsys: Capture, monkeypatch: pytest.MonkeyPatch) -> None:
    kind = next(kind for kind in INSPECTORS if kind.__name__ == "BagFeature")
    monkeypatch.delitem(INSPECTORS, kind)
    assert found(capsys, rows()) == (0, [("note", "kind", "tags")])
    assert found(capsys, rows().drop_columns(["tags"])) == (
        1,
        [("error", "missing column", "tags"), ("note", "kind", "tags")],
    )


@pytest.mark.usefixtures("place")
def test_csv_is_read_as_training_reads_it(capsys: Capture) -> None:
    Path("schema.toml").write_text("\n".join(line for line in SCHEMA.splitlines() if "tags" not in line))
    pyarrow.csv.write_csv(rows().drop_columns(["tags"]), "rows.csv")
    assert main(["--quiet", "schema", "check", "schema.toml", "rows.csv", "--strict"]) == 0
    assert capsys.readouterr().out.splitlines()[-1] == "4,000 rows: 0 errors, 0 warnings, 0 notes"


@pytest.mark.usefixtures("place")
def test_shared_table_holds_the_values_of_all_its_features(capsys: Capture) -> None:
    Path("schema.toml").write_text(TOY_TOML)
    pq.write_table(toy_table(2_000, 0), "rows.parquet")
    main(["--quiet", "schema", "check", "schema.toml", "rows.parquet", "--json"])
    tables = {one["name"]: one["table"] for one in json.loads(capsys.readouterr().out)["features"]}
    assert tables["history"] == tables["item_id"]


@pytest.mark.usefixtures("place")
def test_text_names_each_finding_in_one_line(capsys: Capture) -> None:
    pq.write_table(changed("city", lambda table: ["Paris"] * len(table))(rows()), "rows.parquet")
    assert main(["schema", "check", "schema.toml", "rows.parquet"]) == 0
    assert capsys.readouterr().out.splitlines()[-2:] == [
        "warning: constant: city: has one value in all 4,000 rows, which tells a model nothing; leave the feature out",
        "4,000 rows: 0 errors, 1 warning, 0 notes",
    ]


@pytest.mark.usefixtures("place")
def test_file_without_rows_is_refused(capsys: Capture) -> None:
    pq.write_table(rows().slice(0, 0), "rows.parquet")
    assert main(["schema", "check", "schema.toml", "rows.parquet"]) == 1
    assert capsys.readouterr().err == "polyrank: rows.parquet holds no row; give data with rows\n"


@pytest.mark.usefixtures("place")
@pytest.mark.parametrize(
    ("name", "value", "limit"),
    [
        ("--sample-rows", "0", "a whole number 1 or above"),
        ("--sample-rows", "many", "a whole number 1 or above"),
        ("--seed", "-1", "a whole number 0 or above"),
        ("--validation-share", "1", "a number above 0 and below 1"),
        ("--validation-hours", "inf", "a number above 0 and finite"),
        ("--validation-hours", "a day", "a number above 0 and finite"),
    ],
)
def test_wrong_option_is_wrong_usage(capsys: Capture, name: str, value: str, limit: str) -> None:
    with pytest.raises(SystemExit, match="2"):
        main(["schema", "check", "schema.toml", "rows.parquet", name, value])
    assert f"argument {name}: must be {limit}, got {value!r}\n" in capsys.readouterr().err


@pytest.mark.parametrize(("distinct", "buckets"), [(1, 10), (500, 1_000), (5_000, 20_000)])
def test_collisions_are_as_many_as_expected(distinct: int, buckets: int) -> None:
    hashes = np.random.default_rng(0).integers(0, 2**62, (200, distinct))
    measured = np.mean([measured_collisions(one, buckets) for one in hashes[: 200_000 // distinct + 1]])
    assert measured == pytest.approx(expected_collisions(distinct, buckets), abs=0.01)


def test_suggested_buckets_keep_few_values_apart() -> None:
    assert suggested_buckets(np.array([5, 105, 205])) == 500
    assert suggested_buckets(np.arange(1_000)) == 5_000


def test_sample_has_its_size_and_every_row_the_same_chance() -> None:
    hits = np.zeros(1_000)
    for seed in range(200):
        sample = Sample(100, np.random.default_rng(seed))
        for start in range(0, 1_000, 50):
            sample.add(pa.table({"row": np.arange(start, start + 50)}))
        picked = sample.table()["row"].to_numpy()
        assert len(picked) == 100
        hits[picked] += 1
    assert abs(hits[:500].sum() - hits[500:].sum()) < 600
