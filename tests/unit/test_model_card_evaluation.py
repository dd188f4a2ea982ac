"""What a model card tells of an evaluation."""

import msgspec
import pytest
from artefacts.cards import evaluation, facts, sections

from polyrank.card import card_text
from polyrank.errors import DataError
from polyrank.evaluation import findings as found
from polyrank.evaluation import results
from polyrank.signature import Precision

SMALL = "embeddings int8, dense fp32"
SAID = "`embeddings int8`, `dense fp32`"


def test_evaluation_has_its_metrics() -> None:
    assert sections(evaluation())["Evaluation"][1:] == [["click", "auc", "0.7000", "0.6000 to 0.8000"]]


def test_intervals_are_said_by_how_they_were_found() -> None:
    (task,) = evaluation().tasks
    error = found.MetricValue(name="calibration_error", best="low", value=0.1, interval=(0.05, 0.2))
    tasks = (msgspec.structs.replace(task, metrics=(*task.metrics, error)),)
    text = card_text(facts(), evaluation(tasks=tasks, resamples=123))
    assert "Intervals of `auc`, and of all parts below, are of how much each row moves the metric." in text
    assert "Those of `calibration_error` are from 123 resamples." in text
    assert "Intervals of the validation are of 95%, from 200 resamples" in text


def test_slices_have_the_parts_with_the_most_rows() -> None:
    rows = sections(evaluation())["By is_new"]
    assert rows[1:] == [[f"v|{size}", f"{size}", "auc 0.7000 (0.6000 to 0.8000)"] for size in range(4, 14)]


@pytest.mark.parametrize(("worse", "mark"), [((), ""), (("click",), " worse")])
def test_part_that_is_worse_is_marked(worse: tuple[str, ...], mark: str) -> None:
    (cut,) = evaluation().slices
    parts = tuple(msgspec.structs.replace(part, worse=worse) for part in cut.parts)
    cut = msgspec.structs.replace(cut, parts=parts)
    assert sections(evaluation(slices=(cut,)))["By is_new"][1][2] == f"auc 0.7000 (0.6000 to 0.8000){mark}"


def test_rows_are_named_without_their_folder() -> None:
    data = results.Rows(source="mine/new rows.parquet", part="all", rows=77)
    assert "all rows of `new rows.parquet`, 77 rows." in card_text(facts(), evaluation(data=data))


MODEL = results.Model(source="mine/int8", kind="bundle", name="shop", run_id="abc", precision=SMALL)


def test_what_answered_is_named_with_its_precision() -> None:
    text = card_text(facts(), evaluation(model=MODEL))
    assert f"Answered by the bundle `int8`: {SAID}." in text
    assert "mine/" not in text


def test_what_answered_in_an_older_file_has_no_precision() -> None:
    text = card_text(facts(), evaluation(model=msgspec.structs.replace(MODEL, precision="")))
    assert "Answered by the bundle `int8`.\n" in text


@pytest.mark.parametrize(("embeddings", "is_other"), [("int8", False), ("fp32", True)])
def test_evaluation_of_another_precision_is_a_caveat(embeddings: str, is_other: bool) -> None:  # noqa: FBT001
    own = facts(signed={"precision": Precision(embeddings=embeddings)})  # type: ignore[arg-type]
    says = f"The evaluation is of another precision, {SAID}: this graph has `embeddings {embeddings}`, "
    assert (says in card_text(own, evaluation(model=MODEL))) == is_other


@pytest.mark.parametrize(("mean", "is_off"), [(0.2, True), (0.11, False), (0.101, False)])
def test_answers_off_in_the_mean_are_a_caveat(mean: float, is_off: bool) -> None:  # noqa: FBT001
    # Each of two bins may be off by 0.05, and their mean by 0.05 / sqrt(2).
    bins = (found.CalibrationBin(rows=9, answer=0.1, label=0.1, interval=(0.05, 0.15)),) * 2
    task = msgspec.structs.replace(evaluation().tasks[0], mean_answer=mean, mean_label=0.1)
    says = f"Answers to `click` have the mean {mean:.4f} on the rows of the evaluation, their labels 0.1000."
    assert (says in card_text(facts(), evaluation(tasks=(task,), calibration={"click": bins}))) == is_off


@pytest.mark.parametrize(
    ("rows", "as_trained", "says"),
    [
        (77, False, "are later than those of training, nothing tells.\n"),
        (10_000, False, "nothing tells; the run was made of as many, 10,000, and flatters itself"),
        (77, True, "nothing tells; the run was made of as many, 77, and flatters itself"),
    ],
)
def test_rows_that_training_may_have_seen_are_a_caveat(rows: int, as_trained: bool, says: str) -> None:  # noqa: FBT001
    data = results.Rows(source="rows.parquet", part="all", rows=rows, as_trained=as_trained)
    assert says in card_text(facts(), evaluation(data=data))


def test_validation_rows_are_no_such_caveat() -> None:
    data = results.Rows(source="rows.parquet", part="validation", rows=10_000)
    assert "nothing tells" not in card_text(facts(), evaluation(data=data))


def test_huge_values_are_written_with_an_exponent() -> None:
    task = msgspec.structs.replace(
        evaluation().tasks[0], metrics=(found.MetricValue(name="rmse", best="low", value=1.8467e28),)
    )
    assert sections(evaluation(tasks=(task,)))["Evaluation"][1][2] == "1.8467e+28"


def test_calibration_counts_bins_that_hold_their_answer() -> None:
    assert sections(evaluation())["Calibration of the evaluation"][1:] == [["click", "2", "0.3000", "1 of 2"]]


def test_groups_below_half_are_counted_beside_those_by_chance() -> None:
    assert sections(evaluation())["Groups of the evaluation"][1:] == [["click", "8", "12.5%", "43.8%", "0.7500"]]


def test_order_stands_beside_that_of_a_task_alone() -> None:
    rows = sections(evaluation())["Order under weights"]
    assert rows[1:] == [["click", "0.5000", "0.6000", "undefined", "0.2000"]]


def test_mean_labels_are_said_to_be_of_groups_with_a_choice() -> None:
    says = "Mean labels are of the groups with more than 3 rows, 8 of them:"
    assert says in card_text(facts(), evaluation())


def test_recommendations_are_told_with_coverage_and_popularity() -> None:
    text = card_text(facts(), evaluation())
    expected = (
        "recommended 3 of 40 of 50 items",
        "25.0% of",
        "0.500; 0.250 at least",
        "more rows than 87.5%",
        "more rows than 62.5%",
    )
    assert [says for says in expected if says not in text] == []


def test_important_columns_are_told() -> None:
    assert sections(evaluation())["Importance of columns"] == [["column", "click auc"], ["ag|e", "+0.0625"]]


def test_evaluation_that_found_little_has_fewer_sections() -> None:
    little = evaluation(slices=(), calibration={}, group_areas={}, ordering=None, catalogue=None, importance=None)
    added = sections(evaluation()).keys() - sections(little).keys()
    assert added == {
        "By is_new",
        "Calibration of the evaluation",
        "Groups of the evaluation",
        "Order under weights",
        "Recommendations",
        "Importance of columns",
    }


def test_evaluation_of_another_run_is_refused() -> None:
    other = evaluation(model=results.Model(source="x", kind="run", name="shop", run_id="def"))
    with pytest.raises(DataError, match=r"^evaluation is of run def, the bundle of run abc; evaluate this bundle: "):
        card_text(facts(), other)
