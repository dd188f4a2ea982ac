"""Labels and scores that move between two data sets."""

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from artefacts.compared import AGE, CLICK, GENRE, Columns, Compared, cycle, values
from artefacts.runs import make_schema_of

from polyrank.drift import Limits, Scores, scores_in_columns
from polyrank.drift.measuring import label_drift
from polyrank.drift.numbers import NumberReading
from polyrank.errors import DataError
from polyrank.result_files import Answering

HERE = Answering(source="here", name="toy", run_id="0123456789ab")


@pytest.fixture
def compared(tmp_path: Path) -> Compared:
    return Compared(tmp_path)


LIKE = '{ name = "like", kind = "binary", label = "is_like", when = "is_click" }'
STARS = '{ name = "stars", kind = "ordinal", label = "stars", levels = [1, 2, 3] }'
PROFIT = '{ name = "profit", kind = "regression", label = "profit" }'

LABELS: dict[str, tuple[str, Columns, Columns, str]] = {
    "rate": (CLICK, {"is_click": cycle([0, 0, 0, 1])}, {"is_click": cycle([0, 0, 1, 1])}, "mean"),
    "observed": (
        LIKE,
        {"is_like": cycle([0, 1], 800), "is_click": cycle([1], 800)},
        {"is_like": cycle([0, 1], 800), "is_click": cycle([1, 1, 0, 0], 800)},
        "missing",
    ),
    "mean": (PROFIT, {"profit": cycle([9.0, 10.0, 11.0])}, {"profit": cycle([10.0, 11.0, 14.0])}, "mean"),
    "levels": (STARS, {"stars": cycle([1, 2, 3])}, {"stars": cycle([2])}, "psi"),
    "classes": (GENRE, {"genre": cycle([0, 1, 2])}, {"genre": cycle([0, 0, 0, 1])}, "psi"),
    "zero mean": (PROFIT, {"profit": cycle([-1.0, 1.0])}, {"profit": cycle([-1.0, 2.0])}, "psi"),
}


@pytest.mark.parametrize("case", LABELS)
def test_labels_that_moved_drift(compared: Compared, case: str) -> None:
    task, reference, current, measure = LABELS[case]
    rows = len(next(iter(reference.values())))
    age = {"age": cycle([1.0, 2.0], rows)}
    result = compared((AGE,), {**reference, **age}, {**current, **age}, (task,))
    (drift,) = result.drifted
    assert drift.part == "label"
    assert measure in [each.name for each in drift.measures if each.value > each.limit]


def test_change_of_a_label_is_relative_to_what_it_was(compared: Compared) -> None:
    age = {"age": cycle([1.0])}
    result = compared((AGE,), {"is_click": cycle([0, 0, 0, 1]), **age}, {"is_click": cycle([0, 1]), **age})
    (drift,) = result.drifted
    assert values(drift)["mean"] == pytest.approx(1.0)
    assert (drift.reference.mean, drift.current.mean) == (0.25, 0.5)


@pytest.mark.parametrize("far", [300.0, 1e30])
def test_value_far_beyond_all_others_moves_the_mean(compared: Compared, far: float) -> None:
    random, age = np.random.default_rng(0), {"age": cycle([1.0])}
    profit = random.exponential(0.36, 600)
    reference, current = {"profit": profit, **age}, {"profit": [*profit[:-1], far], **age}
    (drift,) = compared((AGE,), reference, current, (PROFIT,)).drifted
    assert [measure.name for measure in drift.measures if measure.value > measure.limit] == ["mean"]


def test_chance_rarely_moves_the_mean_of_skewed_labels_beyond_its_limit() -> None:
    random, task = np.random.default_rng(0), make_schema_of(AGE, tasks=(PROFIT,)).tasks[0]
    limits, beyond = Limits(psi=99.0, label=1e-9), 0
    for _ in range(300):
        readings = NumberReading(), NumberReading()
        for reading in readings:
            reading.add(random.exponential(size=500))
        beyond += label_drift(task, *readings, limits).drifted
    assert beyond <= 2


def test_task_that_no_row_observes_is_compared_by_that_alone(compared: Compared) -> None:
    nothing = {"age": cycle([1.0]), "is_click": pa.nulls(600)}
    drift = next(drift for drift in compared((AGE,), nothing, nothing).drifts if drift.part == "label")
    assert values(drift) == {"missing": 0.0}
    assert (drift.reference.missing, drift.reference.mean) == (1.0, None)


def test_labels_that_one_of_them_lacks_are_left_out(compared: Compared) -> None:
    result = compared((AGE,), {"age": [1.0], "is_click": [1]}, {"age": [1.0]})
    assert [drift.part for drift in result.drifts] == ["feature"]
    assert result.not_compared == {"click": "is_click"}


def test_scores_are_compared_by_task(compared: Compared) -> None:
    schema = make_schema_of(AGE, tasks=(CLICK, GENRE))

    def answer(rows: pa.Table) -> dict[str, np.ndarray[Any, Any]]:
        age = rows.column("age").to_numpy().astype(np.float32)
        return {"click": age / 10, "genre": np.stack([age * 0, age, age * 0], axis=1)}

    scores = Scores(schema=schema, answer=answer, model=HERE, columns=("age",))
    reference, current = {"age": cycle([1.0, 2.0, 3.0])}, {"age": cycle([3.0, 4.0, 5.0])}
    result = compared((AGE,), reference, current, scores=scores)
    found = {drift.name: drift for drift in result.drifts if drift.part == "score"}
    assert found["click"].reference.mean == pytest.approx(0.2)
    assert found["click"].current.mean == pytest.approx(0.4)
    assert found["genre"].column == 1
    assert all(drift.drifted for drift in found.values())
    assert result.model == HERE


def test_scores_in_columns_are_compared(compared: Compared) -> None:
    schema = make_schema_of(AGE, tasks=(CLICK, GENRE))
    one = {"age": cycle([1.0]), "click": cycle([0.1, 0.2]), "genre": cycle([[0.1, 0.4, 0.5], None])}
    other = {"age": cycle([1.0]), "click": cycle([0.1, 0.9]), "genre": cycle([[0.1, 0.4, 0.5], None])}
    result = compared((AGE,), one, other, (CLICK, GENRE), scores=scores_in_columns(schema))
    found = {drift.name: drift for drift in result.drifts if drift.part == "score"}
    assert found["click"].drifted
    assert (found["genre"].drifted, found["genre"].current.missing) == (False, 0.5)


@pytest.mark.parametrize("wrong", [np.inf, -np.inf, np.nan])
def test_answer_that_is_not_finite_is_refused(compared: Compared, wrong: float) -> None:
    def answer(rows: pa.Table) -> dict[str, np.ndarray[Any, Any]]:
        return {"click": np.where(np.arange(len(rows)) == 6, wrong, 0.5).astype(np.float32)}

    scores = Scores(schema=make_schema_of(AGE, tasks=(CLICK,)), answer=answer, model=HERE, columns=("age",))
    rows = {"age": cycle([1.0])}
    with pytest.raises(
        DataError, match=r"reference\.parquet: score of task 'click' is not finite at row 7; a model must"
    ):
        compared((AGE,), rows, rows, scores=scores)


def test_infinite_score_in_a_column_is_refused(compared: Compared) -> None:
    rows = {"age": cycle([1.0]), "click": [*cycle([0.1, 0.2], 599), 1e300]}
    with pytest.raises(DataError, match=r"score of task 'click' is not finite at row 600; "):
        compared((AGE,), rows, rows, scores=scores_in_columns(make_schema_of(AGE, tasks=(CLICK,))))


def test_scores_that_are_missing_drift(compared: Compared) -> None:
    reference, current = {"click": cycle([0.1, 0.2])}, {"click": cycle([*[0.1, 0.2] * 4, None])}
    age, scores = {"age": cycle([1.0])}, scores_in_columns(make_schema_of(AGE, tasks=(CLICK,)))
    (drift,) = compared((AGE,), reference | age, current | age, scores=scores, limits=Limits(psi=9.0)).drifted
    assert drift.part == "score"
    assert values(drift)["missing"] == pytest.approx(66 / 600)


SAME = '{ name = "click", kind = "binary", label = "click" }'


def test_labels_in_place_of_scores_are_refused(compared: Compared) -> None:
    rows = {"age": cycle([1.0]), "click": cycle([0, 1, 1])}
    with pytest.raises(DataError) as caught:
        compared((AGE,), rows, rows, (SAME,), scores=scores_in_columns(make_schema_of(AGE, tasks=(SAME,))))
    assert str(caught.value) == (
        f"{compared.reference}: column 'click' holds 0 and 1 alone, as labels do; scores expected, which "
        "polyrank score gives"
    )


def test_scores_in_the_column_of_labels_are_compared(compared: Compared) -> None:
    rows = {"age": cycle([1.0]), "click": cycle([0.0, 1.0, 0.5])}
    result = compared((AGE,), rows, rows, (SAME,), scores=scores_in_columns(make_schema_of(AGE, tasks=(SAME,))))
    assert [drift.part for drift in result.drifts] == ["feature", "score"]


def test_column_of_scores_is_no_label(compared: Compared) -> None:
    task = '{ name = "rating", kind = "regression", label = "rating" }'
    rows = {"age": cycle([1.0]), "rating": cycle([1.5, 2.5])}
    scores = scores_in_columns(make_schema_of(AGE, tasks=(task,)))
    result = compared((AGE,), rows, rows, (task,), scores=scores)
    assert [drift.part for drift in result.drifts] == ["feature", "score"]
