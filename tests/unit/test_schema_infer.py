"""`polyrank schema infer`: what it proposes, its reasons, and what it refuses."""

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq
import pytest

from polyrank.__main__ import main
from polyrank.errors import DataError
from polyrank.features import BagFeature, CategoricalFeature, NumericFeature, SequenceFeature
from polyrank.inspection import InferConfig, propose
from polyrank.schema import Schema
from polyrank.tasks import BinaryTask, RegressionTask

Capture = pytest.CaptureFixture[str]
ROWS = 3_000


def logs(**more: Any) -> pa.Table:
    generator = np.random.default_rng(1)
    columns = {
        "time_ms": np.arange(ROWS) * 1_000 + 1_700_000_000_000,
        "user_id": generator.integers(0, 200, ROWS),
        "video_id": generator.integers(0, 400, ROWS),
        "history": [row.tolist() for row in generator.integers(0, 400, (ROWS, 5))],
        "city": generator.choice(["Paris", "Rome", "NA"], ROWS).tolist(),
        "tags": [["a", "b", "c"][: int(size)] for size in generator.integers(0, 4, ROWS)],
        "price": generator.lognormal(2.0, 2.0, ROWS),
        "age": generator.integers(18, 80, ROWS),
        "is_click": generator.integers(0, 2, ROWS).astype(np.int8),
    }
    return pa.table(columns | more)


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def infer(table: pa.Table, *options: str) -> Schema:
    pq.write_table(table, "logs.parquet")
    assert main(["--quiet", "schema", "infer", "logs.parquet", "--out", "schema.toml", "--force", *options]) == 0
    return Schema.load("schema.toml")


@pytest.mark.usefixtures("place")
def test_every_kind_of_column_becomes_its_feature() -> None:
    schema = infer(logs())
    ids = {"dtype": "int64", "embedding_dim": 16}
    video: dict[str, Any] = {"num_buckets": 2_000, **ids}
    assert schema == Schema(
        name="logs",
        time="time_ms",
        time_unit="ms",
        group="user_id",
        features=(
            CategoricalFeature(name="user_id", side="user", num_buckets=1_000, dtype="int64", embedding_dim=16),
            CategoricalFeature(name="video_id", side="item", **video),
            SequenceFeature(
                name="history",
                side="user",
                max_length=5,
                shares="video_id",
                pooling="attention",
                target="video_id",
                **video,
            ),
            CategoricalFeature(name="city", dtype="text", num_buckets=100, missing=("NA",), embedding_dim=16),
            BagFeature(name="tags", side="item", max_length=3, dtype="text", num_buckets=100, embedding_dim=16),
            NumericFeature(name="price", side="item", transform=("log1p", "standardize")),
            NumericFeature(name="age", side="user", transform=("standardize",)),
        ),
        tasks=(BinaryTask(name="click", label="is_click"),),
    )


@pytest.mark.usefixtures("place")
def test_proposal_trains_and_passes_its_check() -> None:
    infer(logs())
    assert main(["--quiet", "schema", "check", "--strict", "schema.toml", "logs.parquet"]) == 0
    assert main(["--quiet", "train", "logs.parquet", "--schema", "schema.toml", "--out", "run"]) == 0


@pytest.mark.usefixtures("place")
def test_wrong_value_among_numbers_is_named() -> None:
    amounts, times = [f"{row % 50}.5" for row in range(ROWS)], [str(1_700_000_000 + row) for row in range(ROWS)]
    amounts[700], times[100] = "abc", "notatime"
    codes = [f"{row % 40}{'A' if row % 2 else ''}" for row in range(ROWS)]
    infer(logs(spent=amounts, seen_at=times, code=codes))
    text = Path("schema.toml").read_text()
    hint = "almost all are numbers, and {!r} is none: if it is an amount or a time, correct the data\n"
    assert f"; no side in its name; {hint.format('abc')}" in text
    assert (
        f'"seen_at": unique: each row has its own value, which a new row will not have; {hint.format("notatime")}'
        in text
    )
    assert text.count("almost all are numbers") == 2


@pytest.mark.usefixtures("place")
def test_reasons_stand_above_each_choice() -> None:
    infer(logs(note=[str(row) for row in range(ROWS)]))
    text = Path("schema.toml").read_text()
    assert 'time = "time_ms"  # int64, 2023-11-14T22:13:20 to 2023-11-14T23:03:19 in this unit\n' in text
    assert (
        "# int64, 0.0% missing, 200 distinct values, of which 18.1% are expected to share a bucket, all of 0 to 199: "
        "if no others come, identity = true and num_buckets = 200 hash nothing; "
        'side guessed from its name\n[[features]]\nname = "user_id"\nkind = "categorical"\nside = "user"\n' in text
    )
    assert text.endswith('# Left out:\n# "note": unique: each row has its own value, which a new row will not have\n')


LEFT_OUT: dict[str, tuple[str, Any, str]] = {
    "constant": ("country", ["de"] * ROWS, "constant"),
    "constant number": ("ratio", [0.5] * ROWS, "constant"),
    "empty": ("country", pa.nulls(ROWS, pa.string()), "no row has a value"),
    "unique": ("row", list(range(ROWS)), "unique"),
    "outcome": ("play_time_ms", list(range(ROWS)), "named like an outcome"),
    "rating": ("rating", [1.0, 2.0] * (ROWS // 2), "named like an outcome"),
    "weight": ("sample_weight", [1.0, 2.0] * (ROWS // 2), "named like a weight"),
    "second time": ("created_at", pa.array(range(ROWS), pa.timestamp("s")), "looks like a time"),
    "type": ("where", [{"x": 1}] * ROWS, "is no type of a feature"),
    "weights": ("tag_weights", [[0.5]] * ROWS, "named like a weight"),
    "infinity": ("ratio", [float("inf"), 1.0] * (ROWS // 2), "holds inf at row 1; finite 32-bit numbers expected"),
    "late infinity": ("ratio", [1.0] * (ROWS - 1) + [float("inf")], "holds inf at row 3,000; finite"),
    "short vector": ("place", [[0.5]] * ROWS, "begins with a list of 1 numbers; a vector has 2 to 16,384"),
    "vectors of two lengths": ("place", [[0.5, 1.0], [0.5]] * (ROWS // 2), "holds a vector of 1 numbers at row 2"),
    "constant vector": ("place", [[0.5, 1.0]] * ROWS, "constant"),
    "empty vector": ("place", pa.nulls(ROWS, pa.list_(pa.float32())), "no row has a value"),
}


@pytest.mark.usefixtures("place")
@pytest.mark.parametrize(("name", "values", "reason"), LEFT_OUT.values(), ids=LEFT_OUT)
def test_column_that_helps_no_model_is_left_out_with_its_reason(name: str, values: Any, reason: str) -> None:
    schema = infer(logs(**{name: values}))
    assert name not in schema.training_columns
    line = next(line for line in Path("schema.toml").read_text().splitlines() if line.startswith(f'# "{name}": '))
    assert reason in line


@pytest.mark.usefixtures("place")
def test_column_that_tells_the_label_is_left_out() -> None:
    table = logs()
    table = table.append_column("state", pa.array(["on" if one else "off" for one in table["is_click"].to_pylist()]))
    assert "state" not in infer(table).training_columns
    assert "looks like an outcome: alone it reaches AUC 1.000 on click" in Path("schema.toml").read_text()


@pytest.mark.usefixtures("place")
def test_given_labels_are_tasks_by_what_they_hold() -> None:
    schema = infer(
        logs(spend=np.random.default_rng(2).lognormal(0, 2, ROWS)), "--label", "spend", "--label", "is_click"
    )
    assert schema.tasks == (
        RegressionTask(name="spend", label="spend", transform="log1p"),
        BinaryTask(name="click", label="is_click"),
    )


@pytest.mark.usefixtures("place")
def test_odd_names_are_written_as_toml() -> None:
    name = 'a "b"\n\x7f\t#é'
    schema = infer(
        logs(**{name: ["x", "x", "y"] * (ROWS // 3), "9 lives?": [0, 1] * (ROWS // 2)}), "--label", "9 lives?"
    )
    assert name in schema.feature_columns
    assert schema.tasks[0].name == "task_9_lives_"


@pytest.mark.usefixtures("place")
def test_rows_without_a_time_are_split_at_random() -> None:
    assert infer(logs().drop_columns(["time_ms"])).time is None


@pytest.mark.usefixtures("place")
def test_column_that_names_no_user_is_no_group() -> None:
    assert infer(logs().rename_columns({"user_id": "city_id"})).group is None


@pytest.mark.usefixtures("place")
@pytest.mark.parametrize("outcome", ["loved", "is_skipped", "rated"])
def test_outcome_of_another_name_is_no_feature(outcome: str) -> None:
    schema = infer(logs(**{outcome: [0, 1] * (ROWS // 2)}), "--label", "is_click")
    assert outcome not in schema.feature_columns


@pytest.mark.usefixtures("place")
def test_what_to_do_next_is_said(capsys: Capture) -> None:
    Path("my logs").mkdir()
    pq.write_table(logs(), "my logs/a.parquet")
    assert main(["--quiet", "schema", "infer", "my logs", "--out", "schema.toml"]) == 0
    assert capsys.readouterr().out == (
        "schema.toml: 7 features, 1 tasks, 0 left out; read and edit it, then: "
        "polyrank schema check schema.toml 'my logs'\n"
    )


@pytest.mark.usefixtures("place")
def test_csv_is_read_too(capsys: Capture) -> None:
    pyarrow.csv.write_csv(logs().drop_columns(["history", "tags"]), "logs.csv")
    assert main(["--quiet", "schema", "infer", "logs.csv"]) == 0
    assert Schema.from_toml(capsys.readouterr().out).time == "time_ms"


@pytest.mark.usefixtures("place")
def test_existing_schema_is_kept_without_force(capsys: Capture) -> None:
    pq.write_table(logs(), "logs.parquet")
    Path("schema.toml").write_text("mine")
    assert main(["schema", "infer", "logs.parquet", "--out", "schema.toml"]) == 1
    message = "polyrank: schema.toml already exists; choose another place, or write over it with --force\n"
    assert capsys.readouterr().err == message
    assert Path("schema.toml").read_text() == "mine"


REFUSED: dict[str, tuple[list[str], list[str], str]] = {
    "no label": (["is_click"], [], "no column of 0 and 1 is named like a label, as is_click is; name one with --label"),
    "unlike any column": (
        [],
        ["--label", "nope"],
        (
            "label 'nope' is no column; there are 'time_ms', 'user_id', 'video_id', 'history', 'city', 'tags', "
            "'price', 'age', 'is_click'"
        ),
    ),
    "unknown label": ([], ["--label", "is_clik"], "label 'is_clik' is no column; did you mean 'is_click'?"),
    "label of text": (
        [],
        ["--label", "city"],
        "label 'city' holds string; a label is a number: make a 0/1 column of it",
    ),
}


@pytest.mark.usefixtures("place")
@pytest.mark.parametrize(("dropped", "options", "message"), REFUSED.values(), ids=REFUSED)
def test_label_that_is_none_is_refused(capsys: Capture, dropped: list[str], options: list[str], message: str) -> None:
    pq.write_table(logs().drop_columns(dropped), "logs.parquet")
    assert main(["--quiet", "schema", "infer", "logs.parquet", *options]) == 1
    assert capsys.readouterr().err == f"polyrank: {message}\n"


WITHOUT_VALUES: dict[str, tuple[Any, str]] = {
    "nulls": (pa.nulls(ROWS, pa.int64()), "label 'spend' has no value in any row; correct the data, or name another\n"),
    "NaN": ([float("nan")] * ROWS, "label 'spend' has no value in any row; correct the data, or name another\n"),
    "infinity": ([float("inf"), 1.0] * (ROWS // 2), "label 'spend' cannot be learned: column 'spend' holds inf at row"),
}


@pytest.mark.usefixtures("place")
@pytest.mark.parametrize(("values", "message"), WITHOUT_VALUES.values(), ids=WITHOUT_VALUES)
def test_label_without_a_number_is_refused(capsys: Capture, values: Any, message: str) -> None:
    pq.write_table(logs(spend=values), "logs.parquet")
    assert main(["--quiet", "schema", "infer", "logs.parquet", "--label", "spend"]) == 1
    told = capsys.readouterr().err
    assert told.startswith(f"polyrank: {message}")
    assert told.count("\n") == 1


@pytest.mark.usefixtures("place")
def test_number_that_some_rows_lack_is_no_constant() -> None:
    assert "ratio" in infer(logs(ratio=[0.5, float("nan")] * (ROWS // 2))).feature_columns


@pytest.mark.usefixtures("place")
def test_file_without_rows_or_features_is_refused() -> None:
    pq.write_table(logs().slice(0, 0), "none.parquet")
    with pytest.raises(DataError, match="holds no row; give data with rows"):
        propose(Path("none.parquet"), InferConfig())
    pq.write_table(logs().select(["is_click", "time_ms"]), "bare.parquet")
    with pytest.raises(DataError, match="has no column that can be a feature"):
        propose(Path("bare.parquet"), InferConfig())


@pytest.mark.usefixtures("place")
def test_task_of_a_label_that_pytorch_has_a_name_for_trains() -> None:
    schema = infer(logs(is_forward=np.random.default_rng(3).integers(0, 2, ROWS)), "--label", "is_forward")
    assert schema.tasks[0].name == "forward"
    assert main(["--quiet", "train", "logs.parquet", "--schema", "schema.toml", "--out", "run"]) == 0
