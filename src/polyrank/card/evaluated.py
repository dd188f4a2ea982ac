"""What an evaluation found, in short."""

from collections.abc import Iterator

from polyrank.evaluation import Result
from polyrank.evaluation.findings import Catalogue, Importances, MetricValue, Ordering, Slice
from polyrank.evaluation.interval_kinds import interval_kinds

from .markdown import bullets, code, listed, section, table
from .quality import between, value_of

SHOWN_PARTS = 10
SHOWN_COLUMNS = 10
GROUPS = ("task", "groups with both labels", "`auc` below 0.5", "if scores were random", "median `auc` of a group")
WORSE = "**worse**: than all rows, beyond chance."


def evaluation_lines(result: Result | None) -> Iterator[str]:
    """Give metrics, parts of the rows, calibration, order, catalogue and columns, each where it was found."""
    if result is None:
        says = "None on other rows than those of the validation: `polyrank evaluate` makes one."
        yield from section("Evaluation", [says], level=3)
        return
    head = ("task", "metric", "value", f"{result.level:.0%} interval")
    yield from section("Evaluation", _intervals(result), table(head, _metrics(result)), level=3)
    for each in result.slices:
        yield from _slice(each, result)
    if result.calibration:
        head = (
            "task",
            "bins",
            "largest distance of mean answer and mean label",
            "bins whose interval holds the answer",
        )
        yield from section("Calibration of the evaluation", table(head, _calibration(result)), level=3)
    if result.group_areas:
        yield from section("Groups of the evaluation", table(GROUPS, _groups(result)), level=3)
    if result.ordering is not None:
        yield from _ordering(result.ordering)
    if result.catalogue is not None:
        yield from _catalogue(result.catalogue)
    if result.importance is not None and result.importance.columns:
        yield from _importance(result.importance)


def _metrics(result: Result) -> Iterator[tuple[str, ...]]:
    for task in result.tasks:
        for each in task.metrics:
            yield code(task.task), code(each.name), value_of(each.value, each.undefined), between(each.interval)


def _intervals(result: Result) -> Iterator[str]:
    """Say how intervals were found, which are so not those of the training even where rows are the same."""
    kinds = interval_kinds(result)
    if kinds.moved:
        yield f"Intervals of {listed(kinds.moved)}, and of all parts below, are of how much each row moves the metric."
    if kinds.resampled:
        yield f"Those of {listed(kinds.resampled)} are from {result.resamples:,} resamples."


def _slice(found: Slice, result: Result) -> Iterator[str]:
    """Give the parts with the most rows: name, rows, and each task's first metric."""
    whole = {task.task: task.metrics[0] for task in result.tasks if task.metrics}
    shown = sorted(found.parts, key=lambda part: -part.rows)[:SHOWN_PARTS]
    rows = [
        (
            code(part.value),
            f"{part.rows:,}",
            *(_beside(part.metrics.get(task), is_worse=task in part.worse) for task in whole),
        )
        for part in found.parts
        if part in shown
    ]
    of = f", of {len(found.parts):,} parts those with the most rows" if len(found.parts) > len(rows) else ""
    says = f"Each task's first metric, with its {result.level:.0%} interval{of}. {WORSE}"
    yield from section(f"By {code(found.by)}", [says], table(("value", "rows", *map(code, whole)), rows), level=3)


def _beside(found: MetricValue | None, *, is_worse: bool) -> str:
    if found is None:
        return ""
    interval = between(found.interval)
    shown = f"{code(found.name)} {value_of(found.value)}" + (f" ({interval})" if interval else "")
    return f"{shown} **worse**" if is_worse else shown


def _calibration(result: Result) -> Iterator[tuple[str, ...]]:
    for task, bins in result.calibration.items():
        worst = max((abs(each.answer - each.label) for each in bins), default=None)
        held = sum(each.interval[0] <= each.answer <= each.interval[1] for each in bins)
        yield code(task), f"{len(bins)}", value_of(worst), f"{held} of {len(bins)}"


def _groups(result: Result) -> Iterator[tuple[str, ...]]:
    for task, areas in result.group_areas.items():
        shares = (f"{share:.1%}" for share in (areas.below_half, areas.below_half_by_chance))
        yield code(task), f"{areas.groups:,}", *shares, value_of(areas.quantiles.get("0.5"))


def _ordering(found: Ordering) -> Iterator[str]:
    weights = ", ".join(f"{code(task)} {weight:g}" for task, weight in found.weights.items())
    says = (
        f"The best {found.k} rows of {found.groups:,} groups, by the weights {weights}. Mean labels are of the groups "
        f"with more than {found.k} rows, {found.groups_above_k:,} of them:"
    )
    head = (
        "task",
        f"ndcg of the best {found.k}",
        "by its own answers alone",
        "label of a group's best",
        "of all its rows",
    )
    rows = [
        (code(task), *map(value_of, (each.ndcg, each.own_ndcg, each.top_label, each.mean_label)))
        for task, each in found.tasks.items()
    ]
    yield from section("Order under weights", [says], table(head, rows), level=3)


def _catalogue(found: Catalogue) -> Iterator[str]:
    drawn = f"{found.items:,} of {found.of_items:,} items" if found.items < found.of_items else f"{found.items:,} items"
    most = f"{found.possible_coverage:.1%}"
    users = f"{found.users:,} users ({code(found.user)})"
    points = [
        f"Each of {users} was recommended {found.k} of {drawn} ({code(found.item)}).",
        f"{found.coverage:.1%} of the items were recommended to somebody; {most} could have been.",
        f"Gini's index of how often items were recommended: {found.gini:.3f}; {found.possible_gini:.3f} at least.",
        f"A recommended item has more rows than {found.popularity:.1%} of the items; 50% would be by chance.",
        f"An item of the evaluated rows has more rows than {found.logged_popularity:.1%}.",
    ]
    yield from section("Recommendations", bullets(points), level=3)


def _importance(found: Importances) -> Iterator[str]:
    tasks = list(found.metrics)
    says = (
        f"How much worse each metric is with a column shuffled between {found.rows:,} rows. First is what a task loses "
        "most without, as a share of its metric:"
    )
    head = ("column", *(f"{code(task)} {code(name)}" for task, name in found.metrics.items()))
    rows = [
        (code(each.column), *(f"{each.losses[task]:+.4f}" for task in tasks)) for each in found.columns[:SHOWN_COLUMNS]
    ]
    yield from section("Importance of columns", [says], table(head, rows), level=3)
