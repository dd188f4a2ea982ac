"""A comparison of arms as text."""

from collections.abc import Iterator

from polyrank.metrics import Interval

from .interleaving import Interleaving, Wins
from .results import FEW_USERS, POWER, ArmMean, Comparison, Difference, TaskComparison, check_size

HEADER = ("task", "arm", "users", "impressions", "mean", "difference", "interval", "relative", "interval", "p", "")

WINS_HEADER = ("task", "arm", "lists", "wins", "losses", "share", "interval", "users for", "against", "p", "")


def comparison_rows(comparison: Comparison) -> list[tuple[str, ...]]:
    """Return the rows of a table, its header first; p-values are adjusted."""
    rows: list[tuple[str, ...]] = [HEADER]
    for task in comparison.tasks:
        rows.append((*_mean(task, task.means[0]), "", "", "", "", "", "baseline"))
        rows += [
            (*_mean(task, mean), *_difference(comparison, difference))
            for mean, difference in zip(task.means[1:], task.differences, strict=True)
        ]
    return rows


def comparison_lines(comparison: Comparison, size: float | None = None) -> Iterator[str]:
    """Return what else there is to know, a line each.

    Args:
        comparison: of arms.
        size: a difference as a share of the baseline's mean, to say how many users show it; None says nothing of it.

    Raises:
        ConfigError: `size` is not above 0 and finite.
    """
    if size is not None:
        check_size(size)
    yield from _warnings(comparison)
    for task in comparison.tasks:
        for difference in task.differences:
            yield from _power(comparison, task, difference, size)
    if comparison.not_compared:
        yield f"not compared, since classes have no mean: {', '.join(comparison.not_compared)}"
    yield _summary(comparison)


def wins_rows(interleaving: Interleaving) -> list[tuple[str, ...]]:
    """Return the rows of a table, its header first; p-values are adjusted."""
    return [WINS_HEADER, *(_wins(interleaving, each) for each in interleaving.found)]


def _warnings(comparison: Comparison) -> Iterator[str]:
    ratio = comparison.ratio
    if ratio is not None:
        users = ", ".join(f"{arm.name} {arm.users:,} of {ratio.expected[arm.name]:,.0f}" for arm in comparison.arms)
        verdict = "no chance: find out why before you read on" if ratio.is_mismatch else "as intended"
        yield f"sample ratio: users {users} expected; p {ratio.p_value:.2g}, {verdict}"
    if comparison.shared_users:
        yield f"{comparison.shared_users:,} users saw more than one of them; their rows count for each"
    few = [f"{arm.name} {arm.users:,}" for arm in comparison.arms if arm.users < FEW_USERS]
    if few:
        yield f"too few users for intervals to hold, {FEW_USERS} expected: {', '.join(few)}"
    if comparison.outside:
        yield f"{comparison.outside:,} rows have no {comparison.by} and are left out"


def _power(comparison: Comparison, task: TaskComparison, difference: Difference, size: float | None) -> Iterator[str]:
    mean = task.means[0].mean
    if difference.detectable is None or not mean:
        return
    smallest = difference.detectable / abs(mean)
    found = f"{task.task}, {difference.arm}: {smallest:.2%} of the mean is found in {POWER:.0%} of such experiments"
    if size is None:
        yield found
    else:
        users = comparison.users_for(difference, size * abs(mean))
        yield f"{found}; {size:.2%} takes {users or 0:,} users in both arms"


def _summary(comparison: Comparison) -> str:
    pairs = [(task.task, each) for task in comparison.tasks for each in task.differences]
    beyond = [f"{task} of {each.arm}" for task, each in pairs if comparison.differs(each)]
    named = f": {', '.join(beyond)}" if beyond else ""
    return (
        f"{len(beyond)} of {len(pairs)} differences from {comparison.baseline} are more than chance, all taken together"
        f"{named}"
    )


def _mean(task: TaskComparison, mean: ArmMean) -> tuple[str, ...]:
    return (task.task, mean.arm, f"{mean.users:,}", f"{mean.impressions:,}", _number(mean.mean, "{:.4g}"))


def _difference(comparison: Comparison, difference: Difference) -> tuple[str, ...]:
    return (
        _number(difference.absolute, "{:+.3g}"),
        _between(difference.interval, "{:+.3g}"),
        _number(difference.relative, "{:+.2%}"),
        _between(difference.relative_interval, "{:+.2%}"),
        _number(difference.adjusted_p, "{:.2g}"),
        "differs" if comparison.differs(difference) else "",
    )


def _wins(interleaving: Interleaving, wins: Wins) -> tuple[str, ...]:
    return (
        wins.task,
        wins.arm,
        *(f"{count:,}" for count in (wins.requests, wins.wins, wins.losses)),
        _number(wins.share, "{:.2%}"),
        _between(wins.interval, "{:.2%}"),
        *(f"{count:,}" for count in (wins.users_for, wins.users_against)),
        f"{wins.adjusted_p:.2g}",
        "differs" if interleaving.differs(wins) else "",
    )


def _number(value: float | None, form: str) -> str:
    return "" if value is None else form.format(value)


def _between(interval: Interval | None, form: str) -> str:
    return "" if interval is None else f"{form.format(interval[0])} to {form.format(interval[1])}"
