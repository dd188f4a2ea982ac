"""Parts of rows: which rows they hold, and that each is measured as those rows alone."""

import datetime as dt
import decimal
import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from artefacts.evaluated import EVERY_TASK, GENRE, answered, schema_of, table_of
from numpy.testing import assert_array_equal
from numpy.typing import NDArray
from scipy.special import expit, logit
from scipy.stats import false_discovery_control, norm
from sklearn.metrics import roc_auc_score, root_mean_squared_error

from polyrank.errors import ConfigError
from polyrank.evaluation.answered import AnsweredRows
from polyrank.evaluation.findings import MetricValue, Slice, SlicePart
from polyrank.evaluation.influence import MIN_UNITS, area_influence, class_error
from polyrank.evaluation.parts import Parts, parts_of_column, parts_of_numbers
from polyrank.evaluation.slices import Measured, judged, sliced, wholes

SCHEMA = schema_of(*EVERY_TASK)
TABLE = table_of(600)
ROWS = answered(SCHEMA, TABLE, np.random.default_rng(7).integers(-1, 80, 600))
COUNTRIES = np.array([value or "missing" for value in TABLE["country"].to_pylist()])


def cut(rows: AnsweredRows, parts: Parts, level: float = 0.95) -> Slice:
    return judged([sliced(rows, parts, wholes(rows), level)], level)[0]


def by_country(rows: AnsweredRows = ROWS, level: float = 0.95) -> Slice:
    return cut(rows, parts_of_column("country", TABLE["country"], is_categorical=True), level)


def part_of(found: Slice, value: str) -> SlicePart:
    return next(part for part in found.parts if part.value == value)


def chosen(task: str, country: str) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Return answers and labels of the observed rows of a country."""
    labels = ROWS.labels[:, [each.name for each in SCHEMA.tasks].index(task)]
    mask = (country == COUNTRIES) & ~np.isnan(labels)
    return ROWS.answers[task][mask], labels[mask]


@pytest.mark.parametrize("country", ["at", "be", "de", "missing"])
def test_part_is_measured_by_its_own_rows(country: str) -> None:
    metrics = part_of(by_country(), country).metrics
    for task in ("click", "like"):
        answers, labels = chosen(task, country)
        assert metrics[task].value == pytest.approx(roc_auc_score(labels, answers))
    for task in ("taste", "stars", "plays"):
        answers, labels = chosen(task, country)
        assert metrics[task].value == pytest.approx(root_mean_squared_error(labels, answers), rel=1e-6)
    answers, labels = chosen("genre", country)
    assert metrics["genre"].value == pytest.approx(-np.log(answers[np.arange(len(labels)), labels.astype(int)]).mean())


def test_calibration_of_a_part_is_a_ratio_of_sums() -> None:
    answers, labels = chosen("click", "be")
    expected = answers.sum(dtype=np.float64) / labels.sum(dtype=np.float64)
    assert part_of(by_country(), "be").calibration["click"] == pytest.approx(expected)


def test_multiclass_task_has_no_calibration() -> None:
    assert part_of(by_country(), "be").calibration["genre"] is None


def test_rows_of_parts_sum_to_all() -> None:
    assert sum(part.rows for part in by_country().parts) == 600


def test_row_in_no_part_is_not_measured() -> None:
    found = cut(ROWS, Parts("half", "novelty", ("first",), np.repeat([0, -1], 300)))
    assert [part.rows for part in found.parts] == [300]


def test_interval_of_a_part_is_that_of_its_groups() -> None:
    rows = ROWS[COUNTRIES == "de"]
    observed = rows.observed(SCHEMA.tasks[0])
    value = roc_auc_score(observed.labels, observed.answers)
    error = class_error(area_influence(observed), observed.groups, observed.positive)
    expected = expit(norm.interval(0.8, logit(value), error / (value * (1 - value))))
    assert part_of(by_country(level=0.8), "de").metrics["click"].interval == pytest.approx(expected)


def alone(labels: Sequence[float], answers: Sequence[float], groups: Sequence[int] | None = None) -> SlicePart:
    schema = schema_of('{ name = "click", kind = "binary", label = "c" }')
    rows = AnsweredRows(
        schema,
        {"click": np.array(answers, np.float32)},
        np.array(labels, np.float32)[:, None],
        None if groups is None else np.array(groups),
    )
    return cut(rows, Parts("all", "column", ("all",), np.zeros(len(labels), np.int64))).parts[0]


def test_part_of_few_positives_has_no_interval() -> None:
    few = MIN_UNITS - 1
    assert alone([1] * few + [0] * 100, [0.1] * few + [0.2] * 100).metrics["click"].interval is None


def test_part_of_enough_of_both_classes_has_an_interval() -> None:
    enough = MIN_UNITS
    answers = [0.1] * (enough - 1) + [0.3] + [0.2] * enough
    assert alone([1] * enough + [0] * enough, answers).metrics["click"].interval is not None


def test_part_of_one_group_has_no_interval() -> None:
    assert alone([0, 1] * 50, list(np.linspace(0, 1, 100)), [3] * 100).metrics["click"].interval is None


def test_part_of_one_class_says_why_it_has_no_value() -> None:
    metric = alone([1] * 20, [0.5] * 20).metrics["click"]
    assert (metric.value, metric.interval, metric.undefined) == (None, None, "its observed labels are of one class")


def test_part_without_a_label_says_so() -> None:
    part = alone([math.nan] * 20, [0.5] * 20)
    assert part.metrics["click"].undefined == "no label of it is observed"
    assert part.calibration["click"] is None


def test_calibration_without_a_positive_label_is_none() -> None:
    assert alone([0] * 20, [0.5] * 20).calibration["click"] is None


def test_weights_of_rows_weigh_in_parts() -> None:
    weights = np.random.default_rng(0).random(600).astype(np.float32)
    rows = AnsweredRows(SCHEMA, ROWS.answers, ROWS.labels, None, weights)
    own = COUNTRIES == "at"
    expected = roc_auc_score(ROWS.labels[own, 0], ROWS.answers["click"][own], sample_weight=weights[own])
    assert part_of(by_country(rows), "at").metrics["click"].value == pytest.approx(expected)


def test_slice_of_classes_alone_is_measured() -> None:
    found = by_country(answered(schema_of(GENRE), TABLE))
    assert {part.metrics["genre"].name for part in found.parts} == {"log_loss"}


def parted(values: Any, kind: pa.DataType | None = None, *, is_categorical: bool = False) -> dict[str, list[int]]:
    """Return which rows are in each part, by the names in their order."""
    array = values if isinstance(values, pa.Array) else pa.array(values, kind)
    found = parts_of_column("v", pa.chunked_array([array]), is_categorical=is_categorical)
    assert len(set(found.names)) == len(found.names)
    return {name: np.flatnonzero(found.codes == place).tolist() for place, name in enumerate(found.names)}


def test_text_is_parted_by_value_in_order() -> None:
    assert parted(["b", "a", None, "b"]) == {"a": [1], "b": [0, 3], "missing": [2]}


def test_text_of_numbers_is_in_natural_order() -> None:
    assert list(parted(["10", "9", "b", "-1", "nan", "a"])) == ["-1", "9", "10", "a", "b", "nan"]


def test_values_that_a_feature_takes_for_missing_are() -> None:
    column = pa.chunked_array([["", "a", "unknown", None]])
    found = parts_of_column("v", column, is_categorical=True, missing=("", "unknown"))
    assert (found.names, found.codes.tolist()) == (("a", "missing"), [1, 0, 1, 1])


def test_rare_values_are_others() -> None:
    values = [str(number) for number in range(20) for _ in range(40 - number)]
    found = parted(values)
    assert list(found) == [*(str(number) for number in range(11)), "others"]
    assert {values[row] for row in found["others"]} == {str(number) for number in range(11, 20)}


def test_twelve_values_have_a_part_each() -> None:
    assert len(parted([str(number) for number in range(12)])) == 12
    assert "others" not in parted([str(number) for number in range(12)])


def test_values_that_a_dictionary_only_lists_do_not_count() -> None:
    array = pa.DictionaryArray.from_arrays(pa.array([0, 1, 2]), pa.array([str(number) for number in range(30)]))
    assert parted(array) == {"0": [0], "1": [1], "2": [2]}


def test_dictionary_is_parted_as_its_values() -> None:
    values = ["b", "a", None, "b"]
    assert parted(pa.array(values).dictionary_encode()) == parted(values)


def test_dictionary_may_hold_null_and_a_value_twice() -> None:
    array = pa.DictionaryArray.from_arrays(pa.array([0, 1, 2, None]), pa.array(["a", None, "a"]))
    assert parted(array) == {"a": [0, 2], "missing": [1, 3]}


def test_chunks_of_other_dictionaries_are_one_column() -> None:
    chunks = [pa.array(["x", "y"]).dictionary_encode(), pa.array(["y", "z"]).dictionary_encode()]
    found = parts_of_column("v", pa.chunked_array(chunks).unify_dictionaries(), is_categorical=False)
    assert (found.names, found.codes.tolist()) == (("x", "y", "z"), [0, 1, 1, 2])


def test_truth_values_are_parted() -> None:
    assert parted([True, False, None, True]) == {"false": [1], "true": [0, 3], "missing": [2]}


def test_days_are_parted() -> None:
    days = [dt.date(2026, 7, 2), dt.date(2026, 7, 1), None]
    assert parted(days) == {"2026-07-01": [1], "2026-07-02": [0], "missing": [2]}


def test_many_days_are_parted_by_fifths() -> None:
    days = [dt.date(2026, 7, 1) + dt.timedelta(day) for day in range(20)]
    assert list(parted(days))[:2] == ["2026-07-01 to 2026-07-04", "2026-07-05 to 2026-07-08"]


def test_many_times_are_parted_by_fifths() -> None:
    times = [dt.datetime(2026, 7, 1, 12, minute, tzinfo=dt.UTC) for minute in range(30)]
    assert next(iter(parted(times))) == "2026-07-01T12:00:00 to 2026-07-01T12:05:00"
    assert [len(rows) for rows in parted(times).values()] == [6] * 5


def test_few_whole_numbers_are_parted_by_value() -> None:
    assert parted([3, 11, 3, None]) == {"3": [0, 2], "11": [1], "missing": [3]}


def test_many_whole_numbers_are_parted_by_fifths() -> None:
    assert parted(list(range(1_650_000_000_000, 1_650_000_000_015))) == {
        f"{1_650_000_000_000 + low} to {1_650_000_000_002 + low}": [low, low + 1, low + 2] for low in range(0, 15, 3)
    }


def test_categorical_numbers_are_parted_by_value() -> None:
    assert parted([5, 7, 5], is_categorical=True) == {"5": [0, 2], "7": [1]}
    assert len(parted(list(range(30)), is_categorical=True)) == 12


def test_floats_that_are_no_number_are_missing() -> None:
    found = parted([0.5, math.nan, math.inf, None, 1.5])
    assert found == {"0.5": [0], "1.5": [4], "missing": [1, 2, 3]}


def test_categorical_floats_that_are_nan_are_missing() -> None:
    assert parted([46.0, math.nan, None, 46.0], is_categorical=True) == {"46": [0, 3], "missing": [1, 2]}


def test_equal_numbers_are_in_one_part() -> None:
    found = parted([0.0] * 90 + [1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0, 9.0, 10.0])
    assert {name: len(rows) for name, rows in found.items()} == {"0": 90, "1 to 10": 10}


@pytest.mark.parametrize("kind", [pa.decimal128(9, 2), pa.decimal32(9, 2)], ids=str)
def test_decimals_are_parted_as_numbers(kind: pa.DataType) -> None:
    values = [decimal.Decimal("2.50"), decimal.Decimal("0.25"), None]
    assert parted(values, kind) == {"0.25": [1], "2.5": [0], "missing": [2]}


@pytest.mark.parametrize("kind", [pa.decimal128(9, 2), pa.decimal32(9, 2)], ids=str)
def test_categorical_decimals_are_parted_by_value(kind: pa.DataType) -> None:
    values = [decimal.Decimal("2.50"), decimal.Decimal("0.25"), None]
    assert parted(values, kind, is_categorical=True) == {"0.25": [1], "2.50": [0], "missing": [2]}


LISTS = (
    pa.list_(pa.int64()),
    pa.large_list(pa.int64()),
    pa.list_view(pa.int64()),
)


@pytest.mark.parametrize("kind", LISTS, ids=str)
def test_lists_are_parted_by_length(kind: pa.DataType) -> None:
    array = pa.array([[1, 2], [], None, [3, 4]], kind)
    found = parts_of_column("v", pa.chunked_array([array]), is_categorical=False)
    assert (found.by, found.names) == ("length of v", ("0", "2", "missing"))
    assert found.codes.tolist() == [1, 0, 2, 1]


def test_lists_of_one_length_are_one_part() -> None:
    array = pa.array([[1, 2], [3, 4]], pa.list_(pa.int64(), 2))
    assert parts_of_column("v", pa.chunked_array([array]), is_categorical=False).names == ("2",)


def test_bytes_that_are_no_text_are_parted() -> None:
    assert parted([b"a", b"\xff", b"a"]) == {"a": [0, 2], "�": [1]}


@pytest.mark.parametrize("values", [["a", "a"], [1.5, 1.5], [[1], [2]], [True, True]], ids=str)
def test_constant_column_is_one_part(values: list[object]) -> None:
    assert len(parted(values)) == 1


@pytest.mark.parametrize("kind", [pa.null(), pa.string(), pa.float64(), pa.int64(), pa.list_(pa.int64())], ids=str)
@pytest.mark.parametrize("is_categorical", [False, True])
def test_column_without_a_value_is_missing(kind: pa.DataType, *, is_categorical: bool) -> None:
    is_categorical = is_categorical and not pa.types.is_list(kind)
    assert parted(pa.nulls(3, kind), is_categorical=is_categorical) == {"missing": [0, 1, 2]}


def test_value_called_missing_is_beside_what_is_missing() -> None:
    found = parts_of_column("v", pa.chunked_array([["missing", None, "a"]]), is_categorical=True)
    assert (found.names, found.codes.tolist()) == (("a", "missing", "missing"), [1, 2, 0])


REFUSED = {
    "struct<a: int64>": pa.array([{"a": 1}]),
    "map<string, int64>": pa.array([[("a", 1)]], pa.map_(pa.string(), pa.int64())),
    "month_day_nano_interval": pa.array([(1, 2, 3)], pa.month_day_nano_interval()),
}


@pytest.mark.parametrize("kind", REFUSED)
def test_types_that_part_nothing_are_refused(kind: str) -> None:
    with pytest.raises(ConfigError) as caught:
        parted(REFUSED[kind])
    assert str(caught.value) == f"by names column 'v' of type {kind}; name one of numbers, text, times or lists"


def test_fifths_hold_equally_many_different_numbers() -> None:
    values = np.random.default_rng(0).permutation(100).astype(np.float64)
    found = parts_of_numbers("v", "activity", pa.chunked_array([values]))
    assert found.kind == "activity"
    assert_array_equal(found.codes, (values // 20).astype(int))
    assert found.names == ("0 to 19", "20 to 39", "40 to 59", "60 to 79", "80 to 99")


def chance_of(seed: int, *, share: float, harm: float = 0.0) -> float:
    """Return how likely a share of the rows, in groups of 5, looks as bad by chance; `harm` is noise in its answers."""
    random = np.random.default_rng(seed)
    logits = random.normal(size=400)
    labels = (random.random(400) < 1 / (1 + np.exp(-logits))).astype(np.float32)[:, None]
    groups = np.arange(400) // 5
    codes = np.where(groups < share * 80, 0, 1)
    answers = (logits + harm * random.normal(size=400) * (codes == 0)).astype(np.float32)
    rows = AnsweredRows(
        schema_of('{ name = "click", kind = "binary", label = "c" }'), {"click": answers}, labels, groups
    )
    return sliced(rows, Parts("half", "column", ("in", "out"), codes), wholes(rows), 0.95).chances[0]["click"]


@pytest.mark.parametrize("share", [0.2, 0.5, 0.8])
def test_part_like_all_rows_looks_worse_as_often_as_chance_says(share: float) -> None:
    chances = np.array([chance_of(seed, share=share) for seed in range(300)])
    assert 0.02 < (chances < 0.05).mean() < 0.09
    assert 0.4 < np.median(chances) < 0.6


@pytest.mark.parametrize("share", [0.2, 0.8])
def test_part_with_noise_in_its_answers_is_surely_worse(share: float) -> None:
    usual = np.median([chance_of(seed, share=share) for seed in range(20)])
    assert np.median([chance_of(seed, share=share, harm=5.0) for seed in range(20)]) < usual / 4


def judged_chances(chances: Sequence[float], level: float) -> list[bool]:
    metric = MetricValue(name="auc", best="high", value=0.5)
    part = SlicePart(value="a", rows=1, metrics={"click": metric}, calibration={})
    slices = [Measured(Slice(by="b", kind="column", parts=(part,)), ({"click": chance},)) for chance in chances]
    return [each.parts[0].worse == ("click",) for each in judged(slices, level)]


@pytest.mark.parametrize("level", [0.8, 0.95])
def test_parts_named_worse_are_those_of_a_known_library(level: float) -> None:
    chances = np.random.default_rng(0).random(60) ** 3
    expected = false_discovery_control(chances) <= 1 - level
    assert 0 < expected.sum() < 60
    assert judged_chances(chances.tolist(), level) == expected.tolist()


def test_no_part_is_worse_when_none_can_be_judged() -> None:
    assert judged([], 0.95) == ()
