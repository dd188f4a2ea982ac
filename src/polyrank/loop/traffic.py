"""What was shown with two versions of a model, and what came of it."""

import dataclasses
from datetime import datetime
from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy.typing import NDArray

from polyrank.attribution import Joined
from polyrank.experiments import TaskComparison, compare
from polyrank.impressions import ARM, VERSION

from .cutting import SECOND, Moments, as_time, joint_windows, moment, moments_of
from .findings import TaskWatch
from .glimpse import of_model
from .settings import Loop

if TYPE_CHECKING:
    import pyarrow as pa


@dataclasses.dataclass(frozen=True)
class Traffic:
    """Impressions of a version and of the one before it, with all windows of the watched tasks over.

    Attributes:
        loop: whose settings say what is watched.
        versions: the new one, and the one before.
        rows: of both.
        times: when they were shown, int64 [B].
        until: impressions were taken in that were shown before, and whose windows are over.
    """

    loop: Loop
    versions: tuple[str, str]
    rows: "pa.Table"
    times: Moments
    until: int

    @classmethod
    def of(cls, loop: Loop, joined: Joined, versions: tuple[int, int]) -> "Traffic":
        """Pick the impressions of two versions."""
        import pyarrow as pa
        import pyarrow.compute as pc

        table = joined.table
        windows = joint_windows(
            loop.schema, {task.name: loop.settings.rows.window_s(task.name) for task in loop.schema.tasks}
        )
        longest = max((windows[task.name] for task in loop.watched_tasks), default=0.0)
        until = moment(joined.counts.until) - round(longest * SECOND)
        names = tuple(map(str, versions))
        versions_shown = table[VERSION].cast(pa.string())
        chosen = pc.and_(
            of_model(loop, table),
            pc.is_in(versions_shown, pa.array(names)),
        )
        times = moments_of(loop.schema, table)
        rows = table.filter(pc.and_(chosen.fill_null(False), pa.array(times < until)))  # noqa: FBT003 (the fill value)
        return cls(loop, (names[0], names[1]), rows, moments_of(loop.schema, rows), until)

    @property
    def began(self) -> int | None:
        """When the new version was shown first; None where it was not."""
        shown = self.times[self._shown_with(self.versions[0])]
        return int(shown.min()) if len(shown) else None

    @property
    def num_new(self) -> int:
        """Impressions of the new version."""
        return int(self._shown_with(self.versions[0]).sum())

    @property
    def shown_s(self) -> float:
        """How long the new version has been shown, in seconds."""
        return 0.0 if self.began is None else (self.until - self.began) / SECOND

    def in_arms(self) -> "Traffic":
        """Return what was shown in arms of an experiment since the new version was there."""
        import pyarrow.compute as pc

        if ARM not in self.rows.column_names or self.began is None:
            return self._picked(np.zeros(len(self.times), bool))
        in_arm = pc.is_valid(self.rows[ARM]).to_numpy()
        return self._picked(in_arm & (self.times >= self.began))

    def before_and_after(self) -> "Traffic":
        """Return what was shown with the new version, and as long before with the one before it."""
        began = self.until if self.began is None else self.began
        is_new, is_old = (self._shown_with(version) for version in self.versions)
        near = (2 * began - self.until <= self.times) & (self.times < began)
        return self._picked(is_new | (is_old & near))

    def counts(self) -> tuple[int, int]:
        """Return the impressions of the new version and of the one before."""
        new, old = (int(self._shown_with(version).sum()) for version in self.versions)
        return new, old

    def watched(self) -> tuple[TaskWatch, ...]:
        """Compare the watched tasks of both versions, which must both have been shown."""
        settings = self.loop.settings.watch
        found = compare(
            self.loop.schema,
            self.rows,
            by=VERSION,
            baseline=self.versions[1],
            user=self.loop.settings.rows.user,
            confidence=settings.confidence,
        )
        names = [task.name for task in self.loop.watched_tasks]
        return tuple(_watched(each, self.loop) for each in found.tasks if each.task in names)

    def since(self) -> datetime | None:
        """Return when the new version was shown first."""
        return None if self.began is None else as_time(self.began)

    def _shown_with(self, version: str) -> NDArray[np.bool_]:
        import pyarrow as pa
        import pyarrow.compute as pc

        return np.asarray(pc.equal(self.rows[VERSION].cast(pa.string()), version).to_numpy(zero_copy_only=False), bool)

    def _picked(self, chosen: NDArray[np.bool_]) -> "Traffic":
        import pyarrow as pa

        return dataclasses.replace(self, rows=self.rows.filter(pa.array(chosen)), times=self.times[chosen])


def chosen_traffic(found: Traffic) -> "tuple[Literal['before', 'arms'], Traffic]":
    """Return what is compared, as settings say: arms where both have enough, or before and after."""
    settings = found.loop.settings.watch
    arms = found.in_arms()
    if settings.compare == "arms" or (settings.compare == "auto" and min(arms.counts()) >= settings.min_impressions):
        return "arms", arms
    return "before", found.before_and_after()


def _watched(compared: TaskComparison, loop: Loop) -> TaskWatch:
    """Say how much worse a mean is than the baseline's; where less is better, how much larger."""
    before, mean = (each.mean for each in compared.means)
    (difference,) = compared.differences
    settings = loop.settings.watch
    worse = surely = None
    if difference.absolute is not None and difference.interval is not None and before:
        sign = 1.0 if compared.task in settings.lower_is_better else -1.0
        worse = sign * difference.absolute / abs(before)
        surely = min(sign * end / abs(before) for end in difference.interval)
    return TaskWatch(
        task=compared.task,
        mean=mean,
        mean_before=before,
        worse_by=worse,
        surely_worse_by=surely,
        is_worse=surely is not None and surely > settings.tolerance,
    )
