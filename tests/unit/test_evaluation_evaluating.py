"""An evaluation as a whole: which parts it has, of what rows, and what schemas and rows leave out."""

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from artefacts.evaluated import (
    CLICK,
    EVERY_TASK,
    FEATURES,
    GENRE,
    LIKE,
    TASTE,
    Formula,
    evaluated,
    few,
    schema_of,
    table_of,
    written,
)
from numpy.testing import assert_array_equal
from numpy.typing import NDArray
from sklearn.metrics import roc_auc_score

from polyrank.errors import ConfigError
from polyrank.evaluation.evaluating import evaluate_files
from polyrank.evaluation.findings import Slice
from polyrank.evaluation.options import EvaluationOptions
from polyrank.evaluation.results import Result
from polyrank.labels import groups
from polyrank.metrics.intervals import draws
from polyrank.metrics.observed import Observed

EVERYTHING = 'group = "user"\ntime = "at"\nsample_weight = "weight"'
SCHEMA = schema_of(*EVERY_TASK, extra=EVERYTHING)
TABLE = table_of(300)


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Result:
    return evaluated(tmp_path_factory.mktemp("whole"), SCHEMA, TABLE)


def without(*columns: str) -> pa.Table:
    """Return rows with nothing in these columns."""
    table = TABLE
    for name in columns:
        place = table.column_names.index(name)
        table = table.set_column(place, name, pa.nulls(len(TABLE), table.schema.field(name).type))
    return table


def slice_by(found: Result, by: str) -> Slice:
    return next(each for each in found.slices if each.by == by)


def test_every_task_is_measured_in_order(whole: Result) -> None:
    assert [task.task for task in whole.tasks] == [task.name for task in SCHEMA.tasks]
    assert [task.kind for task in whole.tasks] == [
        "binary",
        "binary",
        "regression",
        "regression",
        "ordinal",
        "multiclass",
        "count",
    ]


def test_task_counts_its_observed_rows(whole: Result) -> None:
    counts = TABLE["weight"].to_numpy() > 0
    clicked = TABLE["c"].to_numpy() == 1
    assert [task.rows for task in whole.tasks[:2]] == [counts.sum(), (counts & clicked).sum()]


def test_means_of_a_task_are_weighted(whole: Result) -> None:
    weights = TABLE["weight"].to_numpy()
    assert whole.tasks[0].mean_label == pytest.approx(np.average(TABLE["c"].to_numpy(), weights=weights))


def test_classes_have_no_mean(whole: Result) -> None:
    genre = next(task for task in whole.tasks if task.kind == "multiclass")
    assert (genre.mean_label, genre.mean_answer) == (None, None)


def test_value_lies_within_its_interval(whole: Result) -> None:
    metric = whole.tasks[0].metrics[0]
    assert metric.interval is not None
    assert metric.value is not None
    assert metric.interval[0] <= metric.value <= metric.interval[1]


def test_rows_are_described(whole: Result) -> None:
    found = whole.data
    assert (found.part, found.rows, found.group) == ("all", 300, "user")
    assert found.groups == len(set(TABLE["user"].to_pylist()) - {None})
    assert (found.begins, found.ends) == ("2023-11-14T22:13:20Z", "2023-11-15T03:12:20Z")


def test_model_and_how_it_was_evaluated_are_described(whole: Result) -> None:
    assert (whole.model.source, whole.model.kind, whole.model.run_id) == ("somewhere", "run", "0123456789ab")
    assert (whole.level, whole.resamples, whole.seed) == (0.5, 4, 0)
    assert {"python", "polyrank", "processor", "cores"} <= whole.environment.keys()


def test_whole_evaluation_has_every_part(whole: Result) -> None:
    assert set(whole.calibration) == {"click", "like", "watch", "taste", "stars", "plays"}
    assert set(whole.distributions) == {task.name for task in SCHEMA.tasks}
    assert set(whole.group_areas) == {"click", "like"}
    assert whole.ordering is not None
    assert len(whole.trade_offs) == 6
    assert whole.catalogue is not None
    assert whole.importance is not None
    assert {table.table for table in whole.tables} == {"user", "item", "country", "hour", "history"}


def test_result_is_what_its_file_holds(whole: Result, tmp_path: Path) -> None:
    whole.save(tmp_path / "evaluation.json")
    assert Result.load(tmp_path / "evaluation.json") == whole


def test_same_seed_gives_the_same_numbers(whole: Result, tmp_path: Path) -> None:
    again = evaluated(tmp_path, SCHEMA, TABLE)
    names = ("tasks", "slices", "ordering", "trade_offs", "catalogue", "importance", "tables", "calibration")
    assert all(getattr(again, name) == getattr(whole, name) for name in names)


def test_rows_in_pieces_give_the_same_numbers(whole: Result, tmp_path: Path) -> None:
    again = evaluated(tmp_path, SCHEMA, TABLE.slice(0, 1), TABLE.slice(1, 120), TABLE.slice(121))
    names = ("tasks", "slices", "ordering", "trade_offs", "catalogue", "tables", "calibration", "distributions")
    assert all(getattr(again, name) == getattr(whole, name) for name in names)


def test_weights_order_rows(tmp_path: Path) -> None:
    found = evaluated(tmp_path, SCHEMA, TABLE, options=few(weights={"click": 1.0})).ordering
    assert found is not None
    assert found.weights == {name: float(name == "click") for name in found.weights}
    assert found.tasks["click"].ndcg == found.tasks["click"].own_ndcg


def test_order_of_one_task_has_the_metric_of_that_task(whole: Result) -> None:
    assert whole.ordering is not None
    for task in whole.tasks[:2]:
        values = {metric.name: metric.value for metric in task.metrics}
        assert whole.ordering.tasks[task.task].own_ndcg == pytest.approx(values["ndcg@10"])


def test_slices_of_few_rows_and_of_many_count_all_rows(whole: Result) -> None:
    counts = np.unique(groups(TABLE["item"], "item"), return_inverse=True, return_counts=True)
    sizes = counts[2][counts[1]]
    found = slice_by(whole, "rows of item")
    assert (found.kind, sum(part.rows for part in found.parts)) == ("activity", 300)
    assert found.parts[0].value.startswith(f"{sizes.min()} ")
    assert found.parts[-1].value.endswith(str(sizes.max()))


def novelty(tmp_path: Path, by: str, marks: NDArray[np.bool_]) -> dict[str, int]:
    rows = written(tmp_path, TABLE)
    found = evaluate_files(Formula(SCHEMA), rows, few(), evaluated=marks)
    assert found.data.part == "validation"
    return {part.value: part.rows for part in slice_by(found, by).parts}


def test_new_users_are_those_without_other_rows(tmp_path: Path) -> None:
    marks = np.arange(300) >= 60
    known = set(TABLE["user"].slice(0, 60).to_pylist()) - {None}
    users = [user for user in TABLE["user"].slice(60).to_pylist() if user is not None]
    expected = sum(user in known for user in users)
    assert novelty(tmp_path, "is user new", marks) == {"known": expected, "new": len(users) - expected}


def test_slice_of_known_values_alone_is_left_out(tmp_path: Path) -> None:
    rows = written(tmp_path, TABLE)
    found = evaluate_files(Formula(SCHEMA), rows, few(), evaluated=np.arange(300) >= 290)
    assert "is item new" not in [each.by for each in found.slices]


def test_one_column_of_users_and_items_is_sliced_once(tmp_path: Path) -> None:
    found = evaluated(tmp_path, SCHEMA, TABLE, options=few(user="item"))
    assert [each.by for each in found.slices if each.kind == "activity"] == ["rows of item"]
    assert found.catalogue is None


def test_value_that_the_model_takes_for_missing_is(tmp_path: Path) -> None:
    features = FEATURES.replace('name = "country",', 'name = "country", missing = ["be"],')
    found = evaluated(tmp_path, schema_of(CLICK, features=features), TABLE)
    countries = TABLE["country"].to_pylist()
    assert {part.value: part.rows for part in slice_by(found, "country").parts} == {
        "at": countries.count("at"),
        "de": countries.count("de"),
        "missing": countries.count("be") + countries.count(None),
    }


def test_column_that_is_asked_for_parts_rows(tmp_path: Path) -> None:
    found = evaluated(tmp_path, SCHEMA, TABLE, options=few(by=("history", "price")))
    assert [each.by for each in found.slices if each.kind == "column"][:2] == ["length of history", "price"]


def test_value_called_missing_is_no_reason_to_leave_a_slice_out(tmp_path: Path) -> None:
    values = pa.array(["missing", None] * 150)
    found = evaluated(tmp_path, schema_of(CLICK), TABLE.append_column("tag", values), options=few(by=("tag",)))
    assert [part.rows for part in slice_by(found, "tag").parts] == [150, 150]


def test_schema_without_groups_orders_nothing(tmp_path: Path) -> None:
    found = evaluated(tmp_path, schema_of(*EVERY_TASK), TABLE)
    assert (found.ordering, found.trade_offs, found.group_areas) == (None, (), {})
    assert (found.data.group, found.data.groups) == (None, None)


def test_schema_without_times_has_none(tmp_path: Path) -> None:
    found = evaluated(tmp_path, schema_of(*EVERY_TASK), TABLE).data
    assert (found.begins, found.ends) == (None, None)


def test_rows_without_a_group_are_evaluated(tmp_path: Path) -> None:
    found = evaluated(tmp_path, SCHEMA, without("user"))
    assert (found.ordering, found.trade_offs, found.group_areas, found.catalogue) == (None, (), {}, None)
    assert found.data.groups == 0


def test_rows_without_an_item_are_evaluated(tmp_path: Path) -> None:
    found = evaluated(tmp_path, SCHEMA, without("item"))
    assert found.catalogue is None
    assert "rows of item" not in [each.by for each in found.slices]


CONTEXT = '{ name = "price", kind = "numeric" }, { name = "hour", kind = "numeric" }'
ONE_SIDED = {
    "no items": '{ name = "user", kind = "categorical", dtype = "int64", num_buckets = 9, side = "user" }, ' + CONTEXT,
    "no users": '{ name = "item", kind = "categorical", dtype = "text", num_buckets = 9, side = "item" }, ' + CONTEXT,
    "context": CONTEXT,
}


@pytest.mark.parametrize("case", ONE_SIDED)
def test_schema_of_one_side_recommends_nothing(tmp_path: Path, case: str) -> None:
    found = evaluated(tmp_path, schema_of(*EVERY_TASK, features=ONE_SIDED[case]), TABLE)
    assert found.catalogue is None


def test_few_items_are_not_recommended(tmp_path: Path) -> None:
    assert evaluated(tmp_path, SCHEMA, TABLE, options=few(k=20)).catalogue is None


def test_parts_that_are_not_wanted_are_left_out(tmp_path: Path) -> None:
    found = evaluated(tmp_path, SCHEMA, TABLE, options=few(importance_rows=0, catalogue_users=0))
    assert (found.importance, found.catalogue) == (None, None)


def test_catalogue_has_as_many_users_as_asked_for(whole: Result) -> None:
    assert whole.catalogue is not None
    assert (whole.catalogue.users, whole.catalogue.items, whole.catalogue.of_items) == (5, 20, 20)


def test_classes_alone_are_evaluated(tmp_path: Path) -> None:
    found = evaluated(tmp_path, schema_of(GENRE, extra='group = "user"'), TABLE)
    assert (found.ordering, found.trade_offs, found.catalogue) == (None, (), None)
    assert found.tasks[0].metrics[0].value is not None


@pytest.mark.parametrize("label", list("clwsogp"))
def test_task_without_a_label_says_so(tmp_path: Path, label: str) -> None:
    found = evaluated(tmp_path, SCHEMA, without(label))
    task = next(each for each in found.tasks if each.label == label)
    assert (task.rows, task.mean_label, task.mean_answer) == (0, None, None)
    assert {metric.value for metric in task.metrics} == {None}
    assert all(metric.undefined for metric in task.metrics)
    assert task.task not in found.calibration | found.distributions | found.group_areas


def test_rows_of_weight_zero_measure_nothing(tmp_path: Path) -> None:
    place = TABLE.column_names.index("weight")
    found = evaluated(tmp_path, SCHEMA, TABLE.set_column(place, "weight", pa.array(np.zeros(300))))
    assert [task.rows for task in found.tasks] == [0] * 7


def test_single_row_is_evaluated(tmp_path: Path) -> None:
    found = evaluated(tmp_path, SCHEMA, TABLE.slice(5, 1))
    assert (found.data.rows, found.slices, found.data.groups) == (1, (), 1)


def test_constant_answers_are_evaluated(tmp_path: Path) -> None:
    def half(*_: Any) -> dict[str, NDArray[np.float32]]:
        return {"click": np.full(300, 0.5, np.float32)}

    schema = schema_of(CLICK, extra='group = "user"')
    found = evaluate_files(Formula(schema, half), written(tmp_path, TABLE), few(importance_rows=0, catalogue_users=0))
    assert (found.tasks[0].metrics[0].value, found.group_areas["click"].below_half) == (0.5, 0.0)
    assert len(found.calibration["click"]) == 1


def test_importance_is_of_the_answered_sample(tmp_path: Path) -> None:
    schema = schema_of(CLICK)
    found = evaluated(tmp_path, schema, TABLE, options=few(importance_rows=1_000)).importance
    assert found is not None
    area = roc_auc_score(TABLE["c"].to_numpy(), Formula(schema).answer(TABLE)["click"])
    assert found.rows == 300
    assert found.base["click"] == pytest.approx(area)
    assert found.columns[0].column == "price"


def test_steps_are_told_in_their_order(tmp_path: Path) -> None:
    told: list[str] = []
    evaluated(tmp_path, SCHEMA, TABLE, options=few(progress=lambda what, *_: told.append(what)))
    assert list(dict.fromkeys(told)) == ["answer", "measure", "recommend", "shuffle"]


def test_weights_of_an_unknown_task_are_refused_before_reading(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"^weights names 'nope', which is no task of model 'shop'"):
        evaluate_files(Formula(SCHEMA), tmp_path / "nowhere", few(weights={"nope": 1.0}))


WRONG: dict[str, tuple[dict[str, Any], str]] = {
    "k": ({"k": 0}, r"^k must be an integer in \[1, 10000\], got 0$"),
    "shuffles": ({"shuffles": 0}, r"^shuffles must be an integer in \[1, 100\], got 0$"),
    "importance": ({"importance_rows": -1}, r"^importance_rows must be an integer in \[0, 10000000\], got -1$"),
    "catalogue": ({"catalogue_users": 1.5}, r"^catalogue_users must be an integer in \[0, 10000000\], got 1\.5$"),
    "level": ({"level": 1.0}, r"^level must be in \(0, 1\), got 1\.0$"),
    "resamples": ({"resamples": 0}, r"^resamples must be 1 or above, got 0$"),
    "few resamples": ({"resamples": 39}, r"^resamples must be at least 40 for level 0\.95, got 39$"),
    "few for a level": ({"level": 0.9, "resamples": 19}, r"^resamples must be at least 20 for level 0\.9, got 19$"),
    "seed": ({"seed": -1}, r"^seed must be 0 or above, got -1$"),
    "threads": ({"threads": 0}, r"^threads must be 1 or above, got 0$"),
    "by": ({"by": ("a", "b", "a")}, r"^by names column 'a' twice; name it once$"),
}


@pytest.mark.parametrize("case", WRONG)
def test_options_out_of_range_are_refused(case: str) -> None:
    options, message = WRONG[case]
    with pytest.raises(ConfigError, match=message):
        EvaluationOptions(**options)


@pytest.mark.parametrize(("level", "least"), [(0.5, 4), (0.8, 10), (0.9, 20), (0.95, 40), (0.99, 200)])
def test_least_resamples_have_one_beyond_either_end(level: float, least: int) -> None:
    assert EvaluationOptions(level=level, resamples=least).resamples == least


def intervals_of(found: Result, task: str) -> dict[str, Any]:
    own = next(each for each in found.tasks if each.task == task)
    return {metric.name: metric.interval for metric in own.metrics if metric.value is not None}


@pytest.mark.parametrize("count", [1, 9])
def test_few_groups_give_no_interval(tmp_path: Path, count: int) -> None:
    users = pa.array(np.arange(300) % count)
    found = evaluated(tmp_path, SCHEMA, TABLE.set_column(TABLE.column_names.index("user"), "user", users))
    assert {each for task in found.tasks for each in intervals_of(found, task.task).values()} == {None}


def test_few_groups_of_both_classes_give_no_interval_of_groups(tmp_path: Path) -> None:
    users = np.append(np.arange(9).repeat(10), 9 + np.arange(210))
    table = TABLE.set_column(TABLE.column_names.index("user"), "user", pa.array(users))
    found = intervals_of(evaluated(tmp_path, schema_of(CLICK, extra='group = "user"'), table), "click")
    assert found["gauc"] is None
    assert found["calibration"] is not None


def never_drawn(row: int) -> int:
    """Return a seed of the bootstrap whose draws all lack a row."""
    rows = Observed.of(np.zeros(300, np.float32), np.zeros(300, np.float32))
    found = ((seed, draws(rows, few(seed=seed).bootstrap())) for seed in range(1_000))
    return next(seed for seed, drawn in found if not any(times[row] for times in drawn))


def test_metric_without_a_value_in_any_resample_has_no_interval(tmp_path: Path) -> None:
    clicks = pa.array(np.append(np.zeros(299, np.int64), 1))
    table = TABLE.set_column(TABLE.column_names.index("c"), "c", clicks)
    found = evaluated(tmp_path, schema_of(CLICK), table, options=few(seed=never_drawn(299)))
    assert intervals_of(found, "click")["calibration"] is None
    found.save(tmp_path / "found.json")
    assert Result.load(tmp_path / "found.json") == found


def test_conditional_task_is_measured_where_it_was_observed(tmp_path: Path) -> None:
    schema = schema_of(LIKE, TASTE, features=FEATURES)
    clicked = TABLE["c"].to_numpy() == 1
    answers = Formula(schema).answer(TABLE)["like"][clicked]
    found = evaluated(tmp_path, schema, TABLE)
    assert found.tasks[0].metrics[0].value == pytest.approx(roc_auc_score(TABLE["l"].to_numpy()[clicked], answers))
    assert_array_equal(sum(sum(counts) for counts in found.distributions["like"].series.values()), clicked.sum())
