"""Watch: what users make of the version, beside the version before."""

from polyrank.attribution import join
from polyrank.impressions import recover_before_reading
from polyrank.loop.cutting import as_time
from polyrank.loop.cycles import Cycle, History
from polyrank.loop.findings import PublishFound, RowsFound, TaskWatch, WatchFound
from polyrank.loop.glimpse import num_with
from polyrank.loop.live import live_version, superseded
from polyrank.loop.traffic import Traffic, chosen_traffic

from .protocol import Done, Waiting
from .rows import join_options, joined_files, missing_files


class WatchStep:
    """Waits for traffic, and says whether the version stays."""

    name = "watch"

    def run(self, cycle: Cycle, history: History) -> Done | Waiting:  # noqa: ARG002 (that of every step)
        """Compare the outcomes of both versions, once there are enough of the new one."""
        loop, published = cycle.loop, cycle.found(PublishFound)
        if (other := superseded(live_version(loop), published.version)) is not None:
            return _stays("superseded", other)
        if published.before is None:
            return _stays("kept", "there is no version before it to compare with")
        if not loop.watched_tasks:
            return _stays("kept", "there is no task to watch; labels of classes have no mean")
        rows = loop.settings.rows
        recover_before_reading(loop.path(rows.impressions))
        if (missing := missing_files(loop)) is not None:
            return Waiting(missing)
        least = loop.settings.watch.min_impressions
        if (shown := num_with(loop, published.version)) < least:
            return Waiting(f"impressions of version {published.version}: {shown:,} of {least:,}")
        impressions, outcomes = loop.path(rows.impressions), loop.path(rows.outcomes)
        joined = join(loop.schema, impressions, outcomes, join_options(loop, cycle.found(RowsFound).since))
        traffic = Traffic.of(loop, joined, (published.version, published.before))
        waits = _waits(traffic, published)
        return waits or Done(_found(traffic, published), tuple(joined_files(loop)))


def _waits(traffic: Traffic, published: PublishFound) -> Waiting | None:
    """Say what is not enough yet."""
    settings = traffic.loop.settings.watch
    what = f"impressions of version {published.version} whose windows are over"
    if traffic.num_new < settings.min_impressions:
        return Waiting(f"{what}: {traffic.num_new:,} of {settings.min_impressions:,}")
    if traffic.shown_s < settings.span_s:
        return Waiting(f"{what} to go back {settings.span}: {traffic.shown_s / 3600:.1f} h so far")
    if settings.compare == "arms" and min(traffic.in_arms().counts()) < settings.min_impressions:
        new, before = traffic.in_arms().counts()
        return Waiting(
            f"impressions in arms of version {published.version} and of version {published.before}: "
            f"{new:,} and {before:,} of {settings.min_impressions:,}"
        )
    return None


def _found(traffic: Traffic, published: PublishFound) -> WatchFound:
    compared, chosen = chosen_traffic(traffic)
    new, before = chosen.counts()
    if before < (enough := traffic.loop.settings.watch.min_impressions):
        reason = f"version {published.before} has {before:,} of {enough:,} impressions: nothing to compare with"
        return WatchFound(outcome="kept", reason=reason, ends=True, compared="nothing", impressions=new)
    tasks = chosen.watched()
    worse = [each for each in tasks if each.is_worse]
    return WatchFound(
        outcome="worse" if worse else "kept",
        reason=_said(tasks, worse, traffic.loop.settings.watch.tolerance),
        ends=not worse,
        compared=compared,
        impressions=new,
        impressions_before=before,
        since=chosen.since(),
        until=as_time(chosen.until),
        tasks=tasks,
    )


def _said(tasks: tuple[TaskWatch, ...], worse: list[TaskWatch], tolerance: float) -> str:
    """Say what decided."""
    if worse:
        beyond = ", ".join(f"{each.task} by at least {each.surely_worse_by:.1%}" for each in worse)
        return f"surely worse than the version before by more than {tolerance:.1%}: {beyond}"
    shown = ", ".join(
        f"{each.task} {each.mean_before:.4g} to {each.mean:.4g}"
        for each in tasks
        if each.mean is not None and each.mean_before is not None
    )
    return f"not surely worse than the version before by more than {tolerance:.1%}: {shown or 'no labels'}"


def _stays(outcome: str, reason: str) -> Done:
    return Done(WatchFound(outcome=outcome, reason=reason, ends=True, compared="nothing"))
