"""The summary: five questions, answered in sentences with numbers."""

from collections.abc import Iterator, Sequence

from polyrank.evaluation.means import CLOSE, compare_means
from polyrank.evaluation.results import Result, TaskResult
from polyrank.evaluation.worse import WorsePart, how_many_words, num_judged, worse_parts

from . import facts
from .blocks import Answer, Sentence, Tone
from .bringing import COMPARE, EVALUATE
from .numerals import brief, change, count, joined, numeral, rounded, span
from .records import Change, Interval
from .sources import Run, Sources
from .words_served import is_served_alike, load_held

_SHOWN = 3
"""Worst parts that the summary names; the section has them all."""


def summary(sources: Sources) -> tuple[Answer, ...]:
    """Answer what a reader wants to know of the main run, each question from what was given of it."""
    own = sources.of_main()
    return (
        Answer("Is the model good?", tuple(_is_good(own))),
        Answer("For whom is it bad?", tuple(_is_bad_for(own))),
        Answer("Is it calibrated?", tuple(_is_calibrated(own))),
        Answer("Did sharing tasks help?", tuple(_has_shared(sources))),
        Answer("Is what we serve what we trained?", tuple(is_served_alike(sources))),
        Answer("How fast does it answer?", tuple(load_held(own))),
    )


def _is_good(sources: Sources) -> Iterator[Sentence]:
    if sources.evaluations:
        result = sources.evaluations[0].found
        for task in result.tasks:
            yield _task_sentence(task, result.level)
        if result.data.chose_epoch:
            yield Sentence("These rows chose which epoch to keep, so that they flatter the model a little.")
        if result.data.part == "all":
            yield from _seen(sources.runs, result)
    elif sources.runs:
        for name, values in sources.runs[0].metrics.validation.items():
            if values:
                yield _validation_sentence(sources.runs[0], name, values)
        chose = ", which chose the epoch to keep" if sources.runs[0].chose_epoch else ""
        text = f"These are validation rows{chose}. Rows that the training never saw say more:"
        yield Sentence(text, command=EVALUATE)
    else:
        yield Sentence("Not known: no run was given, and no evaluation.", command=EVALUATE)


def _seen(runs: Sequence[Run], result: Result) -> Iterator[Sentence]:
    """Warn of rows that are as many as the run was made of: they are likely the same, most of which it has seen."""
    made_of = [
        run.metrics.train_rows + run.metrics.validation_rows for run in runs if run.run_id == result.model.run_id
    ]
    if result.data.as_trained or result.data.rows in made_of:
        yield Sentence(
            f"The run was made of {count(result.data.rows, 'row')} too: if these are the same, it was trained on most "
            "of them, and is worse on others. Evaluate those that it was not trained on:",
            "warning",
            command=f"{EVALUATE} --validation-of RUN",
        )


def _task_sentence(task: TaskResult, level: float) -> Sentence:
    over = f" over {count(task.rows, 'labelled row')}"
    if not task.metrics:
        return Sentence(f"{task.task}: no metric{over}.", "warning")
    first = task.metrics[0]
    if first.value is None:
        return Sentence(f"{task.task}: {first.name} is undefined{over}: {brief(first.undefined)}.", "warning")
    interval = f" ({level:.0%} interval {span(first.interval)})" if first.interval else ""
    return _judged(f"{task.task}: {first.name} {numeral(first.value)}{interval}{over}", first.name, first.interval)


def _validation_sentence(run: Run, task: str, values: dict[str, float | None]) -> Sentence:
    name, value = next(iter(values.items()))
    rows = run.metrics.counts.get(task, {}).get("rows")
    over = "" if rows is None else f" over {count(rows, 'labelled row')}"
    if value is None:
        reason = run.metrics.undefined.get(task, {}).get(name, "")
        return Sentence(f"{task}: {name} is undefined{over}: {brief(reason)}.", "warning")
    interval = run.metrics.intervals.get(task, {}).get(name)
    shown = f" (interval {span(interval)})" if span(interval) else ""
    return _judged(f"{task}: {name} {numeral(value)}{shown}{over}", name, interval)


def _judged(text: str, metric: str, interval: Interval | None) -> Sentence:
    match facts.against_chance(metric, interval):
        case "better":
            return Sentence(f"{text}, better than chance.", "good")
        case "unclear":
            return Sentence(f"{text}, not surely better than chance.", "warning")
        case _:
            return Sentence(f"{text}.")


def _is_bad_for(sources: Sources) -> Iterator[Sentence]:
    if not sources.evaluations:
        yield Sentence("Not known: not evaluated.", command=EVALUATE)
        return
    result = sources.evaluations[0].found
    if num_judged(result) == 0:
        yield Sentence("Not known: no part of the rows has an interval to judge it by.")
        return
    worse = worse_parts(result)
    yield Sentence(how_many_words(result), "plain" if worse else "good")
    for part in worse[:_SHOWN]:
        yield Sentence(part_words(part), "warning")


def part_words(part: WorsePart) -> str:
    """Say which part is worse, and by how much."""
    return (
        f"Where “{brief(part.by)}” is “{brief(part.value)}” ({count(part.rows, 'row')}), {part.task} has "
        f"{part.metric.name} {numeral(part.metric.value)} ({span(part.metric.interval)}) against "
        f"{numeral(part.whole.value)} of all rows."
    )


def _is_calibrated(sources: Sources) -> Iterator[Sentence]:
    if not sources.evaluations:
        yield Sentence("Not known: not evaluated.", command=EVALUATE)
        return
    result = sources.evaluations[0].found
    found = [sentence for task in result.tasks for sentence in _calibration_of(result, task)]
    yield from found or [Sentence("No task has a calibration: its labels are no numbers, or all 0.")]


def _calibration_of(result: Result, task: TaskResult) -> Iterator[Sentence]:
    metric = facts.metric_of(task, "calibration")
    if metric is not None and metric.value is not None:
        interval = f" ({span(metric.interval)})" if metric.interval else ""
        text = f"{task.task}: answers sum to {numeral(metric.value)}{interval} times the labels"
        off = f", {'too high' if metric.value > 1 else 'too low'}" if facts.is_off(metric) else ""
        is_close = abs(metric.value - 1) <= CLOSE
        yield Sentence(f"{text}{off}.", "good" if is_close else "warning" if off else "plain")
    elif task.task in result.calibration:
        yield from _means_of(result, task)
    bins = len(result.calibration.get(task.task, ()))
    missed = facts.missed_bins(result, task.task)
    if bins and missed > bins * (1 - result.level) + 1:
        yield Sentence(
            f"{task.task}: in {missed} of {count(bins, 'bin')} of answers the {result.level:.0%} interval of the mean "
            f"label leaves out the mean answer; about {rounded(bins * (1 - result.level))} would by chance.",
            "warning",
        )


def _means_of(result: Result, task: TaskResult) -> Iterator[Sentence]:
    """Compare the means of a task that has no ratio of sums with an interval, such as a regression."""
    if task.mean_answer is None or task.mean_label is None:
        return
    verdict = compare_means(task, result.calibration[task.task])
    text = f"{task.task}: the mean answer is {numeral(task.mean_answer)}, the mean label {numeral(task.mean_label)}"
    off = f", {'too high' if task.mean_answer > task.mean_label else 'too low'}" if verdict == "off" else ""
    tones: dict[str, Tone] = {"near": "good", "off": "warning"}
    yield Sentence(f"{text}{off}.", tones.get(verdict, "plain"))


def _has_shared(sources: Sources) -> Iterator[Sentence]:
    found = [each.found for each in sources.comparisons if each.found.baseline == facts.ONE_PER_TASK]
    if not found:
        yield Sentence("Not known: models of all tasks and one for each were not compared.", command=COMPARE)
    for comparison in found:
        for model in facts.sharing(comparison):
            yield _sharing_sentence(model)
        yield Sentence(f"Compared over {count(comparison.seeds, 'seed')} and {count(comparison.rows, 'row')}.")


def _sharing_sentence(model: facts.Sharing) -> Sentence:
    name, total = brief(model.model), count(len(model.better) + len(model.worse) + len(model.unclear), "metric")
    if not model.better and not model.worse:
        return Sentence(f"{name}: no clear difference from one model per task in any of {total}.")
    parts = [f"{name} is better than one model per task in {len(model.better)} of {total}{_changes(model.better)}"]
    parts += [f"worse in {len(model.worse)}{_changes(model.worse)}"] if model.worse else []
    parts += [f"no clear difference in {len(model.unclear)}"] if model.unclear else []
    return Sentence(f"{'; '.join(parts)}.", "warning" if model.worse else "good")


def _changes(changes: Sequence[Change]) -> str:
    texts = [f"{each.task} {each.metric} {change(each.difference)}{_within(each)}" for each in changes]
    return f": {joined(texts)}" if texts else ""


def _within(each: Change) -> str:
    interval = span(each.interval, signed=True)
    return f" ({interval})" if interval else ""
