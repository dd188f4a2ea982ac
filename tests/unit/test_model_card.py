"""The model card: what it says follows from facts, and is Markdown whatever the names are."""

from typing import Any

import msgspec
import pytest
from artefacts.cards import SCHEMA, facts, record, sections

from polyrank.card import Loss, card_text
from polyrank.card.markdown import code
from polyrank.card.metrics import WORDS
from polyrank.metrics.registry import metric_names
from polyrank.run_record import Origin
from polyrank.signature import Precision
from polyrank.tasks import BinaryTask, CountTask, MulticlassTask, OrdinalTask, RegressionTask


def said(phrase: str, **changes: Any) -> bool:
    return phrase in " ".join(card_text(facts(**changes)).split())


def test_sections_are_those_of_model_cards_in_their_order() -> None:
    headings = [line[3:] for line in card_text(facts()).splitlines() if line.startswith("## ")]
    assert headings == [
        "Model details",
        "Intended use",
        "Factors",
        "Metrics",
        "Evaluation data",
        "Training data",
        "Quantitative analyses",
        "Ethical considerations",
        "Caveats and recommendations",
        "How to check it",
    ]


def test_details_are_those_of_signature_and_configuration() -> None:
    details = dict(sections()["Model details"])
    assert details == {
        "what": "value",
        "model": "shop",
        "run": "abc",
        "made by": "Polyrank 0.1.0",
        "graph over": "rows",
        "architecture": "mmoe",
        "layers": "hidden widths 8, 4; tower widths none",
        "calibration": "none",
        "exported for": "Triton 26.07 (ONNX Runtime 1.27.0)",
        "format": "ONNX, operator set 20, IR version 10",
        "size": "model.onnx 12,345 bytes",
        "numbers": "embeddings fp32, dense fp32",
        "hashing": "xxh64 version 1, seed 42",
    }


def test_tasks_have_kind_label_and_condition() -> None:
    assert sections()["Tasks"][1:] == [
        ["click", "binary", "probability that the label is 1", "is_click", "where the label is not null", "1"],
        ["buy", "binary", "probability that the label is 1", "is_buy", "where is_click is 1", "2"],
        ["stars", "ordinal", "expected level, from 1 to 5", "stars", "where the label is not null", "1"],
    ]


def test_features_have_kind_side_and_size() -> None:
    assert sections()["Features"][1:] == [
        ["user", "categorical", "user", "user", "a table of 1,000 rows of 16 numbers"],
        ["item", "categorical", "item", "item", "a table of 50 rows of 4 numbers, one for each id"],
        ["seen", "sequence", "user", "seen", "rows of the table of item; the newest 7 values at most, pooled by mean"],
        ["price", "numeric", "item", "price", "a number after log1p, standardize"],
        ["age", "bucketized", "user", "age", "one of 3 buckets, a vector of 2 numbers"],
        ["image", "vector", "item", "image", "9 numbers, projected to 3"],
        ["both", "cross", "context", "user, hour", "a table of 70 rows of 16 numbers"],
        ["hour", "categorical", "context", "hour", "a table of 24 rows of 16 numbers"],
        [
            "near",
            "neighbors",
            "context",
            "none: made of the logs",
            "4 values that others engaged with too, from the table of hour",
        ],
    ]


@pytest.mark.parametrize(
    ("task", "says"),
    [
        (RegressionTask(name="t", label="y"), "number in units of the label"),
        (RegressionTask(name="t", label="y", transform="log1p"), "number in units of the label, learned as its log1p"),
        (CountTask(name="t", label="y"), "expected number of events"),
        (MulticlassTask(name="t", label="y", num_classes=4), "probability of each of 4 classes"),
    ],
)
def test_answer_is_said_by_kind(task: Any, says: str) -> None:
    assert sections(schema=msgspec.structs.replace(SCHEMA, tasks=(task,)))["Tasks"][1][2] == says


def test_every_metric_is_said_in_words() -> None:
    tasks = (
        BinaryTask(name="a", label="y"),
        RegressionTask(name="b", label="y", transform="log1p"),
        CountTask(name="c", label="y"),
        OrdinalTask(name="d", label="y", levels=(1, 2)),
        MulticlassTask(name="e", label="y", num_classes=3),
    )
    assert {name for task in tasks for name in metric_names(task)} == WORDS.keys()


def test_validation_has_values_and_intervals() -> None:
    assert sections()["Validation of the training"][1:] == [
        ["click", "auc", "0.6124", "0.4800 to 0.7000"],
        ["buy", "auc", "undefined: its observed labels are of one class", ""],
        ["stars", "rmse", "0.7500", ""],
    ]


def test_undefined_metric_is_a_caveat() -> None:
    assert said("`auc` of `buy` is undefined on the validation rows")


@pytest.mark.parametrize(("interval", "is_chance"), [((0.48, 0.7), True), ((0.51, 0.7), False)])
def test_task_no_better_than_chance_is_a_caveat(interval: tuple[float, float], is_chance: bool) -> None:  # noqa: FBT001
    changed = record(intervals={"click": {"auc": interval}})
    assert said("`click` may order rows no better than chance", record=changed) == is_chance


@pytest.mark.parametrize(("interval", "is_worse"), [((0.3, 0.49), True), ((0.3, 0.5), False), ((0.6, 0.7), False)])
def test_task_worse_than_chance_is_a_caveat(interval: tuple[float, float], is_worse: bool) -> None:  # noqa: FBT001
    changed = record(intervals={"click": {"auc": interval}})
    assert said("`click` orders rows worse than chance", record=changed) == is_worse


@pytest.mark.parametrize(("names", "is_said"), [(("user", "price"), True), (("price",), False), (("user",), False)])
def test_rows_of_what_was_shown_have_users_and_items(names: tuple[str, ...], is_said: bool) -> None:  # noqa: FBT001
    features = tuple(each for each in SCHEMA.features if each.name in names)
    changed = msgspec.structs.replace(SCHEMA, features=features)
    assert said("Its rows are of what people were shown.", schema=changed) == is_said
    assert said("since labels are of what was shown", schema=changed) == is_said
    assert said("Meant for rows like those of its training.", schema=changed) != is_said


@pytest.mark.parametrize(("method", "is_said"), [("none", True), ("platt", False)])
def test_missing_calibration_is_a_caveat(method: str, is_said: bool) -> None:  # noqa: FBT001
    changed = record(config={"model": {"calibration": method}})
    assert said("Probabilities were not calibrated after training", record=changed) == is_said


def test_labels_under_a_condition_are_a_caveat() -> None:
    assert said("Labels of `buy` count where `is_click` is 1 alone")


def test_hashed_values_and_ids_are_told_apart() -> None:
    assert said("Values of `user`, `both`, `hour` are hashed")
    assert said("Ids of `item`, `seen` below 0 or beyond their table are taken for missing")


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({}, "has one of small random numbers"),
        ({"signed": {"precision": Precision(prune_rows=True)}}, "has one of zeros"),
        ({"record": record(config={"rare_ids": {"min_count": 2}})}, "has one that is the one of missing values"),
    ],
)
def test_new_values_are_said_to_get_what_they_get(changes: dict[str, Any], says: str) -> None:
    assert said(says, **changes)


def test_training_data_have_rows_digest_and_step() -> None:
    assert said("Trained on 9,000 rows.")
    assert said("of those of the validation too: `d1935`.")
    assert said("The weights are those after epoch 3, step 27.")


def test_tables_say_how_much_training_changed() -> None:
    assert sections()["Training data"][1:] == [["user", "1,001", "321"]]


def test_warm_start_names_the_older_run() -> None:
    assert said("Training began with the weights of run `old`", record=record(warm_start=Origin(run_id="old")))


@pytest.mark.parametrize(
    ("rule", "says"),
    [
        ({"share": 0.1}, "They are the newest 10% of the rows, by `at`"),
        ({"split": "time", "hours": 36.0}, "They are the rows of the newest 36 hours, by `at`"),
        ({"split": "random", "share": 0.2}, "They are 20% of the rows, drawn at random"),
        ({"split": "group", "share": 0.2}, "They are the rows of 20% of the values of `user`, drawn at random"),
        ({"column": "part", "share": 0.1}, "They are the rows in which `part` says `validation`"),
    ],
)
def test_validation_rows_are_said_by_the_rule_that_chose_them(rule: dict[str, Any], says: str) -> None:
    assert said(says, record=record(config={"validation": rule}))


def test_labelled_rows_are_counted_by_task() -> None:
    assert sections()["Evaluation data"][1:] == [["click", "1,000"], ["buy", "40"]]


def test_parity_has_worst_difference_limit_and_version() -> None:
    assert sections()["Agreement with the trained model"][1:] == [
        ["this graph", "1.32.0", "3.4e-07", "1e-05", "buy", "sample", "33"]
    ]


def test_losses_to_smaller_numbers_are_told() -> None:
    loss = Loss(task="click", metric="auc", before=0.7, after=0.69875, loss=0.00125, error=0.0005)
    assert sections(losses=(loss,))["What smaller numbers cost"][1:] == [
        ["click", "auc", "0.70000", "0.69875", "0.00125", "0.00050"]
    ]


def test_columns_of_a_side_leave_out_crosses() -> None:
    assert said("Columns of the context: `hour`.")


def test_columns_of_users_are_named_as_personal() -> None:
    assert said("It reads of users: `user`, `seen`, `age`.")


def test_model_of_rows_alone_is_not_said_to_rank_items() -> None:
    features = tuple(each for each in SCHEMA.features if each.name == "hour")
    assert said(
        "It scores rows, so that the best come first.", schema=msgspec.structs.replace(SCHEMA, features=features)
    )


def test_bundle_of_an_early_version_says_what_is_not_recorded() -> None:
    assert dict(sections(record=None)["Model details"])["architecture"] == "not recorded"
    assert said("How good it is was not recorded", record=None)


@pytest.mark.parametrize(
    "name", ["a|b", "a\nb", "*a*", "`a`", "<b>", "[x](y)", "a_ b", "x\\|y", "| - |", "![i](j)", "# a"]
)
def test_odd_names_are_one_cell_of_text(name: str) -> None:
    task = BinaryTask(name="click", label=name)
    rows = sections(schema=msgspec.structs.replace(SCHEMA, tasks=(task,)))["Tasks"]
    assert [len(row) for row in rows] == [6, 6]
    assert rows[1][3] == name.replace("\n", "\\n")


def test_empty_names_are_seen() -> None:
    assert code("") == r"\"\""


@pytest.mark.parametrize("name", ["user_id", "rows of the user", "video.id-2"])
def test_plain_names_are_code(name: str) -> None:
    assert code(name) == f"`{name}`"
