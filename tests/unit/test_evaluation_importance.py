from collections.abc import Mapping

import numpy as np
import pyarrow as pa
import pytest
from numpy.typing import NDArray
from sklearn.metrics import roc_auc_score, root_mean_squared_error

from polyrank.evaluation import asking, importance
from polyrank.evaluation.findings import Importances
from polyrank.evaluation.importance import LabelledRows, importances
from polyrank.schema import Schema

SIZE = 400
SCHEMA = Schema.from_toml("""
name = "few"
features = [
  { name = "noise", kind = "numeric" },
  { name = "strong", kind = "numeric" },
  { name = "weak", kind = "numeric" },
]
tasks = [
  { name = "click", kind = "binary", label = "c" },
  { name = "watch", kind = "regression", label = "w" },
]
""")
RANDOM = np.random.default_rng(3)
STRONG, WEAK = RANDOM.normal(size=SIZE), RANDOM.normal(size=SIZE)
TABLE = pa.table({"noise": RANDOM.normal(size=SIZE), "strong": STRONG, "weak": WEAK, "unread": np.arange(SIZE)})
LABELS = np.stack(
    [2 * STRONG + 0.5 * WEAK + RANDOM.normal(size=SIZE) > 0, 3 * WEAK + RANDOM.normal(size=SIZE)], axis=1
).astype(np.float32)


def answer(rows: pa.Table) -> dict[str, NDArray[np.float32]]:
    strong, weak = rows["strong"].to_numpy(), rows["weak"].to_numpy()
    return {"click": (2 * strong + 0.5 * weak).astype(np.float32), "watch": (3 * weak).astype(np.float32)}


def found(labels: NDArray[np.float32] = LABELS, *, shuffles: int = 3, schema: Schema = SCHEMA) -> Importances:
    rows = LabelledRows(table=TABLE, labels=labels)
    return importances(schema, answer, rows, shuffles=shuffles, generator=np.random.default_rng(0))


def test_base_values_are_those_of_rows_as_they_are() -> None:
    answers = answer(TABLE)
    assert found().base == pytest.approx(
        {
            "click": roc_auc_score(LABELS[:, 0], answers["click"]),
            "watch": root_mean_squared_error(LABELS[:, 1], answers["watch"]),
        }
    )


def test_losses_are_those_of_shuffled_values() -> None:
    generator, losses = np.random.default_rng(0), []
    for name in ("noise", "strong"):
        order = generator.permutation(SIZE)
        shuffled = TABLE.set_column(TABLE.column_names.index(name), name, TABLE[name].take(order))
        base, after = (roc_auc_score(LABELS[:, 0], answer(rows)["click"]) for rows in (TABLE, shuffled))
        losses.append(base - after)
    columns = {each.column: each.losses["click"] for each in found(shuffles=1).columns}
    assert [columns["noise"], columns["strong"]] == pytest.approx(losses)


def test_more_error_is_a_loss_above_zero() -> None:
    assert {each.column: each.losses["watch"] > 0 for each in found().columns} == {
        "weak": True,
        "strong": False,
        "noise": False,
    }


def test_most_important_column_comes_first() -> None:
    assert [each.column for each in found().columns] == ["weak", "strong", "noise"]


def test_column_that_is_not_read_loses_nothing() -> None:
    assert found().columns[-1].losses == {"click": 0.0, "watch": 0.0}


def test_mean_lies_within_the_range_of_the_shuffles() -> None:
    low, high = found().columns[0].ranges["watch"]
    assert low < found().columns[0].losses["watch"] < high


def test_task_without_a_defined_metric_is_left_out() -> None:
    labels = LABELS.copy()
    labels[:, 0] = 1.0
    assert (found(labels).metrics, list(found(labels).columns[0].losses)) == ({"watch": "rmse"}, ["watch"])


def test_nothing_is_shuffled_when_no_metric_is_defined() -> None:
    assert found(np.full_like(LABELS, np.nan)).columns == ()


def test_rows_of_weight_zero_do_not_count() -> None:
    weights = np.repeat([1.0, 0.0], SIZE // 2).astype(np.float32)
    rows = LabelledRows(table=TABLE, labels=LABELS, weights=weights)
    base = importances(SCHEMA, answer, rows, generator=np.random.default_rng(0)).base
    half = answer(TABLE)["click"][: SIZE // 2]
    assert base["click"] == pytest.approx(roc_auc_score(LABELS[: SIZE // 2, 0], half))


def test_model_without_errors_has_infinitely_important_columns_first() -> None:
    labels = np.stack([LABELS[:, 0], answer(TABLE)["watch"]], axis=1)
    assert [each.column for each in found(labels).columns] == ["weak", "strong", "noise"]


def test_weights_of_a_bag_are_shuffled_with_it() -> None:
    schema = Schema.from_toml("""
name = "bags"
features = [
  { name = "words", kind = "bag", dtype = "text", num_buckets = 9, max_length = 3, weights = "word_weights" },
  { name = "x", kind = "numeric" },
]
tasks = [{ name = "click", kind = "binary", label = "c" }]
""")
    sizes = RANDOM.integers(1, 4, SIZE)
    words, weights = [["w"] * size for size in sizes], [[0.5] * size for size in sizes]
    table = pa.table({"words": words, "word_weights": weights, "x": STRONG})
    fits = []

    def counted(rows: pa.Table) -> Mapping[str, NDArray[np.float32]]:
        pairs = zip(rows["words"].to_pylist(), rows["word_weights"].to_pylist(), strict=True)
        fits.append(all(len(own) == len(weight) for own, weight in pairs))
        return {"click": np.array([len(own) for own in rows["words"].to_pylist()], np.float32)}

    rows = LabelledRows(table=table, labels=LABELS[:, :1])
    columns = importances(schema, counted, rows, generator=np.random.default_rng(0)).columns
    assert (all(fits), {each.column for each in columns}) == (True, {"words", "x"})


def test_shuffles_are_stacked_in_calls_of_bounded_size(monkeypatch: pytest.MonkeyPatch) -> None:
    sizes = []

    def counted(rows: pa.Table) -> Mapping[str, NDArray[np.float32]]:
        sizes.append(rows.num_rows)
        return answer(rows)

    for module in (asking, importance):
        monkeypatch.setattr(module, "ROWS_PER_CALL", 2 * SIZE)
    rows = LabelledRows(table=TABLE, labels=LABELS)
    importances(SCHEMA, counted, rows, generator=np.random.default_rng(0))
    assert sizes == [SIZE, *[2 * SIZE] * 4, SIZE]


def test_larger_tables_than_a_call_takes_are_parted(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = found()
    for module in (asking, importance):
        monkeypatch.setattr(module, "ROWS_PER_CALL", 150)
    assert found() == whole


def test_progress_ends_with_all_rows_answered() -> None:
    told: list[tuple[int, int | None]] = []
    rows = LabelledRows(table=TABLE, labels=LABELS)
    generator = np.random.default_rng(0)
    importances(SCHEMA, answer, rows, generator=generator, progress=lambda done, total: told.append((done, total)))
    assert told[-1] == (10 * SIZE, 10 * SIZE)
