"""The summary of a report: what is said, and what is said to be looked at."""

import dataclasses
import json
from pathlib import Path
from typing import Any

import msgspec
import pytest
from artefacts.invented_result import comparison, load_test, metric, rich_result

from polyrank.evaluation import findings
from polyrank.evaluation.results import Result
from polyrank.reporting import facts, records
from polyrank.reporting.blocks import Answer, Sentence
from polyrank.reporting.reading import read_sources
from polyrank.reporting.sources import Bundle, Compared, Evaluation, Loaded, Sources
from polyrank.reporting.words import summary
from polyrank.signature import Signature

GOOD, BAD_FOR, CALIBRATED, SHARED, SERVED, FAST = range(6)


def answer(sources: Sources, number: int) -> Answer:
    return summary(sources)[number]


def of(result: Result) -> Sources:
    return Sources(evaluations=(Evaluation("evaluation.json", result),))


def with_task(**changed: Any) -> Sources:
    """An evaluation of one task, changed."""
    result = rich_result()
    task = msgspec.structs.replace(result.tasks[0], **changed)
    return of(msgspec.structs.replace(result, tasks=(task,), calibration={}))


def compared(**changed: Any) -> Sources:
    found = msgspec.convert(comparison() | changed, type=records.Comparison, strict=False)
    return Sources(comparisons=(Compared("comparison.json", found),))


def loaded(**changed: Any) -> Sources:
    found = msgspec.convert(load_test() | changed, type=records.LoadTest)
    return Sources(loads=(Loaded("load.json", found),))


def test_each_task_is_told_with_its_interval() -> None:
    first = answer(of(rich_result()), GOOD).sentences[0]
    text = "click: auc 0.7312 (95% interval 0.7252 to 0.7372) over 20,000 labelled rows, better than chance."
    assert first == Sentence(text, "good")


def test_area_that_may_be_chance_is_a_warning() -> None:
    found = answer(with_task(metrics=(metric("auc", 0.52, 0.03),)), GOOD)
    assert found.sentences[0].text.endswith("over 20,000 labelled rows, not surely better than chance.")
    assert found.tone == "warning"


def test_undefined_metric_says_why() -> None:
    found = answer(with_task(metrics=(metric("auc", None, undefined="its labels are of one class"),)), GOOD)
    text = "click: auc is undefined over 20,000 labelled rows: its labels are of one class."
    assert found.sentences[0] == Sentence(text, "warning")


def with_data(**changed: Any) -> Sources:
    result = rich_result()
    return of(msgspec.structs.replace(result, data=msgspec.structs.replace(result.data, **changed)))


def test_rows_that_chose_the_epoch_are_said_to_flatter() -> None:
    found = answer(with_data(part="validation", chose_epoch=True), GOOD)
    assert "flatter the model" in found.sentences[-1].text


def test_rows_that_validated_without_a_choice_do_not_flatter() -> None:
    found = answer(with_data(part="validation"), GOOD)
    assert not any("flatter" in sentence.text for sentence in found.sentences)


@pytest.mark.parametrize(
    ("changes", "is_run_given", "is_said"),
    [
        ({"rows": 2_000}, True, True),
        ({"rows": 1_999}, True, False),
        ({"rows": 2_000}, False, False),
        ({"rows": 2_000, "as_trained": True}, False, True),
    ],
)
def test_rows_that_training_has_likely_seen_are_a_warning(
    toy_run: Path, changes: dict[str, Any], *, is_run_given: bool, is_said: bool
) -> None:
    (run,) = read_sources([toy_run]).runs
    data = msgspec.structs.replace(rich_result().data, part="all", **changes)
    result = msgspec.structs.replace(rich_result(run.run_id), data=data)
    sources = Sources(runs=(run,) * is_run_given, evaluations=(Evaluation("evaluation.json", result),))
    last = answer(sources, GOOD).sentences[-1]
    assert last.text.startswith("The run was made of 2,000 rows too: if these are the same, it was trained") == is_said
    assert (last.command.endswith(" --validation-of RUN"), last.tone == "warning") == (is_said, is_said)


@pytest.fixture
def mixed(toy_run: Path, toy_bundle: Path) -> Sources:
    """A run, and an evaluation, a bundle and a load test of another one."""
    own = read_sources([toy_run, toy_bundle])
    signature = msgspec.structs.replace(own.bundles[0].signature, run_id="another")
    return dataclasses.replace(
        own,
        bundles=(dataclasses.replace(own.bundles[0], signature=signature),),
        evaluations=of(rich_result("another")).evaluations,
        loads=loaded().loads,
    )


def test_summary_tells_nothing_of_other_runs(mixed: Sources) -> None:
    alone = summary(Sources(runs=mixed.runs))
    found = summary(mixed)
    assert [found[place] for place in (GOOD, BAD_FOR, CALIBRATED, FAST)] == [
        alone[place] for place in (GOOD, BAD_FOR, CALIBRATED, FAST)
    ]


def test_bundle_of_another_run_is_no_evidence(mixed: Sources) -> None:
    first, second = answer(mixed, SERVED).sentences
    assert first.text == f"Not known: no bundle of run {mixed.main_id} was given."
    assert (" of another training than " in second.text, second.tone) == (True, "warning")


def test_run_alone_says_whether_validation_chose_its_epoch(toy_run: Path) -> None:
    sources = read_sources([toy_run])
    chosen = dataclasses.replace(sources.runs[0], config=sources.runs[0].config | {"epochs": "auto"})
    assert "which chose the epoch to keep" in answer(Sources(runs=(chosen,)), GOOD).sentences[-1].text
    assert "which chose" not in answer(sources, GOOD).sentences[-1].text


def test_run_alone_is_told_by_its_validation(toy_run: Path) -> None:
    found = answer(read_sources([toy_run]), GOOD)
    said = json.loads((toy_run / "metrics.json").read_text())
    rmse, (low, high) = said["validation"]["rating"]["rmse"], said["intervals"]["rating"]["rmse"]
    rows = said["counts"]["rating"]["rows"]
    text = f"rating: rmse {rmse:.3f} (interval {low:.4f} to {high:.3f}) over {rows} labelled rows."
    assert text in [sentence.text for sentence in found.sentences]
    assert found.sentences[-1].command == "polyrank evaluate RUN ROWS --out evaluation.json"


def test_parts_beyond_the_whole_are_counted_and_the_worst_named() -> None:
    found = answer(of(rich_result()), BAD_FOR).sentences
    assert found[0].text == (
        "Of 48 parts, one for each value and task, 8 are worse than all rows, beyond chance; about 5% of such are so "
        "by chance."
    )
    text = (
        "Where “is item_id new” is “new” (1,320 rows), click has auc 0.6212 (0.5992 to 0.6432) against 0.7312 of all "
        "rows."
    )
    assert found[1] == Sentence(text, "warning")


def without_worse_parts() -> Result:
    result = rich_result()
    cuts = [
        msgspec.structs.replace(cut, parts=tuple(msgspec.structs.replace(part, worse=()) for part in cut.parts))
        for cut in result.slices
    ]
    return msgspec.structs.replace(result, slices=tuple(cuts))


def test_no_worse_part_is_good_news() -> None:
    found = answer(of(without_worse_parts()), BAD_FOR)
    assert (found.tone, len(found.sentences)) == ("good", 1)


def test_parts_without_intervals_say_nothing() -> None:
    found = answer(of(msgspec.structs.replace(rich_result(), slices=())), BAD_FOR)
    assert found.sentences == (Sentence("Not known: no part of the rows has an interval to judge it by."),)


def test_answers_too_high_are_a_warning() -> None:
    texts = {sentence.text: sentence.tone for sentence in answer(of(rich_result()), CALIBRATED).sentences}
    assert texts["click: answers sum to 1.004 (0.9932 to 1.015) times the labels."] == "good"
    assert texts["like: answers sum to 1.142 (1.111 to 1.173) times the labels, too high."] == "warning"


def test_answers_too_low_are_a_warning() -> None:
    found = answer(with_task(metrics=(metric("calibration", 0.8, 0.1),)), CALIBRATED).sentences
    assert found == (Sentence("click: answers sum to 0.8000 (0.7000 to 0.9000) times the labels, too low.", "warning"),)


def test_bins_off_the_diagonal_are_a_warning() -> None:
    result = rich_result()
    missed = sum(not each.interval[0] <= each.answer <= each.interval[1] for each in result.calibration["like"])
    text = (
        f"like: in {missed} of 10 bins of answers the 95% interval of the mean label leaves out the mean answer; about "
        "0.5 would by chance."
    )
    assert Sentence(text, "warning") in answer(of(result), CALIBRATED).sentences


MEANS = {
    "near": (0.305, "0.3050, the mean label 0.3000.", "good"),
    "too low": (0.2, "0.2000, the mean label 0.3000, too low.", "warning"),
    "too high": (0.4, "0.4000, the mean label 0.3000, too high.", "warning"),
    "within chance": (0.32, "0.3200, the mean label 0.3000.", "plain"),
}


@pytest.mark.parametrize("case", MEANS)
def test_mean_of_a_regression_is_judged(case: str) -> None:
    mean, says, tone = MEANS[case]
    result = rich_result()
    task = msgspec.structs.replace(result.tasks[0], metrics=(), mean_answer=mean, mean_label=0.3)
    # Each of four bins may be off by 0.08, and their mean by half of that.
    bins = (findings.CalibrationBin(rows=9, answer=0.3, label=0.3, interval=(0.22, 0.38)),) * 4
    changed = msgspec.structs.replace(result, tasks=(task,), calibration={"click": bins})
    assert answer(of(changed), CALIBRATED).sentences == (Sentence(f"click: the mean answer is {says}", tone),)  # type: ignore[arg-type]


def test_task_without_calibration_is_not_judged() -> None:
    found = answer(with_task(metrics=(metric("rmse", 1.0, 0.1),)), CALIBRATED)
    assert found.sentences == (Sentence("No task has a calibration: its labels are no numbers, or all 0."),)


def test_sharing_is_told_with_what_it_gained_and_lost() -> None:
    best, worst, rest = answer(compared(), SHARED).sentences
    gain = "click auc +0.0052 (+0.0040 to +0.0064)"
    text = f"ple is better than one model per task in 1 of 2 metrics: {gain}; no clear difference in 1."
    assert best == Sentence(text, "good")
    assert worst.text.endswith("; worse in 1: like auc −0.0093 (−0.0124 to −0.0062).")  # noqa: RUF001
    assert (worst.tone, rest.text) == ("warning", "Compared over 3 seeds and 2,000 rows.")


def test_sharing_without_a_clear_difference_is_told() -> None:
    change = comparison()["changes"][3]
    found = answer(compared(changes=[change]), SHARED).sentences[0]
    assert found == Sentence("ple: no clear difference from one model per task in any of 1 metric.")


def test_comparison_of_runs_says_nothing_of_sharing() -> None:
    (found,) = answer(compared(baseline="runs/a"), SHARED).sentences
    assert found.text.startswith("Not known: ")
    assert found.command.startswith("polyrank compare ROWS --schema")


def bundle(toy_bundle: Path, **changed: Any) -> Bundle:
    signature = Signature.from_json((toy_bundle / "signature.json").read_bytes())
    return Bundle(name="bundle", signature=signature, parity=parity(2e-7, **changed))


def parity(difference: float | None, **changed: Any) -> records.Parity:
    worst = records.Difference(task="click", rows="sample", batch_size=33, difference=difference)
    least = records.Difference(task="like", rows="extreme", batch_size=1, difference=1e-9)
    found = records.Parity(differences=(least, worst), onnxruntime="1.24", tolerance=1e-5)
    return msgspec.structs.replace(found, **changed)


def test_parity_is_told_with_its_limit(toy_bundle: Path) -> None:
    text = (
        "bundle differs from the trained model by 2.0e−07 at most (limit 1.0e−05; click, rows “sample”, 33 at once) "  # noqa: RUF001
        "over 2 comparisons in ONNX Runtime 1.24."
    )
    assert answer(Sources(bundles=(bundle(toy_bundle),)), SERVED).sentences == (Sentence(text, "good"),)


def test_other_versions_are_told(toy_bundle: Path) -> None:
    verified = (parity(3e-7, onnxruntime="1.18"),)
    found = answer(Sources(bundles=(bundle(toy_bundle, verified=verified),)), SERVED)
    assert found.sentences[0].text.endswith("in ONNX Runtime 1.24 and 1.18.")


def test_smaller_numbers_are_told_with_their_loss(toy_bundle: Path) -> None:
    loss = records.MetricLoss(task="click", metric="auc", before=0.73, after=0.7298, loss=0.0002, error=1e-5)
    found = answer(Sources(bundles=(bundle(toy_bundle, losses=(loss,)),)), SERVED)
    assert found.sentences[0].text.endswith("; with smaller numbers click loses most, 2.0e−04 of its auc.")  # noqa: RUF001


@pytest.mark.parametrize(
    ("found", "holds"),
    [
        (parity(1e-5), True),
        (parity(1.1e-5), False),
        (parity(None), False),
        (parity(1e-9, verified=(parity(1e-3),)), False),
    ],
)
def test_parity_holds_within_its_limit_in_all_versions(found: records.Parity, *, holds: bool) -> None:
    assert facts.holds(found) == holds


def test_real_rows_alone_count_for_smaller_numbers() -> None:
    extreme = records.Difference(task="like", rows="extreme", batch_size=1, difference=5.0)
    real = records.Difference(task="click", rows="sample of user 1", batch_size=1, difference=0.05)
    found = parity(0.0, differences=(extreme, real), tolerance=0.1)
    assert facts.worst(found) == extreme
    assert facts.worst(msgspec.structs.replace(found, is_reduced=True)) == real


def test_what_is_of_another_training_is_a_warning(toy_run: Path) -> None:
    sources = read_sources([toy_run])
    load = loaded(run_id="another").loads
    found = answer(Sources(runs=sources.runs, loads=load), SERVED).sentences[-1]
    assert found == Sentence(f"load.json is of another training than {sources.main_id}.", "warning")


def test_load_is_told_at_the_least_and_the_highest_rate_held() -> None:
    held, failed = answer(loaded(), FAST).sentences
    text = "at 200 requests a second p50 1.4 ms and p99 4.2 ms; at 1,600 requests a second p50 2.9 ms and p99 8.7 ms"
    assert held == Sentence(f"toy, 100 rows a request: {text}.", "good")
    assert failed == Sentence("toy, 100 rows a request: not held at 3,200 requests a second.")


def test_load_of_which_nothing_is_held_is_a_warning() -> None:
    found = answer(loaded(loads=load_test()["loads"][-1:]), FAST)
    assert found.sentences == (Sentence("toy, 100 rows a request: not held at 3,200 requests a second.", "warning"),)


def test_highest_rate_is_told_where_it_was_searched() -> None:
    found = answer(loaded(highest_rate=1_450.0, p99_ms=20.0), FAST).sentences[-1]
    assert found.text == "toy, 100 rows a request: the highest rate with a p99 within 20 ms is 1,450 requests a second."


def test_load_of_rankings_is_told_as_such() -> None:
    found = answer(loaded(loads=load_test()["loads"][-1:], ranks=True), FAST)
    told = "toy, a user and 100 items a request: not held at 3,200 requests a second."
    assert found.sentences == (Sentence(told, "warning"),)


def test_nothing_given_is_not_known_and_names_commands() -> None:
    found = summary(Sources())
    verbs = ["evaluate", "evaluate", "evaluate", "compare", "export", "loadtest"]
    assert [each.sentences[0].command.split()[1] for each in found] == verbs
    assert all(each.sentences[0].text.startswith("Not known: ") for each in found)
