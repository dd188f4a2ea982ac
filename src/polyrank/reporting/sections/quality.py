"""How good the answers are: in all, in parts, and whether they mean what they say."""

from collections.abc import Iterator

from polyrank.evaluation.findings import MetricValue
from polyrank.evaluation.interval_kinds import interval_kinds
from polyrank.evaluation.results import Model, Result
from polyrank.evaluation.worse import CAVEAT, how_many_words, worse_parts
from polyrank.reporting.blocks import Block, Gallery, Heading, Section, Table, Words
from polyrank.reporting.numerals import brief, count, joined, moment, numeral, span
from polyrank.reporting.pictures.answers import distribution_pictures
from polyrank.reporting.pictures.calibration import calibration_pictures
from polyrank.reporting.pictures.parts import slice_pictures
from polyrank.reporting.sources import Run, Sources
from polyrank.reporting.words import part_words

from .evaluated import of_each

_BETTER = {"high": "high", "low": "low", "one": "near 1"}
_WORST = 12
"""Parts that words name; the pictures have them all."""


def tasks_section(sources: Sources) -> Section:
    """Tell of all metrics of every task."""
    blocks: list[Block] = list(of_each(sources, _metrics, "No task has a metric."))
    if not sources.of_main().evaluations:
        blocks += [_validation(run) for run in sources.runs]
    return Section("tasks", "How good each task is", tuple(blocks))


def _metrics(result: Result) -> Iterator[Block]:
    part = "the validation rows" if result.data.part == "validation" else "rows"
    groups = (
        f", {count(result.data.groups, 'group')} by {brief(result.data.group)}"
        if result.data.groups and result.data.group
        else ""
    )
    begins, ends = (moment(each) for each in (result.data.begins, result.data.ends))
    times = f", from {begins} to {ends}" if begins else ""
    yield Words(
        f"{_model(result.model)} answered {part} of {brief(result.data.source)}: "
        f"{count(result.data.rows, 'row')}{groups}{times}.{_intervals(result)}"
    )
    rows = [
        (
            task.task,
            f"{task.rows:,}",
            metric.name,
            numeral(metric.value),
            span(metric.interval),
            _BETTER[metric.best],
            _note(metric, task.counts),
        )
        for task in result.tasks
        for metric in task.metrics
    ]
    head = ("task", "rows", "metric", "value", f"{result.level:.0%} interval", "better", "")
    yield Table("Metrics by task", head, tuple(rows))
    means = tuple(
        (task.task, task.kind, brief(task.label), numeral(task.mean_label), numeral(task.mean_answer))
        for task in result.tasks
    )
    yield Table("Labels and answers", ("task", "kind", "label", "mean label", "mean answer"), means)


def _model(model: Model) -> str:
    precision = f", {brief(model.precision)}," if model.precision else ""
    return f"The {model.kind} {brief(model.source)}{precision}"


def _intervals(result: Result) -> str:
    kinds = interval_kinds(result)
    parts = [f"those of {joined(kinds.moved)} of how much each row moves it"] if kinds.moved else []
    if kinds.resampled:
        parts.append(f"those of {joined(kinds.resampled)} over {count(result.resamples, 'resample')}")
    return f" Intervals are of {result.level:.0%}: {'; '.join(parts)}." if parts else ""


def _note(metric: MetricValue, counts: dict[str, int]) -> str:
    if metric.value is None:
        return brief(metric.undefined)
    prefix = f"{metric.name}."
    return ", ".join(
        f"{number:,} {name.removeprefix(prefix).replace('_', ' ')}"
        for name, number in counts.items()
        if name.startswith(prefix)
    )


def _validation(run: Run) -> Table:
    metrics = run.metrics
    rows = [
        (
            task,
            name,
            numeral(value),
            span(metrics.intervals.get(task, {}).get(name)),
            brief(metrics.undefined.get(task, {}).get(name, "")),
        )
        for task, values in metrics.validation.items()
        for name, value in values.items()
    ]
    resamples = run.config.get("validation", {}).get("resamples", 0)
    over = f"; intervals over {count(resamples, 'resample')}" if resamples and metrics.intervals else ""
    caption = f"{brief(run.name)}: metrics of its {count(metrics.validation_rows, 'validation row')}{over}"
    return Table(caption, ("task", "metric", "value", "interval", ""), tuple(rows))


def parts_section(sources: Sources) -> Section:
    """Tell of the rows in parts, the worst of them in words."""
    blocks = of_each(sources, _parts, "The rows have no parts: the schema names nothing to slice by.")
    return Section("parts", "For whom it is bad", tuple(blocks))


def _parts(result: Result) -> Iterator[Block]:
    if not result.slices:
        return
    worse = worse_parts(result)
    yield Words(how_many_words(result), "plain" if worse else "good")
    for part in worse[:_WORST]:
        yield Words(part_words(part), "warning")
    if len(worse) > _WORST:
        yield Words(f"These are the {_WORST} of {len(worse)} in which most is lost.")
    yield Words(CAVEAT)
    for cut in result.slices:
        pictures = tuple(slice_pictures(result, cut))
        if pictures:
            yield Heading(brief(cut.by))
            yield Gallery(pictures, is_dense=True)


def answers_section(sources: Sources) -> Section:
    """Tell whether answers mean what they say, and how they are spread."""
    blocks = of_each(sources, _answers, "No task has answers that a calibration curve could be drawn of.")
    return Section("answers", "What answers mean", tuple(blocks))


def _answers(result: Result) -> Iterator[Block]:
    for pictures in (tuple(calibration_pictures(result)), tuple(distribution_pictures(result))):
        if pictures:
            yield Gallery(pictures)
