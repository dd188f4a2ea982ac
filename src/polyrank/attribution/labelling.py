"""Labels of impressions out of outcomes within their windows."""

import dataclasses
from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from polyrank.errors import ConfigError
from polyrank.schema import Schema
from polyrank.spelling import suggestion
from polyrank.tasks import BinaryTask, CountTask, MulticlassTask, Task

from .happened import Happened
from .instants import SECOND, Instants, seconds
from .matching import Places, newest_before
from .options import JoinOptions
from .results import TaskCounts
from .shown import Shown

LabelColumns = dict[str, NDArray[np.float32]]


def windows_us(schema: Schema, options: JoinOptions) -> dict[str, int]:
    """Return the window of each task.

    Raises:
        ConfigError: `windows_s` names a task that the schema has not, or tasks of one label have two windows.
    """
    names = [task.name for task in schema.tasks]
    for name in options.windows_s:
        if name not in names:
            known = f"the schema has {', '.join(names)}{suggestion(name, names)}"
            raise ConfigError(f"windows_s must be of tasks of the schema, got {name!r}; {known}")
    windows = {
        name: round(seconds("windows_s", options.windows_s.get(name, options.window_s)) * SECOND) for name in names
    }
    owners: dict[str, str] = {}
    for task in schema.tasks:
        owner = owners.setdefault(task.label, task.name)
        if windows[owner] != windows[task.name]:
            both = f"{owner!r} and {task.name!r}, which have one label, {task.label!r}"
            raise ConfigError(f"windows_s must be alike for tasks {both}")
    return windows


@dataclasses.dataclass(frozen=True)
class Attributed:
    """Outcomes beside the impressions that they may count for, [M] each.

    Attributes:
        happened: the outcomes.
        places: of impressions; -1 where there is none.
        delays: microseconds since them.
    """

    happened: Happened
    places: Places
    delays: Instants


def attribute(shown: Shown, happened: Happened) -> Attributed:
    """Find the impression of each outcome: that of its request, or else the newest of its user, and before it."""
    by_request = newest_before(shown.by_request, shown.times, happened.by_request, happened.times)
    by_user = newest_before(shown.by_user, shown.times, happened.by_user, happened.times)
    places = np.maximum(by_request, by_user)  # an outcome has one key or the other
    delays = np.zeros(len(places), np.int64)
    found = places >= 0
    delays[found] = happened.times[found] - shown.times[places[found]]
    return Attributed(happened, places, delays)


class Labels:
    """Labels of impressions.

    An outcome counts where it comes within the window of its impression. Of several that count for one impression a
    binary label is 1 if one is, a count their sum, and any other label the newest. There is no label until the window
    is over: if what came early were one, rows would be too good as long as what comes late is not there.

    Attributes:
        columns: float32 [N] each, NaN where there is no label; with those columns of `when` that neither labels nor
            impressions are, 1 where an outcome counts.
    """

    def __init__(
        self, schema: Schema, shown: Shown, attributed: Attributed, windows: Mapping[str, int], until: int
    ) -> None:
        self._schema, self._attributed, self._windows = schema, attributed, windows
        self._over = {name: shown.times < until - window for name, window in windows.items()}
        limits = np.array([windows[task.name] for task in schema.tasks])
        self._is_found = attributed.happened.is_first & (attributed.places >= 0)
        self._counts = self._is_found & (attributed.delays <= limits[attributed.happened.tasks])
        self.columns: LabelColumns = {}
        for task in schema.tasks:
            if task.label not in self.columns:
                self.columns[task.label] = self._labels(task, len(shown))
        for task in schema.tasks:
            if task.when is not None and task.when not in self.columns:
                self.columns[task.when] = (~np.isnan(self.columns[task.label])).astype(np.float32)

    def counts(self, place: int, kept: NDArray[np.bool_]) -> TaskCounts:
        """Say what became of the outcomes of the task at a place of the schema.

        Args:
            place: of the task.
            kept: bool [N]: rows that are joined.
        """
        task, attributed = self._schema.tasks[place], self._attributed
        events = attributed.happened.tasks == place
        new, found = events & attributed.happened.is_first, events & self._is_found
        is_kept = np.append(kept, False)[attributed.places]  # -1 is the last
        labels = self._observed(task)[kept]
        return TaskCounts(
            task=task.name,
            window_s=self._windows[task.name] / SECOND,
            events=int(events.sum()),
            attributed=int((events & self._counts & is_kept).sum()),
            late=int((found & ~self._counts & is_kept).sum()),
            without_impression=int((new & ~found).sum()),
            duplicates=int((events & ~new).sum()),
            left_out=int((found & ~is_kept).sum()),
            labels=int((~np.isnan(labels)).sum()),
            pending=int((~self._over[task.name] & kept).sum()),
            mean_label=_mean(task, labels),
        )

    def _labels(self, task: Task, rows: int) -> NDArray[np.float32]:
        places = [place for place, other in enumerate(self._schema.tasks) if other.label == task.label]
        chosen = np.isin(self._attributed.happened.tasks, places) & self._counts
        values = self._attributed.happened.values[chosen].astype(np.float64)
        labels = _folded(task, self._attributed.places[chosen], values, rows)
        labels[~self._over[task.name]] = np.nan
        return labels.astype(np.float32)

    def _observed(self, task: Task) -> NDArray[np.float32]:
        labels = self.columns[task.label]
        if task.when is None:
            return labels
        return np.where(self.columns[task.when] == 1, labels, np.float32(np.nan))


def _folded(task: Task, places: Places, values: NDArray[np.float64], rows: int) -> NDArray[np.float64]:
    """Return one label for each row, float64 [rows], of values that are oldest first."""
    if isinstance(task, CountTask | BinaryTask):
        total = np.bincount(places, values, rows).astype(np.float64)
        return np.minimum(total, 1) if isinstance(task, BinaryTask) else total
    labels = np.full(rows, np.nan)
    kept, last = np.unique(places[::-1], return_index=True)
    labels[kept] = values[::-1][last]
    return labels


def _mean(task: Task, labels: NDArray[np.float32]) -> float | None:
    known = labels[~np.isnan(labels)]
    return None if isinstance(task, MulticlassTask) or not len(known) else float(known.mean(dtype=np.float64))
