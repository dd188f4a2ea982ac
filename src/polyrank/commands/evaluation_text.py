"""An evaluation as text for a terminal."""

from collections.abc import Iterator, Sequence

from polyrank.evaluation.findings import Catalogue, Importances, MetricValue, Ordering
from polyrank.evaluation.results import Result
from polyrank.evaluation.worse import WorsePart, how_many_words, num_judged, worse_parts

from .output import table

WORST = 8
COLUMNS = 10
LARGE = 1e9
"""From here on decimals are no news, and digits before the point are many."""


def result_text(found: Result) -> str:
    """Write what matters most; all of it is in the JSON."""
    return "\n\n".join(_paragraphs(found))


def _paragraphs(found: Result) -> Iterator[str]:
    yield _heading(found)
    if found.data.as_trained:
        yield (
            "As many rows as the run was made of: if they are the same, it was trained on most of them, and this "
            "flatters it; --validation-of RUN evaluates the others."
        )
    yield table([["task", "metric", "value", f"{100 * found.level:g}% interval"], *_metrics(found)])
    if num_judged(found):
        yield how_many_words(found)
    if worse := worse_parts(found):
        head = ["slice", "rows", "task", "metric", "value", "interval", "all rows"]
        yield table([head, *_worse(worse[:WORST])])
        if len(worse) > WORST:
            yield f"These are the {WORST} of {len(worse)} in which most is lost."
    if found.ordering is not None:
        yield _ordering(found.ordering)
    if found.catalogue is not None:
        yield _catalogue(found.catalogue)
    if found.importance is not None and found.importance.columns:
        yield _importance(found.importance)
    yield f"{found.seconds:.1f} s"


def _heading(found: Result) -> str:
    version = f" version {found.model.version}" if found.model.version else ""
    which = "validation rows" if found.data.part == "validation" else "rows"
    groups = "" if found.data.groups is None else f" of {found.data.groups:,} values of {found.data.group}"
    return f"{found.model.kind} {found.model.name}{version} ({found.model.run_id}), {found.data.rows:,} {which}{groups}"


def _metrics(found: Result) -> Iterator[Sequence[str]]:
    for task in found.tasks:
        for metric in task.metrics:
            yield [task.task, metric.name, *_shown(metric)]


def _shown(metric: MetricValue) -> tuple[str, str]:
    if metric.value is None:
        return "-", metric.undefined
    ends = "" if metric.interval is None else " to ".join(_number(end) for end in metric.interval)
    return _number(metric.value, 6), ends


def _worse(parts: Sequence[WorsePart]) -> Iterator[Sequence[str]]:
    for part in parts:
        shown = (f"{part.by}: {part.value}", f"{part.rows:,}", part.task, part.metric.name)
        yield [*shown, *_shown(part.metric), _shown(part.whole)[0]]


def _ordering(found: Ordering) -> str:
    weights = " + ".join(f"{weight:g} {task}" for task, weight in found.weights.items())
    head = [
        "task",
        f"ndcg@{found.k}",
        "by itself",
        f"recall@{found.k}",
        f"label of a group's best {found.k}",
        "of all its rows",
    ]
    rows = [
        [task, *(_number(value) for value in (own.ndcg, own.own_ndcg, own.recall, own.top_label, own.mean_label))]
        for task, own in found.tasks.items()
    ]
    choice = f"{found.groups_above_k:,} of {found.groups:,} groups have more than {found.k} rows"
    return f"In the order of {weights}; {choice}:\n\n{table([head, *rows])}"


def _number(value: float | None, decimals: int = 4) -> str:
    if value is None:
        return "-"
    return f"{value:.{decimals}f}" if abs(value) < LARGE else f"{value:.{decimals}e}"


def _catalogue(found: Catalogue) -> str:
    return (
        f"The best {found.k} of {found.items:,} items for each of {found.users:,} users: {found.coverage:.1%} of the "
        f"items are shown (at most {found.possible_coverage:.1%}), Gini {found.gini:.2f} (at least "
        f"{found.possible_gini:.2f}); an item shown has more rows than {found.popularity:.0%} of the items, one in the "
        f"rows than {found.logged_popularity:.0%}."
    )


def _importance(found: Importances) -> str:
    tasks = list(found.base)
    head = ["shuffled column", *(f"{task} {found.metrics[task]}" for task in tasks)]
    rows = [[own.column, *(f"{own.losses[task]:+.4f}" for task in tasks)] for own in found.columns[:COLUMNS]]
    return f"Worse by, in {found.rows:,} rows:\n\n{table([head, *rows])}"
